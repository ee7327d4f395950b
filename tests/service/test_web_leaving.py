"""Leaving and coming back: looking changes nothing, posting acts at once and as often as it comes, and only one's own leaving is undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from web_stage import OMNI, Shop, a_shop, ask_all, serving

from omnicli.campaigns.respond import fold
from omnicli.model.response import Response
from omnicli.service.web.intake import NotStored
from omnicli.store import inbox
from omnicli.store import tables as tb

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LEFT = ("email", "topic:offres", "unsubscribed")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = a_shop(tmp_path)
    yield found
    found.store.close()


@pytest.mark.guards("post_only")
def test_hundreds_of_looks_unsubscribe_nobody(shop: Shop) -> None:
    before = shop.digest()
    paths = [shop.path(purpose) + "?List-Unsubscribe=One-Click&do=everything" for purpose in ("unsubscribe", "preferences")]
    asked = [(method, path, {}) for _ in range(40) for method in ("GET", "HEAD", "OPTIONS", "PUT") for path in paths]
    with serving(shop) as (_, site):
        answers = ask_all(site, asked)
    assert len(answers) == 320
    assert {(a.request.method, a.status_code) for a in answers} == {("GET", 200), ("HEAD", 200), ("OPTIONS", 405), ("PUT", 405)}
    assert (shop.digest(), shop.inbox(), shop.bars()) == (before, [], [])


@pytest.mark.guards("no_page_redirect")
def test_no_answer_to_leaving_sends_anybody_elsewhere(shop: Shop) -> None:
    """RFC 8058: a redirect would lose the POST; and with the host that a request names, it would lead off to anywhere."""
    with serving(shop) as (client, _):
        paths = [shop.path(purpose) + end for purpose in ("unsubscribe", "preferences") for end in ("", "/", "//")]
        answers = [client.request(how, path, headers={"host": "evil.example"}) for how in ("GET", "POST") for path in paths]
    assert {a.status_code for a in answers} == {200, 404}
    assert not any("location" in a.headers for a in answers)


@pytest.mark.parametrize("how", ["urlencoded", "multipart", "button", "nothing"])
def test_one_post_acts_at_once_and_a_second_is_fine_again(shop: Shop, how: str) -> None:
    sent = {
        "urlencoded": {"data": ONE_CLICK}, "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}}, "button": {"data": {"by": "button"}},
        "nothing": {},
    }[how]  # fmt: skip
    with serving(shop) as (client, _):
        answers = [client.post(shop.path("unsubscribe"), **sent) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert {name for a in answers for name in a.headers} & {"set-cookie", "location"} == set()
    assert shop.bars() == [LEFT]
    assert {r["payload"]["by"] for r in shop.inbox()} == {"one-click" if how in ("urlencoded", "multipart") else "button"}


def test_what_was_left_is_not_sent_any_more_though_it_was_planned(shop: Shop) -> None:
    shop.person("max", consent=("email", "sms"), first_name="Max")
    shop.says("max", "signup")
    shop.decide()
    with serving(shop) as (client, _):
        client.post(shop.path("unsubscribe", "max"), data=ONE_CLICK)
    shop.send()
    assert [touch for touch in shop.provider.reached() if touch.startswith("max ")] == ["max j1", "max j2"]


def test_stopping_everything_bars_every_channel(shop: Shop) -> None:
    with serving(shop) as (client, _):
        answer = client.post(shop.path("unsubscribe"), data={"scope": "everything"})
    assert "sur aucun canal" in answer.text
    assert shop.bars() == [("email", "marketing", "unsubscribed"), ("sms", "marketing", "unsubscribed")]


def test_when_it_cannot_be_stored_nobody_is_told_that_it_is_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(shop) as (client, site):

        async def broken(_receipts: object) -> None:
            raise NotStored

        monkeypatch.setattr(site, "keep", broken)
        answer = client.post(shop.path("unsubscribe"), data=ONE_CLICK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Un instant" in answer.text


def test_the_page_speaks_the_person_s_language_and_names_what_is_left(shop: Shop) -> None:
    with serving(shop) as (client, _):
        french, english = (client.get(shop.path("unsubscribe", who)).text for who in ("lea", "emma"))
    assert '<html lang="fr">' in french
    assert "«\u00a0Les offres\u00a0»" in french  # which no line may tear apart
    assert "Me désabonner" in french
    assert '<html lang="en">' in english
    assert "Unsubscribe" in english
    for page in (french, english):
        assert "<script" not in page
        assert "Maison Lune SAS · 12 rue des Tisserands, 69004 Lyon" in page
        assert "#2b2350" in page


def test_every_page_says_that_nothing_may_run_or_frame_it(shop: Shop) -> None:
    with serving(shop) as (client, _):
        answers = [client.get(shop.path(p)) for p in ("unsubscribe", "preferences", "web_version", "scan", "click", "open")]
        answers += [client.get("/health"), client.get("/nothing"), client.post("/webhooks/sendgrid")]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers


# --- preferences ------------------------------------------------------------------------------------------------------
def _choose(client: object, shop: Shop, *topics: str, who: str = "lea") -> str:
    return client.post(shop.path("preferences", who), data={"do": "save", "topic": list(topics)}).text  # type: ignore[attr-defined]


def test_a_topic_is_left_and_taken_up_again(shop: Shop) -> None:
    with serving(shop) as (client, _):
        page = client.get(shop.path("preferences")).text
        assert page.count(" checked") == 3
        assert "C’est enregistré." in _choose(client, shop, "nouveautes", "atelier")
        assert shop.bars() == [LEFT]
        assert client.get(shop.path("preferences")).text.count(" checked") == 2
        _choose(client, shop, "nouveautes", "offres", "atelier")
        assert shop.bars() == []
        assert client.get(shop.path("preferences")).text.count(" checked") == 3
    log = tb.consent_log.c
    with shop.store.read() as connection:
        rows = connection.execute(
            sa.select(log.purpose, log.state, log.source, log.proof).where(log.source == "preferences")
        ).all()
    assert [tuple(row) for row in rows] == [("topic:offres", "granted", "preferences", "/p, fr: Les offres")]


def test_who_came_back_stays_though_the_leaving_is_folded_afterwards(shop: Shop) -> None:
    with serving(shop) as (client, _):
        client.post(shop.path("unsubscribe"), data=ONE_CLICK)
        shop.now += timedelta(seconds=20)
        _choose(client, shop, "nouveautes", "offres", "atelier")
        fold(shop.store, shop.loaded, now=shop.now)
        assert shop.bars() == []
        shop.now += timedelta(seconds=20)
        client.post(shop.path("unsubscribe"), data=ONE_CLICK)
    fold(shop.store, shop.loaded, now=shop.now)
    assert shop.bars() == [LEFT]


def test_saving_what_stands_already_writes_nothing(shop: Shop) -> None:
    before = shop.digest()
    with serving(shop) as (client, _):
        _choose(client, shop, "nouveautes", "offres", "atelier")
        client.post(shop.path("preferences"), data={"do": "anything"})
        client.post(shop.path("preferences"), content=b"\xff\xfe{", headers={"content-type": "multipart/form-data; boundary=x"})
    assert shop.digest() == before


def test_who_left_everything_comes_back_to_one_topic_only(shop: Shop) -> None:
    with serving(shop) as (client, _):
        client.post(shop.path("preferences"), data={"do": "everything"})
        page = client.get(shop.path("preferences")).text
        assert page.count(" checked") == 0
        assert "Tout arrêter" not in page
        _choose(client, shop, "atelier")
        assert client.get(shop.path("preferences")).text.count(" checked") == 1
    assert shop.bars() == [("email", "topic:nouveautes", "unsubscribed"), LEFT, ("sms", "marketing", "unsubscribed")]


def test_a_complaint_is_not_undone_by_a_page(shop: Shop) -> None:
    with shop.store.write() as connection:
        inbox.receive(connection, [Response("c1", "lea", "complained", shop.now, channel="email")], now=shop.now)
    fold(shop.store, shop.loaded, now=shop.now)
    with serving(shop) as (client, _):
        page = client.get(shop.path("preferences")).text
        assert "indésirable" in page
        assert 'name="topic"' not in page
        _choose(client, shop, "nouveautes", "offres", "atelier")
    assert shop.bars() == [("email", "marketing", "complained")]


def test_a_project_without_topics_offers_all_or_nothing(tmp_path: Path) -> None:
    head, _, rest = OMNI.partition("topics:\n")
    omni = head + rest.partition("guardrails:")[1] + rest.partition("guardrails:")[2]
    import web_stage

    written = web_stage.CAMPAIGN
    web_stage.CAMPAIGN = written.replace("topic: offres\n", "")
    try:
        shop = Shop(tmp_path, omni=omni)
    finally:
        web_stage.CAMPAIGN = written
    with serving(shop) as (client, _):
        assert "Offres et nouvelles" in client.get(shop.path("preferences")).text
        _choose(client, shop)
        assert shop.bars() == [("email", "marketing", "unsubscribed")]
        _choose(client, shop, "all")
        assert shop.bars() == []


def test_a_form_larger_than_any_form_is_refused(shop: Shop) -> None:
    with serving(shop) as (client, _):
        for path in (shop.path("unsubscribe"), shop.path("preferences")):
            assert client.post(path, content=b"x" * 20_000).status_code == 413
            assert client.post(path, content=iter([b"x" * 9_000] * 3)).status_code == 413
    assert shop.bars() == []
