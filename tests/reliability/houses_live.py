"""A LIVE project in a folder, made once by real commands and copied for each trial, and what is asked of its store afterwards."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from processes import Ended, Processes

PARIS = ZoneInfo("Europe/Paris")
#: When all trials happen: a Wednesday morning on which everything is allowed.
DAY = datetime(2027, 1, 6, 10, 30, tzinfo=PARIS)

OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon"}
public_url: https://omni.example.org
channels:
  CARRIED
providers:
  smtp: {host: 127.0.0.1, tls: none, read_timeout: 1 seconds, connect_timeout: 2 seconds, in_flight: 2, batch: 4, bounces: mailbox}
  sendgrid:
    api_key: ${SENDGRID_API_KEY}
    batch: 5
    in_flight: 2
    read_timeout: 1 seconds
    connect_timeout: 2 seconds
    event_webhook_keys: ["${SENDGRID_WEBHOOK_KEY}"]
  twilio:
    account_sid: ${TWILIO_ACCOUNT_SID}
    auth_token: ${TWILIO_AUTH_TOKEN}
    read_timeout: 1 seconds
    connect_timeout: 2 seconds
    in_flight: 2
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
guardrails: {quiet_hours: [], cap: {all: 50 per day}}
"""

CAMPAIGN = """
campaign: bienvenue
title: Bienvenue
why: because
owner: ines
enter: {if: ENTER}
messages:
  offre:
    say: {fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: "Bonjour {first_name or \\"vous\\"}", short: "Bonjour {first_name or \\"vous\\"}", cta: Voir}}
flow:
  - {send: offre, id: j0, by: CHANNEL}
  - {wait: 20 days, id: repos}
"""

MAP = """
id: id
first_name: first_name
COLUMN: address.CHANNEL
consent: consent.CHANNEL
"""

#: What carries what in these projects, and how that channel is declared.
CHANNEL = {"smtp": "email", "sendgrid": "email", "twilio": "sms"}
DECLARED = {
    "smtp": 'email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}',
    "sendgrid": 'email: {provider: sendgrid, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}',
    "twilio": 'sms: {provider: twilio, from: "+15555550100", price: 0.05 EUR}',
}


#: How much later than the start the newest process lives; the fakes' clocks go by it.
LATER = [0.0]


def ahead_of_now(more: float = 0.0) -> float:
    """Seconds by which a process' clock is moved so that it lives on that Wednesday, `more` seconds later."""
    return _AHEAD + more


_AHEAD = (DAY - datetime.now(UTC)).total_seconds()


@dataclass
class House:
    """One copy of the project; `env` are the settings of its processes (where the fakes are)."""

    folder: Path
    omni: Processes
    env: Mapping[str, str]
    runs: int = 0

    def run(self, *argv: str, later: float = 0.0, seconds: float = 60, **asked: Any) -> Ended:
        """One `omni --live` command, `later` seconds after the start."""
        self.runs += 1
        LATER[0] = later
        out = self.folder / f"said-{self.runs}.txt"
        words = [*argv, "-C", str(self.folder), "--live", "--lang", "en", "--no-input"]
        return self.omni.run(words, out, env=dict(self.env), ahead=ahead_of_now(later), seconds=seconds, **asked)

    def start(self, *argv: str, later: float = 0.0, **asked: Any) -> tuple[int, Path]:
        """The same, left running: its pid and where it talks."""
        self.runs += 1
        LATER[0] = later
        out = self.folder / f"said-{self.runs}.txt"
        words = [*argv, "-C", str(self.folder), "--live", "--lang", "en", "--no-input"]
        return self.omni.start(words, out, env=dict(self.env), ahead=ahead_of_now(later), **asked), out

    def tick(self, *, later: float = 0.0, **asked: Any) -> Ended:
        return self.run("schedule", "tick", later=later, **asked)

    @property
    def where(self) -> Path | str:
        """The store, as a judge finds it: a file, or an address."""
        return self.folder / ".omni" / "live.db"

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store says; read by a connection of the test's own."""
        with closing(sqlite3.connect(f"file:{self.folder}/.omni/live.db?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def states(self) -> dict[str, int]:
        return dict(self.rows("SELECT send_state, count(*) FROM touch GROUP BY 1"))

    def copy(self, folder: Path, env: Mapping[str, str]) -> House:
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("said-*"))
        return House(folder, self.omni, {**self.env, **env})


def build(
    folder: Path, omni: Processes, *, provider: str, people: int, env: Mapping[str, str], consenting: int | None = None
) -> House:
    """A live project whose campaign was started: everybody who consents (of so many; None: all) enters at the first tick, and gets
    one message by `provider`."""
    channel = CHANNEL[provider]
    (folder / "campaigns").mkdir(parents=True)
    (folder / "templates").mkdir()
    for name in ("new", "cur", "tmp"):
        (folder / "mailbox" / name).mkdir(parents=True)
    (folder / "omni.yaml").write_text(OMNI.replace("CARRIED", DECLARED[provider]))
    text = CAMPAIGN.replace("CHANNEL", channel).replace("ENTER", f"reachable.{channel}").lstrip()
    (folder / "campaigns" / "bienvenue.yaml").write_text(text)
    (folder / "templates" / "email.html.j2").write_text("<html><body><p>{{ say.body }}</p>{{ unsubscribe }}</body></html>")
    (folder / "templates" / "sms.txt.j2").write_text("{{ brand.name }} {{ say.short }} {{ stop }}")
    (folder / "people.csv").write_text(sheet(people, channel, people if consenting is None else consenting))
    (folder / "map.yaml").write_text(MAP.replace("CHANNEL", channel).replace("COLUMN", "phone" if channel == "sms" else "email"))
    house = House(folder, omni, env)
    commands: Sequence[Sequence[str]] = (
        ("contact", "import", str(folder / "people.csv"), "--map", str(folder / "map.yaml")), ("campaign", "start", "bienvenue", "--yes"),
    )  # fmt: skip
    for argv in commands:
        ended = house.run(*argv)
        assert ended.code == 0, f"{' '.join(argv)}: {ended}"
    return house


def sheet(people: int, channel: str, consenting: int) -> str:
    """A list of contacts with addresses of fiction; the first ones consent."""
    header = "id,first_name," + ("phone" if channel == "sms" else "email") + ",consent\n"
    address = "+3363998{:04d}" if channel == "sms" else "person{}@example.com"
    return header + "".join(f"{n},Prénom{n},{address.format(n)},{'yes' if n < consenting else 'no'}\n" for n in range(people))
