"""R12: backups of a store that is being written, one of them put back: HOLD, nothing sent again, and the rest goes after `db recover`; on both
stores (a copy of the file, and a dump that `pg_restore` puts into a schema made anew)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import postgres_server
import pytest
import stores
from fake_sendgrid import FakeSendGrid
from fake_smtp import FakeSmtp
from trials import looked

from omnicli.app import open_store
from omnicli.campaignfile import Loaded, load_project
from omnicli.campaigns import life, restored
from omnicli.campaigns import run as running
from omnicli.campaigns.hear import hear
from omnicli.errors import Exit, OmniError
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uid
from omnicli.model.response import Receipt, Response
from omnicli.providers import build, close
from omnicli.store import backups, consents, holding, keeping
from omnicli.store import tables as tb
from omnicli.store.connection import Store

DAY = datetime(2027, 1, 6, 10, 30, tzinfo=ZoneInfo("Europe/Paris"))
PEOPLE = 60

OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon"}
channels:
  email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
  letter: {provider: file, lead_time: 2 days}
contacts: {attributes: {first_name: text, orders: {type: number, default: 0}}}
events: {signup: {form: text}, purchase: {value: money EUR}}
guardrails: {quiet_hours: [], cap: {all: 50 per day, email: 50 per day, letter: 50 per day}}
"""

CAMPAIGN = """
campaign: bienvenue
title: Bienvenue
why: because
owner: ines
enter: {if: orders = 0}
messages:
  offre: {say: {fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: Bonjour, short: Bonjour, cta: Voir}}}
flow:
  - {send: offre, id: j0, by: email}
  - {wait: 1 day, id: repos}
  - {send: offre, id: j1, by: email}
  - {wait: 20 days, id: loin}
"""


class House:
    """A live project of its own, whose mail goes to a server on loopback."""

    def __init__(self, root: Path) -> None:
        (root / "campaigns").mkdir()
        (root / "templates").mkdir()
        (root / "omni.yaml").write_text(OMNI)
        (root / "campaigns" / "bienvenue.yaml").write_text(CAMPAIGN.lstrip())
        (root / "templates" / "email.html.j2").write_text("<html><body><p>{{ say.body }}</p></body></html>")
        self.loaded: Loaded = load_project(root)
        self.store: Store = open_store(self.loaded, live=True)

    def people(self, *numbers: int, after: timedelta = timedelta()) -> None:
        """Contacts with an address and a consent for e-mail."""
        ms = int((DAY + after).timestamp() * 1000)
        pepper = consents.pepper(self.store, "maison")
        with self.store.write() as connection:
            for n in numbers:
                reach = write_reach({"email": ChannelReach(True, True)})
                who = {
                    "uid": contact_uid("maison", f"c{n}"),
                    "source_id": f"c{n}",
                    "created_at": ms,
                    "changed_at": ms,
                    "reach": reach,
                }
                number = connection.execute(tb.contact.insert().values(**who, language="fr", country="FR")).inserted_primary_key[
                    0
                ]
                value = f"c{n}@example.com"
                connection.execute(tb.address.insert().values(contact_id=number, channel="email", value=value, norm=value,
                                                              hmac=consents.fingerprint(pepper, "email", value)))  # fmt: skip
                connection.execute(
                    tb.consent.insert().values(contact_id=number, channel="email", purpose="marketing", granted=1, at=ms)
                )
                connection.execute(tb.consent_log.insert().values(contact_id=number, channel="email", purpose="marketing", state="granted",
                                                                  at=ms, recorded_at=ms))  # fmt: skip
            connection.exec_driver_sql("UPDATE contact SET a_orders = 0")

    def start(self) -> None:
        life.start(self.store, self.loaded, "bienvenue", now=DAY)

    def run(self, after: timedelta = timedelta()) -> running.RunReport:
        return running.run(self.store, self.loaded, names=["bienvenue"], now=DAY + after, live=True)

    def put_back(self, copy: Path) -> None:
        """What a person does: stop, put the copy there, open again."""
        self.store.close()
        if self.store.path is None:
            _restored(copy, self.store.url)  # type: ignore[attr-defined]
            self.store = open_store(self.loaded, live=True)
            return
        for end in ("-wal", "-shm"):
            Path(f"{self.store.path}{end}").unlink(missing_ok=True)
        shutil.copy(copy, self.store.path)
        self.store = open_store(self.loaded, live=True)

    def recover(self, after: timedelta) -> restored.Recovered:
        providers = build(self.loaded, live=True)
        try:
            renderer = running.build_renderer(self.loaded, self.store, live=True)
            return restored.recovered(self.store, self.loaded, providers, renderer, now=DAY + after)
        finally:
            close(providers)

    def held(self) -> str | None:
        with self.store.read() as connection:
            return holding.held(connection)

    def states(self) -> Counter[tuple[str, str]]:
        with self.store.read() as connection:
            rows = connection.exec_driver_sql("SELECT step, send_state, count(*) FROM touch GROUP BY step, send_state")
            return Counter({(step, state): count for step, state, count in rows})

    def wrong(self, after: timedelta) -> list[str]:
        return [c.name for c in keeping.check(self.store, self.loaded.project, now=DAY + after) if c.wrong]


