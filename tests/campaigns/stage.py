"""A project, a store and a clock for tests of the deeds: YAML in, touches out. Delivery is acted by accepting what is planned."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from stores import memory_store, prepared_store, said

from omnicli import clock
from omnicli.campaignfile import Loaded, load_project
from omnicli.campaigns import versions
from omnicli.campaigns.enter import Entered, enter
from omnicli.campaigns.respond import Folded, fold
from omnicli.campaigns.turn import TurnReport, turn
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uid
from omnicli.model.response import Response
from omnicli.store import campaigns as stored
from omnicli.store import tables as tb
from omnicli.store import turns
from omnicli.store.columns import kind_of, to_column
from omnicli.store.consents import fingerprint, pepper
from omnicli.store.inbox import receive

PARIS = ZoneInfo("Europe/Paris")

OMNI = """
project: maison
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, price: 0.001 EUR}
  sms: {provider: twilio, price: 0.05 EUR}
  whatsapp: {provider: twilio, price: 0.08 EUR}
  voice: {provider: task, team: conseil}
  letter: {provider: file, lead_time: 4 days}
  qr: {provider: file}
  task: {provider: task, team: conseil}
contacts:
  attributes:
    first_name: text
    city: text
    orders: {type: number, default: 0}
    visits: number
    renewal: date
    basket: money EUR
    source: [instagram, google]
events:
  signup: {form: text}
  purchase: {value: money EUR, category: text}
