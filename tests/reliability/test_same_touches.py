"""The same campaigns on SQLite, on PostgreSQL, and on PostgreSQL with four workers: the same touches, words and decisions, to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from houses_shared import drop_database, new_database, rows_of
from invariants import Seen, asked
from processes import Processes
from sizes import SIZES

pytestmark = pytest.mark.slow

OMNI = """
project: maison
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon"}
channels:
  email: {provider: sandbox, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
  sms: {provider: sandbox, from: "+15555550100", price: 0.05 EUR}
contacts: {attributes: {first_name: text, points: number}}
events: {signup: {form: text}, purchase: {}}
guardrails: {cap: {all: 1 per day, sms: 2 per 7 days}}
"""

WELCOME = """
campaign: bienvenue
title: Bienvenue
why: because
owner: ines
enter: {if: points >= 10}
goal: {when: purchase, within: 30 days}
messages:
  offre:
    say:
      fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: "Bonjour {first_name or \\"vous\\"}", short: "Bonjour {first_name or \\"vous\\"}", cta: Voir}
      en: {body: "Hello {first_name or \\"you\\"}", subject: "Hello {first_name or \\"you\\"}", short: "Hello {first_name or \\"you\\"}", cta: Look}
flow:
  - {send: offre, id: j0, by: email}
  - {wait: 2 days, id: repos}
  - {send: offre, id: j2, by: sms}
"""

SALE = """
campaign: soldes
title: Soldes
why: because
owner: ines
priority: 3
holdout: 10%
enter: {if: points < 40}
guardrails: {budget: 200 EUR}
messages:
  annonce:
    say:
      fr: {body: "Les soldes, {first_name or \\"vous\\"}", subject: "Les soldes", short: "Les soldes, {first_name or \\"vous\\"}", cta: Voir}
      en: {body: "The sale, {first_name or \\"you\\"}", subject: "The sale", short: "The sale, {first_name or \\"you\\"}", cta: Look}
flow:
  - {send: annonce, id: s0, by: email}
  - {wait: 1 day, id: souffle}
  - {send: annonce, id: s1, by: sms}
