"""Questions about the whole base, and what hands can do about one person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from shop import NOW, PROJECT, a_file, a_shop, brought, rows

from omnicli.errors import OmniError
from omnicli.people import consent as deeds
from omnicli.people import segments
from omnicli.store import audience


@pytest.fixture
def shop(tmp_path):
    store, loaded = a_shop(tmp_path)
    lines = "".join(f"{i},A{i},Lyon,{i},a{i}@example.com,{'yes' if i % 2 else ''}\n" for i in range(10))
    mapping = "id: id\nfirst_name: first_name\ncity: city\norders: orders\nemail: address.email\nok: consent.email\n"
    brought(store, loaded, a_file(tmp_path, "id,first_name,city,orders,email,ok\n" + lines), mapping)
    return store, loaded


def test_a_segment_is_counted_shown_and_explained(shop):
    store, loaded = shop
    assert segments.count(store, loaded, "orders >= 5 and consent.email", now=NOW) == (3, 10)
    assert [p.id for p in segments.show(store, loaded, "orders >= 5", now=NOW, limit=2)] == ["5", "6"]
    assert [p.id for p in segments.show(store, loaded, "orders >= 5", now=NOW, limit=2, after="6")] == ["7", "8"]
    total, of, clauses = segments.explain(store, loaded, "orders >= 5 and consent.email", now=NOW)
    assert (total, of, [(c.text, c.matches, c.excludes, c.only) for c in clauses]) == (
        3,
        10,
        [("orders >= 5", 5, 5, 2), ("consent.email", 5, 5, 2)],
    )


def test_the_name_of_a_segment_is_a_question_too(shop):
    store, loaded = shop
    assert segments.count(store, loaded, "acheteurs", now=NOW) == (0, 10)
    assert segments.counts(store, loaded, now=NOW) == [("acheteurs", None, "purchase", 0, "")]


def test_a_wrong_condition_is_underlined_and_answered(shop):
    store, loaded = shop
    with pytest.raises(OmniError) as error:
        segments.count(store, loaded, "ordres = 0", now=NOW)
    assert "R005" in error.value.message
    assert error.value.message.splitlines()[-1].strip() == "^^^^^^"
    assert error.value.hint == "orders = 0"


def test_consent_by_hand_is_appended_with_its_proof(shop, tmp_path):
    store, loaded = shop
    proof = a_file(tmp_path, b"signed", "form.pdf")
    assert deeds.change_consent(store, loaded, "0", "sms", granted=True, now=NOW, source="form", proof=proof)
    assert not deeds.change_consent(store, loaded, "0", "sms", granted=True, now=NOW, source="form", proof=proof)
    assert deeds.change_consent(store, loaded, "0", "sms", granted=False, now=NOW + timedelta(days=1))
    log = rows(store, "SELECT state, source, substr(proof, 1, 16) FROM consent_log WHERE channel = 'sms'")
    assert log == [("granted", "form", "form.pdf sha256:"), ("withdrawn", "omni contact consent", None)]
    with store.read() as connection:
        assert [(c.channel, c.granted) for c in deeds.standing(connection, deeds.the_contact(connection, "0"))] == [
            ("sms", False)
        ]


def test_a_bar_hits_everybody_with_the_address_and_ends_when_told(shop):
    store, loaded = shop
    until = NOW + timedelta(days=30)
    assert deeds.suppress_address(store, loaded, "A1@example.com", now=NOW, until=until) == [("email", 1)]
    assert segments.count(store, loaded, "reachable.email", now=NOW)[0] == 4
    assert segments.count(store, loaded, "suppressed.email", now=NOW)[0] == 1
    assert segments.count(store, loaded, "suppressed.email", now=until + timedelta(days=1))[0] == 0


def test_conditions_speak_of_bars_on_the_whole_channel_and_not_of_topics(tmp_path):
    store, loaded = a_shop(tmp_path, PROJECT + "topics: {soldes: Les soldes}\n")
    brought(store, loaded, a_file(tmp_path, "id,email,email_consent\n1,a1@example.com,yes\n"))
    assert deeds.suppress_address(store, loaded, "a1@example.com", now=NOW, topic="soldes") == [("email", 1)]
    assert [segments.count(store, loaded, text, now=NOW)[0] for text in ("suppressed.email", "reachable.email")] == [0, 1]
    assert deeds.suppress_address(store, loaded, "a1@example.com", now=NOW, topic="everything") == [("email", 1)]
    assert [segments.count(store, loaded, text, now=NOW)[0] for text in ("suppressed.email", "reachable.email")] == [1, 0]


@pytest.mark.parametrize(("text", "hint"), [("12", "--channel"), ("nonsense", "--channel")])
def test_a_bar_on_what_may_be_anything_asks_for_the_channel(shop, text, hint):
    store, loaded = shop
    with pytest.raises(OmniError) as error:
        deeds.suppress_address(store, loaded, text, now=NOW)
    assert hint in error.value.hint


def test_somebody_is_found_by_id_or_address_and_a_wrong_id_answered(shop):
    store, loaded = shop
    with store.read() as connection:
        assert deeds.the_contact(connection, "3") == deeds.the_contact(connection, "A3@example.com")
        life = audience.life(connection, loaded.project, deeds.the_contact(connection, "3"))
        with pytest.raises(OmniError, match="no contact '3x'"):
            deeds.the_contact(connection, "3x")
    assert (life.person.name, life.attributes["orders"], life.attributes["city"]) == ("A3", 3, "Lyon")
    assert [m.what for m in life.moments] == ["granted"]
