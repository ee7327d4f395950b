"""Permissions, bars, and the reach folded from both; the inbox that keeps a response once."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from shelves import MS, NOW, a_contact, a_project, a_store
from stores import POSTGRESQL, said

from omnicli import clock
from omnicli.errors import OmniError
from omnicli.model.contact import read_reach
from omnicli.model.response import Response
from omnicli.store import consents, inbox, keeping
from omnicli.store.consents import Bar, Permission
from omnicli.store.keys import keys_of


@pytest.fixture
def store(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    for number in (1, 2):
        a_contact(store, number)
        with store.write() as connection:
            connection.exec_driver_sql(said("INSERT INTO address (contact_id, channel, value, norm, hmac) VALUES (?, 'email', 'a@b.fr', 'a@b.fr', ?)"),
                                       (number, b"m"))  # fmt: skip
            consents.refold_reach(connection, [number], now=NOW)
    return store


def reach(store, number=1):
    with store.read() as connection:
        return read_reach(connection.exec_driver_sql(f"SELECT reach FROM contact WHERE id = {number}").scalar())


def reach_of(connection, number=1):
    return read_reach(connection.exec_driver_sql(f"SELECT reach FROM contact WHERE id = {number}").scalar())


def test_the_newest_statement_stands_and_of_two_at_once_the_refusal(store):
    said = [
        Permission(1, "email", True, NOW),
        Permission(1, "email", False, NOW),
        Permission(1, "email", True, NOW - timedelta(days=1)),
    ]
    with store.write() as connection:
        assert consents.record_permissions(connection, said, now=NOW) == {1}
        consents.refold_reach(connection, [1], now=NOW)
        assert consents.record_permissions(connection, said, now=NOW) == set()
        assert connection.exec_driver_sql("SELECT count(*) FROM consent_log").scalar() == 3
    assert reach(store)["email"].granted is False


def test_a_bar_hits_everybody_with_the_address_and_never_gets_weaker(store):
    with store.write() as connection:
        assert consents.suppress(connection, [Bar("email", b"m", "unsubscribed", NOW)], now=NOW) == {1, 2}
        consents.suppress(connection, [Bar("email", b"m", "asked", NOW, until=NOW + timedelta(days=1))], now=NOW)
        consents.suppress(connection, [Bar("email", b"m", "complained", NOW)], now=NOW)
        consents.suppress(connection, [Bar("email", b"m", "unsubscribed", NOW)], now=NOW)
    assert reach(store, 2)["email"].bar == "complained"


def test_the_same_bars_in_any_order_leave_the_same(store):
    day = timedelta(days=1)
    bars = [
        Bar("email", b"m", "unsubscribed", NOW),
        Bar("email", b"m", "unsubscribed", NOW - day),
        Bar("email", b"m", "unsubscribed", NOW - 2 * day, scope="topic:soldes"),
        Bar("email", b"m", "asked", NOW - 3 * day, scope="topic:soldes", until=NOW + day),
    ]
    first, second = (clock.to_ms(NOW - n * day) for n in (1, 2))
    for order in itertools.permutations(range(4)):
        with store.write() as connection:
            connection.exec_driver_sql("DELETE FROM suppression")
            for n in (*order, *order):
                consents.suppress(connection, [bars[n]], now=NOW)
            kept = connection.exec_driver_sql("SELECT scope, reason, at, until FROM suppression ORDER BY 1, 2").all()
        asked = ("topic:soldes", "asked", clock.to_ms(NOW - 3 * day), clock.to_ms(NOW + day))
        assert kept == [("marketing", "unsubscribed", first, None), asked, ("topic:soldes", "unsubscribed", second, None)]
        assert (reach(store)["email"].bar, reach(store, 2)["email"].left) == ("unsubscribed", (("soldes", None),))


def test_a_topic_is_left_by_everybody_with_the_address_beside_what_else_stands(store):
    until = NOW + timedelta(days=30)
    with store.write() as connection:
        for topic, end in (("soldes", None), ("nouveautes", until)):
            assert consents.suppress(connection, [Bar("email", b"m", "unsubscribed", NOW, f"topic:{topic}", end)], now=NOW) == {
                1,
                2,
            }
        assert consents.stale(connection, [1, 2], now=NOW) == []
    here = reach(store, 2)["email"]
    assert (here.left, here.bar, here.bad) == ((("nouveautes", until), ("soldes", None)), None, None)
    with store.write() as connection:
        consents.refold_reach(connection, [2], now=until)
    assert reach(store, 2)["email"].left == (("soldes", None),)


def test_start_undoes_stop_and_nothing_else(store):
    with store.write() as connection:
        consents.suppress(connection, [Bar("email", b"m", "stop", NOW)], now=NOW)
        consents.lift(connection, [Bar("email", b"m", "complained", NOW)], now=NOW)
    assert reach(store)["email"].bar == "stop"
    with store.write() as connection:
        assert consents.lift(connection, [Bar("email", b"m", "stop", NOW)], now=NOW) == {1, 2}
        assert connection.exec_driver_sql("SELECT state FROM suppression_log ORDER BY id").scalars().all() == ["barred", "lifted"]
    assert reach(store)["email"].bar is None


def test_bars_of_several_reasons_stand_side_by_side_and_one_is_lifted_alone(store):
    with store.write() as connection:
        asked = Bar("email", b"m", "asked", NOW, norm="a@b.fr")
        stop = Bar("email", b"m", "stop", NOW, norm="a@b.fr")
        assert consents.suppress(connection, [asked, stop], now=NOW) == {1, 2}
        assert reach_of(connection)["email"].bar == "stop"
        assert consents.lift(connection, [stop], now=NOW) == {1, 2}
        assert reach_of(connection)["email"].bar == "asked"
        assert consents.lift(connection, [stop], now=NOW) == set()
        assert consents.stale(connection, [1, 2], now=NOW) == []


def test_what_is_shown_is_the_bar_that_lasts_longest_then_the_strongest_word(store):
    day = timedelta(days=1)
    with store.write() as connection:
        bars = [
            Bar("email", b"m", "complained", NOW, until=NOW + day),
            Bar("email", b"m", "soft_bounces", NOW, until=NOW + 90 * day),
            Bar("email", b"m", "doubt", NOW),
        ]
        for n, shown in ((1, "complained"), (2, "soft_bounces"), (3, "doubt")):
            consents.suppress(connection, bars[:n], now=NOW)
            assert reach_of(connection)["email"].bar == shown


def test_a_dead_address_is_barred_for_every_purpose(store):
    with store.write() as connection:
        bars = consents.bars_of(connection, 1, "email", "bounced", at=NOW, scope="all")
        assert consents.suppress(connection, bars, now=NOW) == {1, 2}
        assert consents.bars_of(connection, 1, "sms", "stop", at=NOW) == []
    assert reach(store)["email"].bad == "bounced"


def test_fingerprints_are_keyed_by_project_and_channel(tmp_path):
    sandbox, live = tmp_path / "sandbox.db", tmp_path / "live.db"
    key = keys_of("boutique", sandbox, live=False).pepper
    assert key == keys_of("boutique", None, live=False).pepper != keys_of("autre", None, live=False).pepper
    assert consents.fingerprint(key, "email", "a") != consents.fingerprint(key, "sms", "a")
    real = keys_of("boutique", live, live=True).pepper
    assert real != key
    keys_of.cache_clear()
    assert keys_of("boutique", live, live=True).pepper == real
    assert oct((tmp_path / "keys").stat().st_mode)[-3:] == "600"
    (tmp_path / "keys").write_text('{"pepper": "zz"}')
    keys_of.cache_clear()
    with pytest.raises(OmniError, match="not whole"):
        keys_of("boutique", live, live=True)
    keys_of.cache_clear()


# --- the inbox ------------------------------------------------------------------------------------------------------
def test_a_response_is_stored_once_by_source_and_id_and_comes_back_equal(store):
    response = Response("r1", "c1", "replied", NOW, channel="sms", payload={"text": "Oui\n…"})
    with store.write() as connection:
        assert (
            inbox.receive(connection, [response, response, Response("r1", "c1", "replied", NOW, source="twilio")], now=NOW) == 2
        )
        assert inbox.receive(connection, [response], now=NOW) == 0
        assert inbox.known(connection, "omni", ["r1", "r2"]) == {"r1"}
        arrivals = inbox.unfolded(connection)
        assert [a.response for a in arrivals if a.provider == "omni"] == [response]
        inbox.fold_done(connection, [(arrivals[0], "event"), (arrivals[1], "unmatched")], now=NOW)
        assert inbox.unfolded(connection) == []
        assert inbox.unmatched(connection) == 1
        assert inbox.unfold_unmatched(connection, ["c1"]) == 1
        assert len(inbox.unfolded(connection)) == 1


# --- upkeep ---------------------------------------------------------------------------------------------------------
def test_a_whole_store_passes_every_check_and_a_stale_reach_fails_one(store, tmp_path):
    project = a_project(tmp_path)
    assert [c.name for c in keeping.check(store, project, now=NOW) if c.wrong] == []
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET reach = '{}' WHERE id = 2")
        connection.exec_driver_sql("DROP TRIGGER touch_fence" + (" ON touch" if POSTGRESQL else ""))
    assert {c.name: c.wrong for c in keeping.check(store, project, now=NOW) if c.wrong} == {"reach": 1, "triggers": 1}


def test_the_live_store_is_never_reset(tmp_path):
    (tmp_path / "live.db").write_bytes(b"")
    with pytest.raises(OmniError, match="never reset"):
        keeping.reset(tmp_path / "live.db", tmp_path / "outbox")
    assert (tmp_path / "live.db").exists()
    assert MS
