"""Clicks, scans, openings and the web version: where they lead, what they note, and what a bad token learns (nothing)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from web_stage import OWN, Shop, a_shop, ask_all, serving

from omnicli.render import links
from omnicli.render.skeleton import restore
from omnicli.service.web.click import is_web
from omnicli.service.web.intake import Overloaded
from omnicli.store import readers

TARGET = ("https://www.maisonlune.example/bienvenue?vue=liste&utm_source=maison-lune&utm_medium=email&utm_campaign=bienvenue"
          "&utm_content=offre&utm_id=j0#haut")  # fmt: skip
INJECTION = Path(__file__).parents[3] / "shared/data/torture/injection"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    found = a_shop(tmp_path_factory.mktemp("shop"))
    yield found
    found.store.close()


def test_a_click_is_noted_and_goes_where_the_message_said_utm_and_all(shop: Shop) -> None:
    with serving(shop) as (client, _):
        answer = client.get(shop.path("click"))
    assert (answer.status_code, answer.headers["location"]) == (302, TARGET)
    noted = next(r for r in shop.inbox() if r["name"] == "clicked" and r["touch"] == shop.key("lea").hex() and "machine" not in r)
    assert noted["contact"] == ""
    assert noted["payload"]["link"] == TARGET
    assert len(noted["payload"]["device"]) == 12


def test_a_double_fetch_within_a_second_is_one_click(shop: Shop) -> None:
    with serving(shop) as (client, _):
        client.get(shop.path("click", "emma"))
        client.get(shop.path("click", "emma"))
    assert [r["touch"] for r in shop.inbox()].count(shop.key("emma").hex()) == 1


@pytest.mark.parametrize(("method", "headers"), [
    ("HEAD", {}), ("GET", {"sec-purpose": "prefetch;prerender"}), ("GET", {"user-agent": "Barracuda Link Protect"}), ("GET", {"user-agent": ""}),
    ("GET", {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}), ("GET", {"x-moz": "prefetch"}),
])  # fmt: skip
def test_what_says_itself_that_it_is_a_program_is_noted_as_one(shop: Shop, method: str, headers: dict[str, str]) -> None:
    before = len(shop.inbox())
    with serving(shop) as (client, _):
        answer = client.request(method, shop.path("click"), headers={"x-forwarded-for": f"198.51.100.{before}", **headers})
    assert answer.headers["location"] == TARGET
    assert len(fresh := [r for r in shop.inbox() if r.get("machine")]) >= 1
    assert all(r["name"] == "clicked" for r in fresh)


def test_a_store_that_is_busy_does_not_keep_the_reader_from_the_shop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_receipts: object) -> None:
        raise Overloaded

    with serving(shop) as (client, site):
        monkeypatch.setattr(site.intake, "put", full)
        assert client.get(shop.path("click")).headers["location"] == TARGET


@pytest.mark.guards("token_purpose")
def test_a_token_opens_one_purpose_and_a_bad_one_is_answered_like_an_unknown_one(shop: Shop) -> None:
    good = shop.token("click")
    unknown = links.token(shop.renderer.signing, "click", b"\0" * 16)
    altered = good[:5] + ("A" if good[5] != "A" else "B") + good[6:]
    with serving(shop) as (client, _):
        answers = [
            client.get(f"/{path}/{token}")
            for path in "cupwq"
            for token in (unknown, altered, "x", good[:-1], good + "A", "é" * 24)
        ]
        answers += [client.get(f"/{path}/{good}") for path in "upwq"]
        answers += [client.post(f"/{path}/{token}") for path in "up" for token in (good, unknown, "x")]
        answers.append(client.get("/nothing/here"))
    assert {a.status_code for a in answers} == {404}
    assert len({a.content for a in answers}) == 1
    assert len({tuple(sorted(a.headers.items())) for a in answers}) == 1
    assert shop.bars() == []


@pytest.mark.guards("token_signature")
def test_every_bit_of_a_token_counts(shop: Shop) -> None:
    import base64

    raw = base64.urlsafe_b64decode(shop.token("unsubscribe"))
    flipped = [raw[: n // 8] + bytes([raw[n // 8] ^ (1 << n % 8)]) + raw[n // 8 + 1 :] for n in range(len(raw) * 8)]
    keys = {shop.renderer.signing.number: shop.renderer.signing.key}
    assert [links.open_token(base64.urlsafe_b64encode(one).decode(), "unsubscribe", keys) for one in flipped] == [None] * len(
        flipped
    )


def test_the_lists_of_open_redirects_lead_nowhere_but_to_the_stored_target(shop: Shop) -> None:
    if not INJECTION.is_dir():
        pytest.skip("no ../shared/data here")
    tricks = [
        line
        for path in sorted(INJECTION.glob("open-redirect-*.txt"))
        for line in path.read_text("utf-8", "replace").splitlines()
        if line
    ]
    crlf = [line for line in (INJECTION / "crlf.txt").read_text("utf-8", "replace").splitlines() if line]
    assert len(tricks) > 300
    token, seen = shop.token("click"), set()
    shapes = ("/c/{token}?url={quoted}&next={quoted}", "/c/{token}/{bare}", "/c/{bare}", "/{bare}", "/c/{token}{bare}")
    paths = [
        shapes[(n + turn) % 5].format(token=token, quoted=quote(trick), bare=quote(trick, safe="/:@?&=;%\\.#-_~"))
        for turn in range(2) for n, trick in enumerate([*tricks, *crlf])
    ]  # fmt: skip
    evil = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    with serving(shop) as (_, site):
        site.keep = _nowhere  # type: ignore[method-assign]
        for path, answer in zip(paths, ask_all(site, [("GET", "http://testserver" + path, evil) for path in paths]), strict=True):
            assert answer.status_code in (302, 404, 405), path
            if "location" in answer.headers:
                seen.add(answer.headers["location"])
                assert path.partition("?")[0].partition("#")[0] == f"/c/{token}"
    assert seen == {TARGET}


async def _nowhere(_receipts: object) -> None:
    """Notes nothing: these requests ask where they lead."""


@pytest.mark.parametrize(("address", "leads"), [
    ("https://shop.example/a b", True), ("http://shop.example", True), ("javascript:alert(1)", False), ("data:text/html,x", False),
    ("//evil.example", False), ("https:///x", False), ("https://shop.example\r\nX: y", False), ("https://shop.example\\@evil.example", False),
    ("mailto:a@b.example", False), ("tel:+33639980000", False), ("", False), ("https://[::1", False),
])  # fmt: skip
@pytest.mark.guards("web_targets")
def test_only_web_addresses_are_led_to(address: str, leads: bool) -> None:
    assert is_web(address) is leads


# --- scans ------------------------------------------------------------------------------------------------------------
def test_the_first_scan_is_told_apart_from_the_later_ones(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    with serving(shop) as (client, _):
        client.get(shop.path("scan", step="j2"), headers={"user-agent": "PreviewBot/1.0"})
        answers = [client.get(shop.path("scan", step="j2"), headers={"x-forwarded-for": f"198.51.{n}.1"}) for n in range(3)]
    assert [urlsplit(a.headers["location"]).path for a in answers] == ["/bienvenue"] * 3
    scans = [(r["payload"]["first"], r.get("machine", False)) for r in shop.inbox() if r["name"] == "scanned"]
    assert sorted(scans) == [("no", False), ("no", False), ("no", True), ("yes", False)]


def test_the_code_on_the_card_is_a_scan_and_not_a_click(shop: Shop) -> None:
    with shop.store.read() as connection:
        touch = readers.named(connection, shop.key("lea", "j2")[:10])
        kept = readers.archived(connection, touch.id)
    from omnicli.render.codes import qr_svg

    assert qr_svg(f"{OWN}/q/{shop.token('scan', step='j2')}", print_quality=True) in restore(*kept)["card"]


def test_a_code_without_an_address_lands_on_the_promise(shop: Shop) -> None:
    with serving(shop) as (client, _):
        french = client.get(shop.path("scan", "lea", "j2", links.LANDING))
        english = client.get(shop.path("scan", "emma", "j2", links.LANDING))
    assert "Bienvenue dans la lune" in french.text
    assert "BIENVENUE20" in french.text
    assert '<html lang="fr">' in french.text
    assert ("until" in english.text, "30 January 2027" in english.text, '<html lang="en">' in english.text) == (True, True, True)


# --- openings ---------------------------------------------------------------------------------------------------------
def _pixel(shop: Shop, who: str) -> str | None:
    with shop.store.read() as connection:
        touch = readers.named(connection, shop.key(who)[:10])
        html = restore(*readers.archived(connection, touch.id))["html"]
    return next((piece.split('"')[0] for piece in html.split(f'src="{OWN}')[1:] if piece.startswith("/o/")), None)


def test_openings_that_are_only_counted_name_nobody(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    assert _pixel(shop, "lea") == _pixel(shop, "emma") is not None
    with serving(shop) as (client, _):
        for _n in range(3):
            assert client.get(_pixel(shop, "lea")).headers["content-type"] == "image/gif"
        assert client.get("/o/nothing").content == client.get(_pixel(shop, "lea")).content
    key = links.sum_key("bienvenue", "offre", "j0").hex()
    with shop.store.read() as connection:
        assert connection.scalar(sa.text("SELECT value FROM setting WHERE key = :key"), {"key": f"opens:{key}:2027-01-04"}) == "4"
    assert shop.inbox() == []


def test_openings_by_person_want_an_agreement_twice(tmp_path: Path) -> None:
    shop = a_shop(tmp_path, opens="consented")
    assert _pixel(shop, "lea") is None
    with serving(shop) as (client, _):
        assert client.get(shop.path("open")).status_code == 200
        assert [r["name"] for r in shop.inbox()] == []
        client.post(shop.path("preferences"), data={"do": "save", "topic": ["nouveautes", "offres", "atelier"], "opens": "yes"})
        client.get(shop.path("open"))
    assert [r["name"] for r in shop.inbox()] == ["opened"]
    shop.person("max", consent=("email", "sms"), first_name="Max")
    with shop.store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO consent (contact_id, channel, purpose, granted, at) SELECT id, 'email', 'opens', 1, 0 FROM contact WHERE source_id = 'max'"
        )
    shop.says("max", "signup")
    shop.send("2027-01-04 11:00")
    assert _pixel(shop, "max") == shop.path("open", "max")


def test_no_pixel_where_openings_are_off(tmp_path: Path) -> None:
    shop = a_shop(tmp_path, opens="off")
    assert _pixel(shop, "lea") is None
    with serving(shop) as (client, _):
        client.get(shop.path("open"))
    assert shop.inbox() == []


# --- the web version --------------------------------------------------------------------------------------------------
def test_the_web_version_is_the_archived_message_without_what_follows_the_reader(shop: Shop) -> None:
    before = shop.digest()
    with serving(shop) as (client, _):
        answer = client.get(shop.path("web_version"))
    with shop.store.read() as connection:
        sent = restore(*readers.archived(connection, readers.named(connection, shop.key("lea")[:10]).id))["html"]
    tracked = f"{OWN}{shop.path('click')}"
    assert tracked in sent
    assert tracked not in answer.text
    pixel = next(line for line in sent.splitlines(keepends=True) if "/o/" in line)
    assert answer.text == sent.replace(pixel, "").replace(tracked, TARGET.replace("&", "&amp;"))
    assert "script" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert shop.digest() == before


def test_the_web_version_of_a_text_message_is_its_text(shop: Shop) -> None:
    with serving(shop) as (client, _):
        answer = client.get(shop.path("web_version", "emma", "j1"))
    assert "20% off your first candle with BIENVENUE20." in answer.text
    assert "/c/" not in answer.text


def test_an_erased_person_s_tokens_open_nothing(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    with shop.store.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET erased_at = 1 WHERE source_id = 'lea'")
    with serving(shop) as (client, _):
        assert {client.get(shop.path(p)).status_code for p in ("click", "unsubscribe", "preferences", "web_version")} == {404}


def test_rotated_keys_still_open_what_they_signed(shop: Shop) -> None:
    with serving(shop) as (client, site):
        site.verifying = {**site.verifying, 3: b"n" * 32}
        newer = links.token(links.Signing(b"n" * 32, 3), "unsubscribe", shop.key("lea"))
        assert client.get(f"/u/{newer}").status_code == client.get(shop.path("unsubscribe")).status_code == 200
        site.verifying = {3: b"n" * 32}
        assert client.get(shop.path("unsubscribe")).status_code == 404
