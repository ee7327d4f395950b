"""Sixty days of Maison Lune: the real base, five campaigns of the test's own, answers by a seeded function of each touch.

`Season` lives one store by the same deeds as the command line (`life.start`, `run.run` as a tick); it knows nothing of how
omni decides. What left is kept by a wire of the test's own in front of the sandbox provider: the judge believes only that.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from stores import open_store, said

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.campaigns import life
from omnicli.campaigns import run as running
from omnicli.campaigns.run import RunReport
from omnicli.model.response import Response
from omnicli.model.touch import Handed, Outcome
from omnicli.people.imports import import_contacts
from omnicli.people.mapping import read_map
from omnicli.providers.sandbox import open_sandbox
from omnicli.render.renderer import Renderer
from omnicli.store import campaigns as stored
from omnicli.store.inbox import receive
from omnicli.store.preparing import prepare

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTACTS = ROOT / "../shared/data/contacts/maison-lune-contacts.csv"
RESPONSES = ROOT / "../shared/data/contacts/maison-lune-responses.jsonl"
PARIS = ZoneInfo("Europe/Paris")

#: Sixty days with the end of summer time (25 October) and two public holidays of France (1 November, a Sunday; 11 November).
BEGIN, DAYS = datetime(2026, 9, 21, tzinfo=PARIS), 60
#: Ticks fall into the night and on Sundays too: it is omni that must keep still. The days take turns.
HOURS = (((9, 30), (22, 15)), ((16, 0),), ((6, 45), (18, 30)))

OMNI = """
project: maison-lune-saison
languages: [fr, en]
countries: [FR, RE, CA, GB]
time_zone: Europe/Paris
currency: EUR
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon", privacy: https://maisonlune.example/vie-privee}
channels:
  email:     {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
  sms:       {provider: twilio, from: LUNE, stop: 36180, price: 0.05 EUR}
  whatsapp:  {provider: twilio, from: "+33639980012", price: 0.08 EUR}
  messenger: {provider: twilio, price: 0.01 EUR}
  voice:     {provider: task, team: boutique, price: 2.50 EUR}
  push:      {provider: push, price: 0.001 EUR}
  letter:    {provider: file, price: 1.40 EUR, lead_time: 4 days}
contacts:
  attributes:
    title: text
    first_name: text
    last_name: text
    birth_date: date
    birth_month: number
    age: number
    enrolled_on: date
    education: text
    marital_status: text
    income: number
    children: number
    recency_days: number
    spend: number
    purchases_deals: number
    purchases_web: number
    purchases_catalog: number
    purchases_store: number
    web_visits_month: number
    accepted: number
    accepted_last: yes or no
    calls: {type: number, default: 0}
events:
  purchase: {value: money EUR, place: code, aisle: code}
  visit: {place: code, via: code}
teams:
  boutique: {members: [ines], hours: [monday-friday 10:00-19:00]}
sla:
  complaint: {first_response: 1 day, resolve: 5 days, team: boutique}
schedule: {catch_up: 24 hours}
guardrails:
  quiet_hours: [20:00-09:00, sunday, holidays]
  cap: {all: 3 per week, email: [1 per day, 2 per week], sms: 2 per 30 days, whatsapp: 1 per week, letter: 1 per 30 days, voice: 1 per 30 days, push: 1 per day}
  min_gap: 16 hours
  at_cap: wait up to 2 days, else next channel
"""

_WORDS = """
    say:
      fr: {subject: "Bonjour {first_name or \\"à vous\\"}", preheader: "Un mot", headline: "La lune", body: "%(fr)s", short: "%(fr)s", cta: Voir, script: "%(fr)s", ps: Bises}
      en: {subject: "Hello {first_name or \\"there\\"}", preheader: "A word", headline: "The moon", body: "%(en)s", short: "%(en)s", cta: See, script: "%(en)s", ps: Love}
"""


def _message(name: str, fr: str, en: str, facts: str = "") -> str:
    link = f"https://maisonlune.example/{name}"
    return f"  {name}:\n    facts: {{link: {link}{facts}}}\n    approved: {{fr: {name}_fr, en: {name}_en}}" + _WORDS % {
        "fr": fr,
        "en": en,
    }


AUTOMNE = (
    """
campaign: automne
title: La collection d'automne
goal: {when: purchase, within: 45 days, value: value}
holdout: 10 %
enter:
  at: 2026-09-22 08:00
  if: reachable.email or reachable.sms or reachable.whatsapp
exit:
  - {when: "replied where (keyword = non)", as: said no}
messages:
"""
    + _message(
        "nouveaute",
        "La collection est là: {offer} jusqu'au {end}.",
        "It is here: {offer} until {end}.",
        ", offer: 10 %, end: 40 days after enter",
    )
    + _message("guide", "Le guide des senteurs.", "The scent guide.")
    + """
flow:
  - {send: nouveaute, id: a0, by: email, else: [sms, whatsapp], at: next 10:00}
  - wait: up to 3 days
    id: a-rep
    for:
      clicked:
        - {send: guide, id: a-clic, by: preferred, else: [email, sms]}
      replied where (keyword in (oui, yes)):
        - {send: guide, id: a-oui, by: whatsapp, else: [sms, email], at: next 11:00}
      replied:
        - {send: guide, id: a-autre, by: email}
      nothing:
        - split:
            sms: {share: 50 %, do: [{send: nouveaute, id: a-sms, by: sms, else: [whatsapp]}]}
            lettre:
              share: 30 %
              do:
                - {send: nouveaute, id: a-lettre, by: letter, else: [push]}
                - wait: up to 6 days
                  id: a-scan
                  for:
                    scanned: [{set: {calls: +1}, id: a-compte}]
                    nothing: [{send: guide, id: a-muet, by: push, else: [email]}]
            temoin: {share: 20 %, do: []}
          id: a-bras
          measure: purchase
  - {wait: 4 days, id: a-pause}
  - choose:
      - if: spend >= 1200
        do: [{send: nouveaute, id: a-appel, by: voice, kind: call, team: boutique, due: 2 days, else: [letter]}]
      - else:
          - {send: guide, id: a-fin, by: email, at: best hour, if: not clicked guide}
    id: a-choix
  - {wait: 10 days, id: a-repos}
  - {send: nouveaute, id: a-adieu, by: preferred, else: [email, sms, whatsapp], at: 5 days before nouveaute.end at 10:00}
"""
)

PANIER = (
    """
campaign: panier
title: Vous êtes passée nous voir
goal: {when: purchase, within: 14 days, value: value}
holdout: 10 %
priority: 2
enter:
  when: "visit where (place = web)"
  if: reachable.email or reachable.push
  again: after 10 days
guardrails:
  cap: {email: 1 per 5 days}
  at_cap: skip
messages:
"""
    + _message("rappel", "Votre panier vous attend.", "Your basket is waiting.")
    + """
flow:
  - {wait: 3 hours, id: p-souffle}
  - {send: rappel, id: p1, by: preferred, else: [email, push]}
  - wait: up to 2 days
    id: p-rep
    for:
      clicked: []
      nothing: [{send: rappel, id: p2, by: push, else: [sms, email]}]
  - {wait: 2 days, id: p-fin}
  - {send: rappel, id: p3, by: email, else: [sms], if: not clicked rappel}
"""
)

RELANCE_HEAD = (
    """
campaign: relance
title: Cela fait longtemps
goal: {when: purchase, within: 30 days, value: value}
holdout: 10 %
priority: 7
enter:
  every: monday 08:00
  if: not purchase within 60 days and (reachable.sms or reachable.whatsapp or reachable.email)
  again: after 21 days
guardrails:
  budget: BUDGET EUR
  max_delay: 4 days
messages:
"""
    + _message("retour", "Vous nous manquez: {gift} offerts.", "We miss you: {gift} off.", ", gift: 5 EUR")
    + """
flow:
  - {send: retour, id: r1, by: sms, else: [whatsapp, email], at: next 12:00}
"""
)
RELANCE = (
    RELANCE_HEAD
    + """
  - wait: up to 4 days
    id: r-rep
    for:
      replied: []
      nothing: [{send: retour, id: r2, by: email, else: [sms]}]
  - {wait: 12 days, id: r-repos}
  - {send: retour, id: r3, by: email}
"""
)
#: The same campaign, edited while people are inside: no second touch by silence, another last step.
RELANCE_EDITED = (
    RELANCE_HEAD
    + """
  - {wait: 6 days, id: r-long}
  - {send: retour, id: r4, by: email, else: [whatsapp]}
"""
)

MERCI = (
    """
campaign: merci
title: Merci de votre commande
purpose: transactional
enter: {when: purchase, again: always}
messages:
"""
    + _message("recu", "Votre commande est confirmée.", "Your order is confirmed.")
    + """
flow:
  - {send: recu, id: m1, by: email}
"""
)

CAMPAIGNS = {"automne": AUTOMNE, "panier": PANIER, "relance": RELANCE, "merci": MERCI}

#: What a person does to the running campaigns, by day from 0 and before the tick of that hour.
STORY: dict[tuple[int, tuple[int, int]], tuple[str, str]] = {
    (18, (9, 30)): ("pause", "panier"),
    (22, (16, 0)): ("resume", "panier"),
    (24, (9, 30)): ("edit", "relance"),
    (48, (22, 15)): ("stop", "panier"),
}


def instants(days: int = DAYS) -> list[datetime]:
    """Every tick of the season, UTC."""
    return [
        (BEGIN + timedelta(days=day)).replace(hour=hour, minute=minute).astimezone(UTC)
        for day in range(days)
        for hour, minute in HOURS[day % 3]
    ]


# --- what comes back ------------------------------------------------------------------------------------------------
def draw(*names: object) -> float:
    """A number in [0, 1) that hangs on the names alone."""
    digest = hashlib.blake2b("|".join(map(str, names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, order=True)
class Letter:
    """A response on its way: it happens at `at` and reaches the inbox with the first tick from `arrives` on."""

    arrives: datetime
    id: str
    response: Response = field(compare=False)


#: Who answers what: cumulated shares of the touches that reached somebody.
MOODS = (
    (0.16, "click"), (0.18, "quick click"), (0.20, "click without a key"), (0.22, "late click"), (0.235, "yes"), (0.25, "no"), (0.265, "words"),
    (0.285, "stop"), (0.293, "unsubscribe"), (0.298, "leave all"), (0.303, "spam"), (0.309, "bounce"), (0.314, "complain"),
    (0.36, "buy"), (0.39, "machine"), (0.40, "scan"),
)  # fmt: skip


def answers(touch: Handed, at: datetime) -> list[Letter]:
    """What one touch brings back, by the hash of its key: the same in every store."""
    if touch.purpose != "marketing":
        return []
    chance = draw("mood", touch.touch)
    mood = next((word for edge, word in MOODS if chance < edge), None)
    after = timedelta(minutes=int(draw("when", touch.touch) * 5400) + 1)  # up to 3.75 days: also past the ends of waits
    late = timedelta(hours=int(draw("late", touch.touch) * 20) if draw("is late", touch.touch) < 0.3 else 0)
    says: list[tuple[str, timedelta, dict[str, Any], str | None, bool]] = []
    match mood:
        case "click":
            says = [("clicked", after, {}, touch.touch, False)]
        case "quick click":
            says = [("clicked", timedelta(0), {}, touch.touch, False), ("clicked", timedelta(minutes=3), {}, touch.touch, False)]
        case "click without a key":
            says = [("clicked", after, {}, None, False)]
        case "late click":
            says = [("clicked", timedelta(days=2, hours=22), {}, touch.touch, False)]
            late = timedelta(hours=9)
        case "yes" | "no" | "words" | "stop":
            text = {"yes": "Oui, merci", "no": "Non merci", "words": "Livrez-vous à Noël ?", "stop": "Stop."}[mood]
            says = [("replied", after, {"text": text}, touch.touch, False)]
        case "unsubscribe":
            says = [("unsubscribed", after, {}, touch.touch, False)]
        case "leave all":
            says = [("unsubscribed", after, {}, None, False)]
        case "spam":
            says = [("complained", after, {}, touch.touch, False)]
        case "bounce":
            says = [("bounced", timedelta(minutes=20), {"kind": "hard"}, touch.touch, False)]
        case "complain":
            says = [("complaint", after, {"about": "service"}, None, False)]
        case "buy":
            says = [
                ("clicked", after, {}, touch.touch, False),
                (
                    "purchase",
                    after + timedelta(minutes=7),
                    {"value": "39.90", "currency": "EUR", "place": "web", "aisle": "gold"},
                    None,
                    False,
                ),
            ]
        case "machine":
            says = [("clicked", timedelta(minutes=1), {}, touch.touch, True)]
        case "scan":
            says = [("scanned", after, {}, touch.touch, False)]
    found = []
    for n, (name, delay, payload, key, machine) in enumerate(says):
        channel = touch.channel if mood not in ("leave all", "complain") and name != "purchase" else None
        response = Response(f"{touch.touch[:20]}-{n}", touch.contact, name, at + delay, source="season", channel=channel, touch=key,
                            machine=machine, payload=payload)  # fmt: skip
        found.append(Letter(at + delay + late + timedelta(milliseconds=1), response.id, response))
        if draw("twice", touch.touch) < 0.2:  # providers tell things twice
            found.append(Letter(at + delay + late + timedelta(hours=30), response.id, response))
    return found


def history() -> list[Letter]:
    """The responses of the data: each arrives when it happened (275 stand out of order, 98 twice)."""
    found = []
    for line in RESPONSES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        at = datetime.fromisoformat(row.pop("at"))
        id_, who, kind = row.pop("id"), row.pop("contact"), row.pop("kind")
        own = {key: row.pop(key) for key in ("channel", "campaign") if key in row}
        if "value" in row:
            row["value"] = f"{row['value']:.2f}"
        found.append(Letter(at, id_, Response(id_, who, kind, at, source="data", payload=row, **own)))
    return found


# --- the wire -------------------------------------------------------------------------------------------------------
@dataclass
class Wire:
    """Keeps what left, and hands it on to the sandbox (or accepts it, when there is none)."""

    behind: Any = None
    name: str = "sandbox"
    channels: tuple[str, ...] = ()
    batch: int = 1000
    repeatable: bool = True
    account: str = "sandbox"
    handed: list[tuple[datetime, Handed]] = field(default_factory=list)

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        self.handed += [(now, one) for one in handed]
        if self.behind is not None:
            return self.behind.send(handed, now=now)  # type: ignore[no-any-return]
        return [Outcome("accepted", ref=f"wire-{one.touch}") for one in handed]

    def close(self) -> None:
        if self.behind is not None:
            self.behind.close()


# --- the season -----------------------------------------------------------------------------------------------------
class Season:
    """One store that lives. `shuffle` is the seed by which contacts and each batch of responses are put in another order."""

    def __init__(self, folder: Path, *, people: int | None = None, shuffle: int | None = None, sandbox: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "campaigns").mkdir()
        (folder / "omni.yaml").write_text(OMNI, encoding="utf-8")
        self.folder, self.budget = folder, max(1, (people or 2240) // 150)
        for name, text in CAMPAIGNS.items():
            self.write(name, text)
        shutil.copytree(ROOT / "templates", folder / "templates")
        self.order = random.Random(shuffle) if shuffle is not None else None
        self.loaded = load_project(folder)
        assert not self.loaded.errors(), [f"{f.place.file}:{f.place.line}: {f.code} {f.message}" for f in self.loaded.errors()]
        self.store = open_store(folder)
        prepare(self.store, self.loaded.project)
        self.renderer = Renderer(folder, self.loaded.project)
        behind = open_sandbox(self.loaded.project, {}, folder, live=False) if sandbox else None
        self.wire = Wire(behind, channels=tuple(self.loaded.project.channels))
        self.coming: list[tuple[datetime, str, int, Letter]] = []
        self.serial = itertools.count()
        self.arrived: list[tuple[datetime, Response]] = []
        self.reports: list[RunReport] = []
        self.seen = 0
        self.now = BEGIN.astimezone(UTC)
        self._import(people)
        self.post(history())

    # --- before -----------------------------------------------------------------------------------------------------
    def write(self, name: str, text: str) -> None:
        (self.folder / "campaigns" / f"{name}.yaml").write_text(
            text.lstrip().replace("BUDGET", str(self.budget)), encoding="utf-8"
        )

    def _import(self, people: int | None) -> None:
        head, *lines = CONTACTS.read_text(encoding="utf-8").splitlines(keepends=True)
        if people is not None:
            lines = [line for line in lines if draw("sample", line.split(",")[0]) < people / len(lines)]
        lines = list({line.split(",")[0]: line for line in reversed(lines)}.values())[
            ::-1
        ]  # of an id that comes twice, the first
        if self.order is not None:
            self.order.shuffle(lines)
        file = self.folder / "contacts.csv"
        file.write_text(head + "".join(lines), encoding="utf-8")
        mapping = read_map(HERE / "contacts.map.yaml", self.loaded.project)
        self.imported = import_contacts(self.store, self.loaded, file, mapping=mapping, now=self.now)

    # --- time -------------------------------------------------------------------------------------------------------
    def post(self, letters: Iterable[Letter]) -> None:
        for letter in letters:
            heapq.heappush(self.coming, (letter.arrives, letter.id, next(self.serial), letter))

    def deliver(self) -> None:
        """Whatever has arrived by now lies in the inbox."""
        batch: list[Response] = []
        while self.coming and self.coming[0][0] <= self.now:
            batch.append(heapq.heappop(self.coming)[3].response)
        if self.order is not None:
            self.order.shuffle(batch)
        self.arrived += [(self.now, response) for response in batch]
        if batch:
            with self.store.write() as connection:
                receive(connection, batch, now=self.now)

    def alive(self) -> list[str]:
        with self.store.read() as connection:
            return [row.name for row in stored.known(connection, states=("running", "paused"))]

    def run(self) -> RunReport:
        """One tick, as cron does it."""
        providers = dict.fromkeys((*self.loaded.project.channels, "webhook"), self.wire)
        report = running.run(self.store, self.loaded, names=self.alive(), now=self.now, tick=True, providers=providers,
                             renderer=self.renderer)  # fmt: skip
        self.wire.close()  # the sandbox writes its index at the end of each run
        self.reports.append(report)
        self.post(letter for at, one in self.wire.handed[self.seen :] for letter in answers(one, at))
        self.seen = len(self.wire.handed)
        return report

    def act(self, deed: str, name: str) -> None:
        """What a person does to a campaign."""
        match deed:
            case "start":
                life.start(self.store, self.loaded, name, now=self.now)
            case "pause":
                life.pause(self.store, name, now=self.now)
            case "resume":
                life.resume(self.store, self.loaded, name, now=self.now)
            case "stop":
                life.stop(self.store, name, now=self.now)
            case "edit":
                self.write("relance", RELANCE_EDITED)
                self.loaded = load_project(self.folder)
                life.start(self.store, self.loaded, name, now=self.now)

    def step(self, now: datetime) -> RunReport:
        self.ready(now)
        return self.run()

    def ready(self, now: datetime) -> None:
        """The clock stands at `now`: what a person does then is done, what has arrived lies in the inbox."""
        self.now = now
        local = now.astimezone(PARIS)
        day = (local.date() - BEGIN.date()).days
        if self.reports == []:
            for name in CAMPAIGNS:
                self.act("start", name)
        if (day, (local.hour, local.minute)) in STORY:
            self.act(*STORY[day, (local.hour, local.minute)])
        self.deliver()

    # --- what is seen -----------------------------------------------------------------------------------------------
    def rows(self, query: str, **values: Any) -> list[sa.RowMapping]:
        with self.store.read() as connection:
            return list(connection.execute(sa.text(said(query)), values).mappings())

    def portrait(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that the season did, by names that hang on no row's number."""
        queries = {
            "touches": "SELECT hex(touch_key), send_state, reason, due_at, expires_at, settled_at, step, channel, cost, held_by, "
                       "delivery_state, flags FROM touch ORDER BY 1",
            "passes": "SELECT hex(e.key), c.source_id, e.pass, e.entered_at, e.language, e.held_out, e.step, e.since, e.wait_from, "
                      "e.wait_until, e.due_at, e.held_by, e.state, e.reason, e.ended_at, e.converted_at, e.converted_value "
                      "FROM enrollment e JOIN contact c ON c.id = e.contact_id ORDER BY 1",
            "events": "SELECT c.source_id, e.name, e.at, e.campaign, e.step, e.channel, e.machine, e.payload, e.received_at "
                      "FROM event e JOIN contact c ON c.id = e.contact_id ORDER BY 1, 2, 3, 4, 5, 6, 7, 8",
            "people": "SELECT source_id, reach, last_human_channel, last_human_at, complaint_until, a_calls FROM contact ORDER BY 1",
            "bars": "SELECT c.source_id, s.channel, s.scope, s.reason, s.at FROM suppression s JOIN address a "
                    "ON a.channel = s.channel AND a.hmac = s.norm_hmac JOIN contact c ON c.id = a.contact_id ORDER BY 1, 2, 3, 4",
            "cases": "SELECT c.source_id, k.kind, k.opened_at, k.state FROM inbox_case k JOIN contact c ON c.id = k.contact_id "
                     "ORDER BY 1, 2, 3",
        }  # fmt: skip
        return {name: [tuple(row.values()) for row in self.rows(query)] for name, query in queries.items()}

    def pages(self) -> list[dict[str, Any]]:
        """The sandbox's own ledger of what it wrote."""
        ledger = self.folder / "outbox/sandbox/.messages.jsonl"
        return [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()] if ledger.exists() else []


def ms(instant: datetime) -> int:
    return clock.to_ms(instant)