webhooks:
  crm: {url: https://crm.example/hook}
teams:
  conseil: {members: [ines], hours: [monday-friday 09:00-18:00]}
sla:
  complaint: {first_response: 30 minutes, resolve: 48 hours, team: conseil}
personas:
  camille: {title: Camille, match: source = instagram, channels: [whatsapp, email], tone: {address: tu}}
  default: {title: Autres, channels: [email, sms]}
guardrails:
  quiet_hours: []
  cap: {all: 50 per day, email: 50 per day, sms: 50 per day, whatsapp: 50 per day, letter: 50 per day, qr: 50 per day, task: 50 per day, voice: 50 per day}
"""


def paris(text: str) -> datetime:
    """`2027-01-04 11:30` on the clocks of Paris."""
    return clock.read_instant(text, "Europe/Paris")


class Stage:
    """One project on disk, one store, and verbs that read like the product."""

    def __init__(self, folder: Path, *campaigns: str, omni: str = OMNI, file: bool = False, at: str = "2027-01-04 08:00") -> None:
        (folder / "campaigns").mkdir(parents=True, exist_ok=True)
        (folder / "omni.yaml").write_text(dedent(omni))
        self.folder = folder
        for text in campaigns:
            self.write(text)
        self.loaded: Loaded = self.load()
        self.store = (prepared_store if file else memory_store)(folder, self.loaded.project)
        self.now = paris(at)
        self.serial = itertools.count(1)
        for name in self.loaded.campaigns:
            self.start(name)

    def write(self, text: str) -> None:
        text = dedent(text).lstrip()
        name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("campaign:"))
        (self.folder / "campaigns" / f"{name}.yaml").write_text(text)

    def load(self) -> Loaded:
        loaded = load_project(self.folder)
        assert not [f for f in loaded.findings if f.severity == "error"], loaded.findings
        return loaded

    def start(self, name: str) -> None:
        with self.store.write() as connection:
            versions.apply(connection, self.loaded.campaigns[name], self.loaded.project, self.now)
            row = stored.find(connection, name)
            stored.change(connection, row.id, state="running", started_at=self.now, since=self.now)

    def rewrite(self, text: str) -> None:
        """The file changed and was applied."""
        self.write(text)
        self.loaded = self.load()
        with self.store.write() as connection:
            for campaign in self.loaded.campaigns.values():
                versions.apply(connection, campaign, self.loaded.project, self.now)

    def state(self, name: str, **columns: Any) -> None:
        with self.store.write() as connection:
            stored.change(connection, stored.find(connection, name).id, **columns)

    # --- people ---------------------------------------------------------------------------------------------------
    def person(
        self, name: str, *, consent: Sequence[str] = ("email",), addresses: Sequence[str] | None = None, **values: Any
    ) -> int:
        """A contact with addresses and consents; other keywords are attributes or built-in columns."""
        project = self.loaded.project
        reach = {c: ChannelReach(True, True if c in consent else None) for c in (addresses if addresses is not None else consent)}
        row: dict[str, Any] = {
            "uid": contact_uid(project.project, name), "source_id": name, "created_at": clock.to_ms(self.now),
            "changed_at": clock.to_ms(self.now), "attributes_at": clock.to_ms(self.now), "country": "FR", "time_zone": "Europe/Paris", "language": "fr", "reach": write_reach(reach),
        }  # fmt: skip
        for key, value in values.items():
            declared = project.contacts.attributes.get(key)
            if declared is None:
                row[key] = value
                continue
            stored_value, folded = to_column(kind_of(declared), value)
            row["a_" + key] = stored_value
            if folded is not None:
                row["f_" + key] = folded
        columns = ", ".join(row)
        with self.store.write() as connection:
            sql = f"INSERT INTO contact ({columns}) VALUES ({', '.join(':' + c for c in row)}) RETURNING id"
            id_ = connection.execute(sa.text(sql), row).scalar_one()
            key = pepper(self.store, project.project)
            for channel in reach:
                norm = f"{name}@{channel}"
                connection.execute(
                    sa.insert(tb.address).values(
                        contact_id=id_, channel=channel, value=norm, norm=norm, hmac=fingerprint(key, channel, norm)
                    )
                )
                if channel in consent:
                    connection.execute(
                        sa.insert(tb.consent).values(contact_id=id_, channel=channel, purpose="marketing", granted=1, at=0)
                    )
        return id_

    def says(
        self, who: str, name: str, *, at: str | None = None, id: str | None = None, source: str = "test", **fields: Any
    ) -> None:
        """Something came back: it waits in the inbox until the next fold."""
        when = paris(at) if at else self.now
        own = {k: fields.pop(k) for k in ("channel", "campaign", "message", "step", "touch", "machine") if k in fields}
        response = Response(id or f"r{next(self.serial)}", who, name, when, source=source, payload=fields, **own)
        with self.store.write() as connection:
            receive(connection, [response], now=max(self.now, when))

    # --- time -----------------------------------------------------------------------------------------------------
    def fold(self) -> Folded:
        return fold(self.store, self.loaded, now=self.now)

    def enter(self) -> Entered:
        return enter(self.store, self.loaded, now=self.now)

    def turn(self, **options: Any) -> TurnReport:
        return turn(self.store, self.loaded, now=self.now, **options)

    def run(self, at: str | None = None, *, outcome: str = "accepted", **options: Any) -> list[str]:
        """Live through one instant as `omni campaign run` does; what was accepted at it, `who channel message@step` each."""
        if at is not None:
            self.now = paris(at)
        before = self.settled()
        self.fold()
        for _ in range(20):
            self.enter()
            self.turn(**options)
            if not self.deliver(outcome):
                break
        return [line for line in self.settled() if line not in before]

    def deliver(self, outcome: str = "accepted", reason: str | None = None) -> int:
        """What delivery does to planned touches that are due, states and slots and all, without a provider."""
        ms = clock.to_ms(self.now)
        x = tb.touch.c
        with self.store.write() as connection:
            query = sa.select(x.id, x.contact_id, x.channel, x.purpose).where(x.send_state == "planned", x.due_at <= ms)
            due = connection.execute(query.order_by(x.priority, x.due_at, x.touch_key)).all()
            for id_, contact_id, channel, purpose in due:
                for state in ("claimed", "sending"):
                    connection.execute(
                        sa.update(tb.touch).where(x.id == id_).values(send_state=state, lease_by="t", lease_until=ms)
                    )
                why = reason or ("refused" if outcome == "rejected" else None)
                connection.execute(
                    sa.update(tb.touch)
                    .where(x.id == id_)
                    .values(send_state=outcome, reason=why, lease_by=None, lease_until=None, settled_at=ms)
                )
                if outcome == "accepted" and purpose == "marketing":
                    self._slots(connection, id_, contact_id, channel)
            if outcome != "unknown":
                turns.settle(connection, [(row[0], outcome, ms, None) for row in due])
        return len(due)

    def _slots(self, connection: sa.Connection, touch_id: int, contact_id: int, channel: str) -> None:
        s = tb.cap_slot.c
        day = self.now.astimezone(PARIS).date().isoformat()
        for rule in ("all", channel):
            taken = connection.scalar(
                sa.select(sa.func.count()).where(s.contact_id == contact_id, s.local_date == day, s.rule == rule)
            )
            connection.execute(sa.insert(tb.cap_slot).values(contact_id=contact_id, local_date=day, rule=rule, slot=taken + 1,
                                                             touch_id=touch_id, at=clock.to_ms(self.now)))  # fmt: skip

    # --- what became of it ------------------------------------------------------------------------------------------
    def settled(self) -> list[str]:
        return [line for line in self.touches() if " accepted" in line]

    def touches(self, who: str | None = None) -> list[str]:
        """`who step channel state[: reason] day hour` in order of their instants."""
        x, c = tb.touch.c, tb.contact.c
        query = sa.select(c.source_id, x.step, x.channel, x.send_state, x.reason, x.due_at, x.settled_at)
        query = query.join(tb.contact, c.id == x.contact_id).order_by(sa.func.coalesce(x.settled_at, x.due_at), c.source_id, x.id)
        with self.store.read() as connection:
            return [
                f"{name} {step} {channel} {state}{': ' + reason if reason else ''} {clock.from_ms(settled or due).astimezone(PARIS):%Y-%m-%d %H:%M}"
                for name, step, channel, state, reason, due, settled in connection.execute(query)
                if who is None or name == who
            ]

    def passes(self, who: str | None = None) -> list[str]:
        """`who campaign step-or-reason` of every pass."""
        e, c, g = tb.enrollment.c, tb.contact.c, tb.campaign.c
        query = sa.select(c.source_id, g.name, e.state, e.step, e.reason, e.held_by).join(tb.contact, c.id == e.contact_id)
        query = query.join(tb.campaign, g.id == e.campaign_id).order_by(c.source_id, g.name, e["pass"])
        with self.store.read() as connection:
            return [
                f"{name} {campaign} {'at ' + str(step) if state == 'open' else reason}{' held ' + held if held else ''}"
                for name, campaign, state, step, reason, held in connection.execute(query)
                if who is None or name == who
            ]

    def row(self, query: str, **parameters: Any) -> Any:
        with self.store.read() as connection:
            return connection.execute(sa.text(said(query)), parameters).one()

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        with self.store.read() as connection:
            return [tuple(row) for row in connection.execute(sa.text(said(query)), parameters)]

    def why(self, who: str) -> list[Mapping[str, Any]]:
        """The lines of the ledger about a person, oldest first."""
        sql = (
            "SELECT d.why FROM decision d JOIN enrollment e ON e.id = d.enrollment_id JOIN contact c ON c.id = e.contact_id "
            "WHERE c.source_id = :who AND d.why IS NOT NULL ORDER BY d.id"
        )
        return [line for (why,) in self.rows(sql, who=who) for line in json.loads(why)]


def a_campaign(flow: str, *, name: str = "bienvenue", enter: str = "{when: signup}", extra: str = "", messages: str = "") -> str:
    """A campaign file with this flow and one message `offre` that can be said everywhere."""
    head = f"campaign: {name}\ntitle: T\nwhy: W\nenter: {enter}\n"
    said = "messages:\n  offre:\n    say: {fr: {body: Bonjour, subject: Bonjour}, en: {body: Hello, subject: Hello}}\n    approved: {fr: a, en: a}\n"
    steps = "flow:\n" + "".join(f"  {line}\n" for line in dedent(flow).strip().splitlines())
    return head + (dedent(extra).strip() + "\n" if extra else "") + said + messages + steps
