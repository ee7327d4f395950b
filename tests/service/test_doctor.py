"""omni doctor: what is well, what is wrong, what mends it; and what it must never do: create, migrate, send."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from omnicli import clock
from omnicli.app import open_store
from omnicli.campaignfile import Loaded, load_project
from omnicli.cli.main import run as omni
from omnicli.engine import breaker
from omnicli.errors import OmniError
from omnicli.model.touch import Ready
from omnicli.service import doctor
from omnicli.service.doctor.installation import wal_reset_bug
from omnicli.store import accounts, backups, holding, room, setting
from omnicli.store import tables as tb

NOW = datetime(2027, 1, 6, 10, 30, tzinfo=ZoneInfo("Europe/Paris"))

OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>"}
providers:
  smtp: {host: 127.0.0.1, tls: none}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.delenv("OMNI_SMTP_HOST", raising=False)
    monkeypatch.setattr("shutil.which", lambda name, *_a, **_k: None if name == "crontab" else f"/usr/bin/{name}")
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "omni.yaml").write_text(OMNI)
    return load_project(tmp_path)


def signs(loaded: Loaded, *, live: bool = True, **options: Any) -> dict[str, doctor.Sign]:
    found = doctor.examine(loaded, now=NOW, live=live, **options)
    return {sign.name: sign for sign in found}


def wrong(found: dict[str, doctor.Sign]) -> set[str]:
    return {name for name, sign in found.items() if sign.state == doctor.WRONG}


def test_a_healthy_project_has_nothing_wrong_and_nothing_is_created(loaded: Loaded) -> None:
    found = signs(loaded)
    assert wrong(found) == set()
    assert {"python", "packages", "sqlite", "zones", "headers", "project", "store", "dns"} <= set(found)
    assert found["store"].state == doctor.NOTE
    assert not (loaded.root / ".omni").exists()
    open_store(loaded, live=True).close()
    found = signs(loaded)
    assert wrong(found) == set()
    assert found["store"].text == "live.db writable, intact, 0 contacts"
    assert (found["tick"].state, found["tick"].fix) == (doctor.NOTE, "omni schedule install --cron --write --live")
    assert found["backup"].fix == "omni db backup --live"


def test_whatever_keeps_a_store_from_sending_is_wrong_and_says_what_to_do(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(loaded, live=True)
    with store.write() as connection:
        holding.hold(connection, "older")
    store.close()
    (store.path.parent / "keys").unlink()
    store.path.chmod(0o644)
    monkeypatch.setattr(room, "usage", lambda _folder: (10**12, 10**12 - 10**6, 10**6))
    found = signs(loaded)
    assert wrong(found) == {"hold", "keys", "privacy", "room"}
    assert "an older copy was put back" in found["hold"].text
    assert found["hold"].fix == "omni db recover --live"


SCENARIO = """
start: 2027-01-04 09:00
scenarios:
  - name: nobody
    given: []
    story:
      - expect: 0 people
