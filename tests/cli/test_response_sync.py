"""`omni response sync`: what a provider holds becomes ours too, once, and nothing is ever lifted by it (rules.md SU)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_sendgrid import FakeSendGrid
from stores import open_store

from omnicli.cli.main import run
from omnicli.store.consents import fingerprint
from omnicli.store.keys import keys_of

PROJECT = """
project: boutique
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
channels: {email: {provider: sendgrid, from: Maison <bonjour@maison.example>}}
contacts: {attributes: {city: text}}
providers: {sendgrid: {api_key: SG.fake, batch: 1}}
"""


@pytest.fixture
def fake() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def shop(tmp_path: Path, fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNI_SENDGRID_URL", fake.url)
    (tmp_path / "omni.yaml").write_text(PROJECT)
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "people.csv").write_text(
        "id,email,city,email_consent\n" + "".join(f"{n},p{n}@example.com,Lyon,yes\n" for n in range(1, 6))
    )
    keys_of.cache_clear()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], shop: Path, *words: str, exit: int = 0) -> Any:
    assert run([*words, "--json", "--live", "--no-input", "-C", str(shop)]) == exit, capsys.readouterr()
    return json.loads(capsys.readouterr().out)["result"]


def bars(shop: Path) -> set[tuple[str, str, str]]:
    store = open_store(shop / ".omni", "live.db")
    key = keys_of("boutique", store.beside, live=True).pepper
    names = {fingerprint(key, "email", f"p{n}@example.com"): f"p{n}" for n in range(1, 10)}
    with store.read() as connection:
        found = {
            (names[bytes(mark)], scope, reason)
            for mark, scope, reason in connection.exec_driver_sql("SELECT norm_hmac, scope, reason FROM suppression")
        }
    store.close()
    return found


def test_lists_are_mirrored_once_and_never_lifted(shop: Path, fake: FakeSendGrid, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, shop, "contact", "import", str(shop / "people.csv"))
    fake.lists["/v3/suppression/bounces"] = [
        {"created": 1601469690, "email": "p1@example.com", "reason": "550 5.1.1 nobody", "status": "5.1.1"}
    ]
    fake.lists["/v3/suppression/spam_reports"] = [{"created": 1790000000, "email": "P2@example.com", "ip": "198.51.100.1"}]
    fake.lists["/v3/suppression/unsubscribes"] = [
        {"created": 1790000000, "email": "p3@example.com"},
        {"created": 1790000001, "email": "p9@example.com"},
    ]
    found = said(capsys, shop, "response", "sync", "--provider", "sendgrid")["providers"]
    assert [(f["provider"], f["asked"], f["listed"], f["new"], f["opted_out"]) for f in found] == [("sendgrid", True, 4, 4, 3)]
    held = {
        ("p1", "all", "bounced"),
        ("p2", "marketing", "complained"),
        ("p3", "marketing", "unsubscribed"),
        ("p9", "marketing", "unsubscribed"),
    }
    assert bars(shop) == held
    for path in fake.lists:
        fake.lists[path] = fake.lists[path][:1] if "bounces" in path else []
    again = said(capsys, shop, "response", "sync")["providers"]
    assert {f["provider"]: (f["listed"], f["new"]) for f in again}["sendgrid"] == (1, 0)
    assert bars(shop) == held


def test_a_provider_that_nobody_uses_is_said(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, shop, "contact", "import", str(shop / "people.csv"))
    assert run(["response", "sync", "--provider", "sendgird", "--live", "--no-input", "-C", str(shop)]) == 2
    assert "sendgrid" in capsys.readouterr().err


@pytest.mark.parametrize(("lang", "text"), [("en", "Nobody here can be asked"), ("fr", "Personne à interroger")])
def test_the_sandbox_asks_nobody(
    shop: Path, fake: FakeSendGrid, capsys: pytest.CaptureFixture[str], lang: str, text: str
) -> None:
    assert run(["response", "sync", "--lang", lang, "--no-input", "-C", str(shop)]) == 0
    assert text in capsys.readouterr().out
    assert fake.requests == []