"""

MAP = """
id: id
first_name: first_name
points: points
language: language
country: country
email: address.email
phone: address.sms
consent: [consent.email, consent.sms]
"""
#: The instants at which somebody looks, as days and hours of the project.
LOOKS = ("2027-01-06 10:30", "2027-01-07 10:30", "2027-01-08 11:00", "2027-01-11 10:00")


@pytest.fixture
def omni() -> Iterator[Processes]:
    with Processes() as found:
        yield found


def a_project(folder: Path, people: int) -> None:
    (folder / "campaigns").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "omni.yaml").write_text(OMNI)
    (folder / "campaigns" / "bienvenue.yaml").write_text(WELCOME.lstrip())
    (folder / "campaigns" / "soldes.yaml").write_text(SALE.lstrip())
    (folder / "templates" / "email.html.j2").write_text("<html><body><p>{{ say.body }}</p>{{ unsubscribe }}</body></html>")
    (folder / "templates" / "sms.txt.j2").write_text("{{ brand.name }} {{ say.short }} {{ stop }}")
    rows = [
        f"{n},Prénom{n % 7},{n * 7 % 60},{'en' if n % 3 else 'fr'},FR,person{n}@example.com,+3363998{n:04d},{'yes' if n % 11 else 'no'}"
        for n in range(people)
    ]
    (folder / "people.csv").write_text("id,first_name,points,language,country,email,phone,consent\n" + "\n".join(rows) + "\n")
    (folder / "map.yaml").write_text(MAP)
    said = [
        {"contact": str(n), "event": "purchase", "at": "2027-01-07T08:00:00Z", "id": f"order-{n}"} for n in range(0, people, 9)
    ]
    (folder / "orders.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))


def lived(omni: Processes, folder: Path, people: int, *, workers: int, database: str | None) -> Any:
    """The project's life: by the command where `workers` is 0, else by so many workers at each look; the store's address."""
    a_project(folder, people)
    env = {"OMNI_DATABASE": postgres_server.address(database)} if database else {}

    def run(*argv: str, codes: tuple[int, ...] = (0,)) -> None:
        words = [*argv, "-C", str(folder), "--lang", "en", "--no-input"]
        ended = omni.run(words, folder / "said.txt", env=env, seconds=120)
        assert ended.code in codes, ended

    run("contact", "import", str(folder / "people.csv"), "--map", str(folder / "map.yaml"), "--as-of", "2027-01-06 09:00")
    for name in ("bienvenue", "soldes"):
        run("campaign", "start", name, "--yes", "--as-of", "2027-01-06 09:30")
    for n, look in enumerate(LOOKS):
        if n == 2:
            run("response", "import", str(folder / "orders.jsonl"), "--as-of", look)
        if not workers:
            run("schedule", "tick", "--as-of", look, codes=(0, 3))
            continue
        crew = [
            omni.start([str(folder), look], folder / f"worker-{n}-{k}.txt", call="sharing_child:until_nothing_is_due", env=env)
            for k in range(workers)
        ]
        ends = [omni.wait(pid, folder / f"worker-{n}-{k}.txt", seconds=120) for k, pid in enumerate(crew)]
        assert all(ended.code == 0 and not ended.said for ended in ends), ends
    return postgres_server.address(database) if database else folder / ".omni" / "sandbox.db"


TOUCHES = (
    "SELECT lower(hex(t.touch_key)), k.name, t.step, t.channel, t.purpose, t.send_state, t.reason, t.due_at, t.expires_at, t.settled_at, t.cost,"
    " t.created_at, t.attempts FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN campaign k ON k.id = e.campaign_id ORDER BY 1"
)
DECISIONS = "SELECT lower(hex(e.key)), d.at, d.step, d.kind, d.why FROM decision d JOIN enrollment e ON e.id = d.enrollment_id ORDER BY 1, 2, d.id"
PASSES = (
    "SELECT lower(hex(e.key)), k.name, e.state, e.reason, e.step, e.due_at, e.since, e.held_out, e.converted_at, e.told FROM enrollment e"
    " JOIN campaign k ON k.id = e.campaign_id ORDER BY 1"
)
SLOTS = "SELECT lower(hex(c.uid)), s.local_date, s.rule, s.slot, s.at FROM cap_slot s JOIN contact c ON c.id = s.contact_id ORDER BY 1, 2, 3, 4"


class Sandbox(Seen):
    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        if isinstance(self.store, str):
            return rows_of(self.store, query, *values, schema="omni_sandbox")
        return asked(self.store, query, *values)


def told(store: Any) -> dict[str, Any]:
    """Everything that people got, and why."""
    seen = Sandbox(store, (), now=0)
    found = {
        name: seen.rows(query)
        for name, query in (("touches", TOUCHES), ("decisions", DECISIONS), ("passes", PASSES), ("slots", SLOTS))
    }
    return {**found, "words": sorted((key, tuple(sorted(parts.items()))) for key, parts in seen.archive.items())}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process makes of it on SQLite."""
    with Processes() as omni:
        return told(lived(omni, tmp_path_factory.mktemp("alone") / "sqlite", int(SIZES["same_people"]), workers=0, database=None))


@pytest.mark.usefixtures("shared_rig")
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_however_many_work_people_get_the_same_words_at_the_same_instants(
    omni: Processes, tmp_path: Path, alone: dict[str, Any], workers: int
) -> None:
    assert {row[5] for row in alone["touches"]} >= {"accepted", "skipped", "held_out"}
    database = new_database()
    try:
        found = told(lived(omni, tmp_path / "shared", int(SIZES["same_people"]), workers=workers, database=database))
    finally:
        drop_database(database)
    for what, rows in alone.items():
        different = [pair for pair in zip(rows, found[what], strict=False) if pair[0] != pair[1]]
        assert (len(found[what]), different[:2]) == (len(rows), []), (workers, what, len(different))