def _restored(copy: Path, url: str) -> None:
    """The schema away, and the dump into the same database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA omni_live CASCADE")
    folder = postgres_server.programs()
    program = str(folder / "pg_restore") if folder is not None else "pg_restore"
    subprocess.run([program, "--exit-on-error", f"--dbname={url}", str(copy)], check=True, capture_output=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the live store stands."""
    if request.param == "postgresql":
        request.getfixturevalue("on_postgresql")
        stores.url_of(tmp_path)  # which says so in OMNI_DATABASE
    else:
        monkeypatch.delenv("OMNI_DATABASE", raising=False)
    return str(request.param)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmtp]:
    with FakeSmtp() as fake:
        monkeypatch.setenv("OMNI_SMTP_HOST", fake.host)
        monkeypatch.setenv("OMNI_SMTP_PORT", str(fake.port))
        yield fake


@pytest.fixture
def house(kind: str, tmp_path: Path, mail: FakeSmtp) -> Iterator[House]:
    found = House(tmp_path)
    found.people(*range(PEOPLE))
    found.start()
    yield found
    found.store.close()


def under_load(house: House) -> list[Path]:
    """Backups taken by another connection while the first messages leave, each of them looked through as it is made."""
    other = open_store(house.loaded, live=True)
    made: list[Path] = []
    over = threading.Event()

    def copy() -> None:
        while not over.is_set():
            made.append(backups.backup(other, now=DAY))

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        house.run()
    finally:
        over.set()
        thread.join()
        other.close()
    return made