"""


def test_what_lint_finds_in_tests_is_counted_as_lint_counts_it(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    (loaded.root / "campaigns" / "noel.test.yaml").write_text(SCENARIO)
    omni(["-C", str(loaded.root), "--json", "lint"])
    lint = json.loads(capsys.readouterr().out)["result"]
    errors = sum(one["severity"] == "error" for one in lint["findings"])
    assert errors
    sign = signs(load_project(loaded.root))["project"]
    assert (sign.state, sign.fix) == (doctor.WRONG, "omni lint")
    assert f", {errors} error" in sign.text


def test_in_production_a_warning_keeps_a_campaign_from_starting_and_is_wrong(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    (loaded.root / "omni.yaml").write_text(OMNI + "segments: {nobody: signup}\nlint: {profile: production}\n")
    assert omni(["-C", str(loaded.root), "--json", "lint"]) == 1
    counted = json.loads(capsys.readouterr().out)["result"]["summary"]
    assert (counted["errors"], counted["warnings"] > 0) == (0, True)
    sign = signs(load_project(loaded.root))["project"]
    assert (sign.state, sign.fix) == (doctor.WRONG, "omni lint")
    assert f"0 errors, {counted['warnings']} warning" in sign.text


def test_a_file_that_is_no_database_is_named(loaded: Loaded) -> None:
    (loaded.root / ".omni").mkdir(mode=0o700)
    (loaded.root / ".omni" / "live.db").write_bytes(b"not a database at all" * 100)
    assert "store" in wrong(signs(loaded))


def test_a_migration_that_waits_is_not_carried_out(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    store.close()
    found = signs(loaded)
    assert found["schema"].fix == "omni db upgrade --live"
    assert wrong(found) == {"schema"}


def test_backups_ticks_and_doubts_are_told_by_their_age(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    backups.backup(store, now=NOW - timedelta(days=9))
    ms = clock.to_ms(NOW - timedelta(hours=3))
    with store.write() as connection:
        setting.put(connection, "last_run_ended", str(clock.to_ms(NOW - timedelta(minutes=20))))
        rows = {"id": 1, "uid": b"u", "source_id": "c1", "created_at": ms, "changed_at": ms}
        connection.execute(tb.contact.insert().values(**rows))
        connection.execute(tb.campaign.insert().values(id=1, name="noel", state="running"))
        connection.execute(tb.campaign_version.insert().values(id=1, campaign_id=1, number=1, hash="h", tree="{}", applied_at=ms))
        connection.execute(tb.enrollment.insert().values({"id": 1, "key": b"k", "contact_id": 1, "campaign_id": 1, "version_id": 1, "pass": 1,
                                                          "entered_at": ms, "language": "fr", "since": ms, "state": "open"}))  # fmt: skip
        connection.execute(tb.touch.insert().values(id=1, touch_key=b"t", contact_id=1, enrollment_id=1, version_id=1, step="j0", message="m",
                                                    channel="email", purpose="marketing", priority=5, due_at=ms, expires_at=ms,
                                                    send_state="parked", created_at=ms))  # fmt: skip
        connection.execute(
            tb.handover.insert().values(id=1, provider="smtp", account="a", size=1, started_at=ms, outcome="unknown")
        )
        connection.execute(tb.attempt.insert().values(touch_id=1, n=1, handover_id=1, fence=1, outcome="unknown", address_hash=b"", body_sha256=b"",
                                                      started_at=ms))  # fmt: skip
    store.close()
    found = signs(loaded)
    assert wrong(found) == set()
    assert found["backup"].text == "last backup 9 days ago"
    assert found["tick"].state == doctor.WELL
    assert found["unknown"].text == "1 touch unknown or parked, for 3 h"
    late = {sign.name: sign for sign in doctor.examine(loaded, now=NOW + timedelta(hours=2), live=True)}
    assert late["tick"].state == doctor.WRONG
    assert "nothing calls the tick" in late["tick"].text


def test_a_silent_webhook_is_worth_a_word(loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.key")
    (tmp_path / "omni.yaml").write_text(
        OMNI.replace("provider: smtp,", "provider: sendgrid,").replace(
            "smtp: {host: 127.0.0.1, tls: none}", 'sendgrid: {api_key: "${SENDGRID_API_KEY}", batch: 1}'
        )
    )
    loaded = load_project(tmp_path)
    store = open_store(loaded, live=True)
    at = clock.to_ms(NOW - timedelta(days=2))
    with store.write() as connection:
        connection.execute(
            tb.handover.insert().values(id=1, provider="sendgrid", account="a", size=1, started_at=at, outcome="accepted")
        )
        connection.execute(
            tb.inbox.insert().values(provider="sendgrid", dedup_key=b"k", received_at=at - 9 * 86_400_000, folded_at=at)
        )
    store.close()
    found = signs(loaded)
    assert found["webhook"].state == doctor.NOTE
    assert found["webhook"].text == "email: webhook seen not for 11 days (receipts missing)"


def test_a_provider_that_answers_again_is_taken_up_again(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli.providers import build, close

    providers = build(loaded, live=True)
    account = str(getattr(providers["email"], "account", "smtp"))
    close(providers)
    store = open_store(loaded, live=True)
    with store.write() as connection:
        accounts.save(connection, "smtp", account, breaker.Account(state="open", why="535 no", needs_person=True))
    found = signs(loaded)
    assert wrong(found) == {"breaker"}
    assert found["breaker"].fix == "omni doctor --live --provider smtp"
    monkeypatch.setattr(doctor.carriers if hasattr(doctor, "carriers") else __import__("omnicli.service.doctor.carriers", fromlist=["x"]), "ready",
                        lambda *_a, **_k: told)  # fmt: skip
    told = [("smtp", Ready("smtp login", False, "535 no"))]
    assert "left alone" in signs(loaded, provider="smtp")["breaker"].text
    told = [
        ("smtp", Ready("smtp login", True, "relay")),
        ("smtp", Ready("smtp bounces", False, "/no/such/box")),
    ]  # it only hears less
    assert signs(loaded, provider="smtp")["breaker"].text == "smtp is taken up again"
    with store.read() as connection:
        assert accounts.load(connection, "smtp", account).state == "closed"
    with store.write() as connection:  # the account of a key that was replaced: nobody calls it, and nobody could mend it
        accounts.save(connection, "smtp", "replaced", breaker.Account(state="open", why="535 no", needs_person=True))
    assert "breaker" not in signs(loaded)
    store.close()
    with pytest.raises(OmniError, match="no channel goes by 'stmp'"):
        signs(loaded, provider="stmp")


def test_fix_closes_what_others_can_read_and_nothing_else(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(loaded, live=True)
    backups.backup(store, now=NOW)
    store.close()
    folder = loaded.root / ".omni"
    (folder / "schema").mkdir(exist_ok=True)
    (folder / "schema" / "campaign.json").write_text("{}")
    (folder / "schema" / "campaign.json").chmod(0o644)
    folder.chmod(0o755)
    for path in (folder / "live.db", folder / "keys", *(folder / "backups").iterdir()):
        path.chmod(0o644)
    assert omni(["doctor", "--fix", "--live", "--json", "-C", str(loaded.root)]) == 0
    said = json.loads(capsys.readouterr().out)["result"]
    assert len(said["mended"]) == 5
    assert {oct(p.stat().st_mode)[-3:] for p in (folder / "live.db", folder / "keys", *(folder / "backups").iterdir())} == {"600"}
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert oct((folder / "schema" / "campaign.json").stat().st_mode)[-3:] == "644"


def test_the_sandbox_needs_no_cron_no_provider_and_no_name_server(loaded: Loaded) -> None:
    found = signs(loaded, live=False)
    assert wrong(found) == set()
    assert not {"tick", "dns", "backup", "keys"} & set(found)


def test_outside_of_a_project_it_still_looks_at_the_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nothing").mkdir()
    assert omni(["doctor", "-C", str(tmp_path / "nothing"), "--lang", "fr"]) == 1
    said = capsys.readouterr().out
    assert "✔ omni" in said
    assert "omni init" in said
    assert "Un point ne va pas." in said


@pytest.mark.parametrize(
    ("linked", "bad"),
    [((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 45, 0), True), ((3, 50, 6), True),
     ((3, 50, 7), False), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 54, 1), False)],
)  # fmt: skip
def test_the_versions_of_sqlite_with_the_wal_reset_bug_are_known(linked: tuple[int, int, int], bad: bool) -> None:
    assert wal_reset_bug(linked) == bad


# --- name servers ---------------------------------------------------------------------------------------------------
RECORDS = {
    "maisonlune.example.": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"], "MX": ["10 mx.maisonlune.example."]},
    "mx.maisonlune.example.": {"A": ["192.0.2.7"]},
    "s1._domainkey.maisonlune.example.": {"TXT": ["v=DKIM1; k=rsa; p=MIGfMA0"]},
    "_dmarc.maisonlune.example.": {"TXT": ["v=DMARC1; p=quarantine"]},
    "open.example.": {"TXT": ["v=spf1 +all"]},
    "_dmarc.open.example.": {"TXT": ["v=DMARC1; p=none"]},
}


class NameServer(socketserver.BaseRequestHandler):
    """Answers from RECORDS; whatever is not there does not exist."""

    def handle(self) -> None:
        import dns.message
        import dns.rcode
        import dns.rrset

        data, sock = self.request
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        asked = question.question[0]
        name, kind = asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)
        values = RECORDS.get(name, {}).get(kind, [])
        if name not in RECORDS and not any(known.endswith("." + name) for known in RECORDS):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif values:
            texts = [f'"{v}"' for v in values] if kind == "TXT" else values
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *texts))
        sock.sendto(answer.to_wire(), self.client_address)


@pytest.fixture
def resolver() -> Iterator[Any]:
    pytest.importorskip("checkdmarc", reason="checkdmarc is not installed (omni[dns])")
    import dns.resolver

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), NameServer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port, found.lifetime = ["127.0.0.1"], server.server_address[1], 2.0
        yield found
        server.shutdown()
        thread.join()


def test_the_records_of_the_senders_domain_are_read(loaded: Loaded, resolver: Any) -> None:
    found = signs(loaded, online=True, resolver=resolver)
    assert {name: found[name].state for name in ("spf", "dkim", "dmarc", "mx")} == dict.fromkeys(
        ("spf", "dkim", "dmarc", "mx"), doctor.WELL
    )
    assert found["dkim"].text == "DKIM maisonlune.example: key s1"
    assert found["dmarc"].text == "DMARC maisonlune.example: p=quarantine"


def test_a_domain_that_lets_anybody_send_is_wrong(loaded: Loaded, resolver: Any) -> None:
    found = signs(loaded, online=True, domains=["open.example"], resolver=resolver)
    assert (found["spf"].state, found["dmarc"].state, found["dkim"].state, found["mx"].state) == (
        doctor.WRONG, doctor.NOTE, doctor.NOTE, doctor.WRONG,
    )  # fmt: skip
    missing = signs(loaded, online=True, domains=["nobody.example"], resolver=resolver)
    assert missing["spf"].text == "SPF nobody.example: no such domain"


def test_without_the_extra_the_rest_is_looked_at_all_the_same(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "checkdmarc", None)
    found = signs(loaded, online=True)
    assert (found["dns"].state, found["dns"].fix) == (doctor.NOTE, f"{sys.executable} -m pip install checkdmarc")
    assert "project" in found


def test_offline_no_name_server_is_asked(loaded: Loaded) -> None:
    assert signs(loaded)["dns"].fix == "omni doctor --online --live"
    assert os.environ.get("OMNI_SMTP_HOST") is None
