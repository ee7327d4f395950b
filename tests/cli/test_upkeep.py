"""Upkeep through the front door: backup, restore, hold, recover, upgrade, live start, tests to colleagues; exit codes and both languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stores
from fake_smtp import FakeSmtp

from omnicli.campaigns import startup
from omnicli.cli.main import run as omni
from omnicli.store import mounted

OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon"}
channels:
  email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
  sms: {provider: file}
contacts: {attributes: {first_name: {type: text, default: ""}}}
events: {signup: {form: text}}
guardrails: {quiet_hours: [], cap: {all: 9 per day}}
teams:
  conseil: {members: ["ines <ines@maisonlune.example>", paul]}
""".replace("  sms: {provider: file}\n", "")

CAMPAIGN = """
campaign: bienvenue
title: Bienvenue
why: because
owner: ines
enter: {when: signup}
messages:
  offre: {say: {fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: Bonjour, short: Bonjour, cta: Voir}}}
flow:
  - {send: offre, id: j0, by: email}
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return dict(found.get("result") or found.get("error") or {})


class Shop:
    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        (root / "campaigns").mkdir()
        (root / "templates").mkdir()
        (root / "omni.yaml").write_text(OMNI)
        (root / "campaigns" / "bienvenue.yaml").write_text(CAMPAIGN.lstrip())
        (root / "templates" / "email.html.j2").write_text("<html><body><p>{{ say.body }} {{ unsubscribe }}</p></body></html>")
        (root / "people.csv").write_text("id,first_name,email,ok\n1,Léa,lea@example.com,yes\n")
        (root / "map.yaml").write_text("id: id\nfirst_name: first_name\nemail: address.email\nok: consent.email\n")

    def __call__(self, *words: str, lang: str = "en") -> Said:
        self._capsys.readouterr()
        code = omni([*words, "-C", str(self.root), "--lang", lang])
        return Said(code, *self._capsys.readouterr())

    @property
    def live(self) -> Path:
        return self.root / ".omni" / "live.db"


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmtp]:
    with FakeSmtp() as fake:
        monkeypatch.setenv("OMNI_SMTP_HOST", fake.host)
        monkeypatch.setenv("OMNI_SMTP_PORT", str(fake.port))
        yield fake


@pytest.fixture
def shop(tmp_path: Path, mail: FakeSmtp, capsys: pytest.CaptureFixture[str]) -> Shop:
    found = Shop(tmp_path, capsys)
    said = found("contact", "import", str(tmp_path / "people.csv"), "--map", str(tmp_path / "map.yaml"), "--live", "--no-input")
    assert said.code == 0, said
    said = found("campaign", "start", "bienvenue", "--live", "--yes")
    assert said.code == 0, said
    assert "provider email ✔" in said.err
    return found


@pytest.mark.guards("hold")
@pytest.mark.sqlite_only(reason="a file put back; PostgreSQL is known by its timeline")
def test_a_backup_put_back_is_held_until_it_is_recovered(shop: Shop, mail: FakeSmtp) -> None:
    made = shop("db", "backup", "--live", "--json").result
    assert made["rows"] > 0
    assert shop("response", "add", "1", "signup", "--live").code == 0
    assert shop("campaign", "run", "bienvenue", "--live", "--confirm", "bienvenue").code == 0
    assert len(mail.accepted) == 1
    for end in ("-wal", "-shm"):
        Path(f"{shop.live}{end}").unlink(missing_ok=True)
    shutil.copy(made["file"], shop.live)

    for words in (("campaign", "run", "bienvenue"), ("schedule", "tick"), ("campaign", "start", "bienvenue", "--yes")):
        said = shop(*words, "--live", "--no-input")
        assert (said.code, said.err) == (
            4,
            "omni: the store is on hold: it was restored from a backup\n  → omni db recover --live\n",
        ), words
    assert "on hold" in shop("status", "--live").out
    assert shop("campaign", "plan", "bienvenue", "--live").code == 0
    assert shop("response", "add", "1", "signup", "--id", "again", "--live").code == 0  # what comes in is taken
    assert shop("db", "check", "--live").code == 1

    asked = shop("db", "recover", "--live", "--no-input", lang="fr")
    assert asked.code == 4
    assert "Continuer ?" in asked.err
    done = shop("db", "recover", "--live", "--yes", "--json")
    assert done.code == 3
    assert (done.result["why"], done.result["doubted"], done.result["unknown"] + done.result["parked"]) == ("restored", 1, 1)
    assert shop("db", "check", "--live").code == 0
    assert shop("campaign", "run", "bienvenue", "--live", "--no-input").code == 3  # nothing is due; one waits for a person
    assert len(mail.accepted) == 1
    assert shop("db", "recover", "--live", "--yes").code == 3  # again: nothing more is doubted
    assert len(mail.accepted) == 1


def test_an_upgrade_of_the_live_store_begins_with_a_backup(
    tmp_path: Path, mail: FakeSmtp, capsys: pytest.CaptureFixture[str]
) -> None:
    from omnicli.store import migrations

    shop = Shop(tmp_path, capsys)
    shop.live.parent.mkdir(mode=0o700)
    store = stores.blank_store(shop.live.parent, "live.db")
    with store.rebuild() as connection:
        migrations.upgrade(connection, "0001")
    store.close()
    refused = shop("campaign", "run", "bienvenue", "--live", "--no-input")
    assert (refused.code, "omni db upgrade --live" in refused.err) == (4, True)
    assert "CREATE TABLE account" in shop("db", "upgrade", "--live", "-n").out
    assert not (shop.root / ".omni" / "backups").exists()
    said = shop("db", "upgrade", "--live", "--json").result
    assert Path(said["backup"]).exists()
    assert shop("db", "check", "--live").code == 0


def test_a_start_is_refused_where_nothing_could_be_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMNI_SMTP_HOST", raising=False)
    shop = Shop(tmp_path, capsys)
    said = shop("campaign", "start", "bienvenue", "--live", "--yes")
    assert (said.code, "smtp has no server" in said.err) == (4, True)
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    if not stores.POSTGRESQL:  # its files are nobody's business here
        monkeypatch.setattr(mounted, "network", lambda _path: "nfs4")
        said = shop("campaign", "start", "bienvenue", "--live", "--yes", lang="fr")
        assert (said.code, "système de fichiers réseau (nfs4)" in said.err) == (4, True)
    monkeypatch.setattr(mounted, "network", lambda _path: None)
    monkeypatch.setattr(startup, "jinja_too_old", lambda: "3.1.5")
    assert "Jinja 3.1.5" in shop("campaign", "start", "bienvenue", "--live", "--yes").err
    monkeypatch.setattr(startup, "jinja_too_old", lambda: None)
    monkeypatch.setattr(startup, "header_fault", lambda: "the frame differs")
    assert "the frame differs" in shop("campaign", "start", "bienvenue", "--live", "--yes").err


def test_a_start_names_what_is_reached_elsewhere_and_what_will_not_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.x")
    monkeypatch.setenv("OMNI_SENDGRID_URL", "http://127.0.0.1:9")
    shop = Shop(tmp_path, capsys)
    section = 'providers: {sendgrid: {api_key: "${SENDGRID_API_KEY}", batch: 5}}\n'
    (tmp_path / "omni.yaml").write_text(OMNI.replace("provider: smtp", "provider: sendgrid") + section)
    said = shop("campaign", "start", "bienvenue", "--live", "--yes")
    assert (said.code, "blind" in said.err + said.out or "event_webhook_keys" in said.err) == (4, True)
    (tmp_path / "omni.yaml").write_text(
        OMNI.replace("provider: smtp", "provider: sendgrid") + section.replace("batch: 5", "batch: 1")
    )
    said = shop("campaign", "start", "bienvenue", "--live", "--yes")
    assert said.code == 0, said
    assert "sendgrid goes to http://127.0.0.1:9 (OMNI_SENDGRID_URL)" in said.err
    assert "no public_url: nobody learns from sendgrid" in said.err


# --- send-test ------------------------------------------------------------------------------------------------------
def test_a_test_goes_to_a_colleague_marked_and_as_nobodys_touch(shop: Shop, mail: FakeSmtp) -> None:
    said = shop("message", "send-test", "offre", "--to", "ines", "--live", "--contact", "1")
    assert (said.code, said.out) == (0, "[TEST] sent to ines@maisonlune.example by smtp.\n")
    (raw,) = mail.accepted
    read = message_from_bytes(raw, policy=default)
    assert (read["Subject"], read["To"]) == ("[TEST] Bonjour", "ines@maisonlune.example")
    store = stores.open_store(shop.live.parent, "live.db")
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM touch").scalar() == 0
        detail = connection.exec_driver_sql("SELECT detail FROM audit WHERE what = 'send-test'").scalar()
    store.close()
    assert detail == "bienvenue/offre email fr as 1 to ines@maisonlune.example: accepted"


@pytest.mark.parametrize("to", ["lea@example.com", "paul", "nobody"])
def test_nobody_else_gets_a_test(shop: Shop, mail: FakeSmtp, to: str) -> None:
    said = shop("message", "send-test", "offre", "--to", to, "--live")
    assert (said.code, "is no member of a team" in said.err) == (4, True)
    assert mail.accepted == []


def test_in_the_sandbox_a_test_is_a_page_and_a_dry_one_is_nothing(shop: Shop, mail: FakeSmtp) -> None:
    said = shop("message", "send-test", "offre", "--to", "ines@maisonlune.example", lang="fr")
    assert said.code == 0
    page = shop.root / said.out.split(": ", 1)[1].strip()
    assert "[TEST] Bonjour" in page.read_text()
    dry = shop("message", "send-test", "offre", "--to", "ines", "--live", "--dry-run")
    assert (dry.code, dry.out) == (0, "Nothing left. smtp would have carried it to ines@maisonlune.example.\n")
    assert mail.accepted == []


def test_a_server_that_refuses_a_test_says_why(shop: Shop, mail: FakeSmtp) -> None:
    mail.behave("rcpt", "550 5.1.1 no such user")
    said = shop("message", "send-test", "offre", "--to", "ines", "--live")
    assert (said.code, "no such user" in said.out) == (3, True)