@pytest.mark.guards("hold")
def test_a_store_put_back_sends_nothing_again_and_the_rest_goes_after_recover(house: House, mail: FakeSmtp) -> None:
    copies = under_load(house)
    assert len(mail.accepted) == PEOPLE
    house.run(timedelta(days=1, hours=1))
    assert len(mail.accepted) == 2 * PEOPLE  # j0 and j1 of everybody
    house.put_back(copies[len(copies) // 2])
    assert house.held() == "restored"

    with pytest.raises(OmniError, match="on hold") as refused:
        house.run(timedelta(days=1, hours=2))
    assert refused.value.exit == Exit.REFUSED
    reply = Response("r1", "c1", "replied", DAY, "shop", payload={"text": "bonjour"})
    assert hear(house.store, house.loaded, [Receipt("shop", b"k" * 16, b"{}", reply, "r1")], now=DAY).new == 1

    done = house.recover(timedelta(days=2))
    assert (done.why, house.held()) == ("restored", None)
    assert done.doubted == done.parked == PEOPLE  # of each the one message that the copy does not know of
    assert house.wrong(timedelta(days=2)) == []

    house.people(PEOPLE, after=timedelta(days=2))
    assert house.run(timedelta(days=2)).accepted == 1
    assert house.run(timedelta(days=4)).accepted == 1
    assert mail.log.doubles() == {}
    assert len(mail.accepted) == 2 * PEOPLE + 2
    parked = sum(n for (_, state), n in house.states().items() if state == "parked")
    looked("restored", f"a backup under load, one of {len(copies)}", store=house.store.dialect, kills=0, people=PEOPLE + 1, reached=len(mail.accepted),
           doubles=len(mail.log.doubles()), lost=2 * PEOPLE + 2 - len(mail.accepted), parked=parked)  # fmt: skip
    assert parked == PEOPLE


@pytest.mark.guards("hold")
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_file_copied_by_hand_is_known_by_the_mark_beside_it(house: House, mail: FakeSmtp, tmp_path: Path) -> None:
    house.store.close()
    copy = tmp_path / "by-hand.db"
    shutil.copy(house.store.path, copy)  # closed, so that the file is whole; nobody had entered yet
    house.store = open_store(house.loaded, live=True)
    house.run()
    house.put_back(copy)
    assert house.held() == "older"
    with pytest.raises(OmniError, match="on hold"):
        house.run(timedelta(hours=1))
    done = house.recover(timedelta(hours=2))
    assert done.doubted == PEOPLE  # those whom the lost run had let in are let in, and doubted
    assert house.run(timedelta(hours=3)).accepted == 0
    assert len(mail.accepted) == PEOPLE
    with house.store.read() as connection:
        assert connection.exec_driver_sql("SELECT epoch FROM instance").scalar() == 2
    house.put_back(copy)
    assert house.held() == "older"  # the same copy again: of an older epoch


def test_what_can_be_done_again_is_not_doubted(tmp_path: Path, mail: FakeSmtp) -> None:
    house = House(tmp_path)
    letters = CAMPAIGN.lstrip().replace("by: email", "by: letter")
    (tmp_path / "campaigns" / "bienvenue.yaml").write_text(letters)
    (tmp_path / "templates" / "letter.html.j2").write_text("<p>{{ say.body }}</p>")
    house.loaded = load_project(tmp_path)
    with house.store.write() as connection:
        holding.hold(connection, "older")
    house.people(1)
    with house.store.write() as connection:
        connection.execute(tb.contact.update().values(reach=write_reach({"letter": ChannelReach(True, True)})))
    house.start()
    assert house.recover(timedelta(hours=1)).doubted == 0
    house.store.close()


def test_a_recovery_that_was_interrupted_is_run_again(house: House, mail: FakeSmtp, monkeypatch: pytest.MonkeyPatch) -> None:
    with house.store.write() as connection:
        holding.hold(connection, "copied")

    def cut(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restored, "_doubt", cut)
        with pytest.raises(KeyboardInterrupt):
            house.recover(timedelta(hours=1))
    assert house.held() == "copied"
    assert house.recover(timedelta(hours=2)).doubted == PEOPLE
    assert house.held() is None
    assert mail.accepted == []


def test_who_said_no_in_the_lost_time_is_asked_of_the_provider_before_anything_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.test")
    with FakeSendGrid() as fake:
        monkeypatch.setenv("OMNI_SENDGRID_URL", fake.url)
        monkeypatch.setitem(globals(), "OMNI", OMNI.replace("provider: smtp", "provider: sendgrid")
                            + 'providers: {sendgrid: {api_key: "${SENDGRID_API_KEY}", batch: 1}}\n')  # fmt: skip
        house = House(tmp_path)
        house.people(1, 2)
        with house.store.write() as connection:
            holding.hold(connection, "restored")
        fake.behave("refuse", status=503, on="any")
        with pytest.raises(OmniError):
            house.recover(timedelta(hours=1))
        assert house.held() == "restored"
        fake.reset()
        fake.lists["/v3/suppression/unsubscribes"] = [{"email": "c1@example.com", "created": int(DAY.timestamp())}]
        assert house.recover(timedelta(hours=1)).barred == 1
        assert house.held() is None
        house.start()
        house.run(timedelta(hours=2))
        assert fake.log.recipients() == ["c2@example.com"]
        house.store.close()
