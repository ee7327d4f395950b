"""What the benchmarks stand on: a project in a temporary folder, invented people in any number, a clock and a meter."""

from __future__ import annotations

import csv
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CITIES = ("Lyon", "Paris", "Lille", "Nantes", "Orléans", "Strasbourg", "Besançon", "Brest")
SOURCES = ("instagram", "google", "boutique", "parrainage")
FIRST = ("Léa", "Camille", "Hugo", "Inès", "Jules", "Zoé", "Paul", "Élise", "Karim", "Anaïs")
LAST = ("Martin", "Petit", "Durand", "Moreau", "Garnier", "Haddad", "Nguyen", "D'Arcy")

PROJECT = """\
project: bench
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
currency: EUR
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon", privacy: "https://www.maisonlune.example/vie-privee"}
channels:
  email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
contacts:
  attributes:
    first_name: {type: text, example: Léa}
    last_name: text
    city: text
    orders: {type: number, default: 0}
    income: number
    recency: number
    source: [instagram, google, boutique, parrainage]
    vip: yes or no
events:
  signup: {form: text}
  purchase: {value: money EUR, category: text}
guardrails: {quiet_hours: [20:00-09:00, sunday, holidays], cap: {all: 3 per week}, min_gap: 16 hours}
"""

#: Three more paragraphs in each language: with them the mail weighs about 10 KB, as goals are stated for.
FRENCH = " ".join(
    f"Chaque bougie de la collection {name} est coulée à la main dans notre atelier de la Croix-Rousse, avec une cire de colza "
    f"pressée à moins de cent kilomètres, une mèche de coton sans plomb et un parfum composé à Grasse ; elle brûle quarante-cinq heures."
    for name in ("Lune", "Aube", "Brume", "Nuit claire")
)
ENGLISH = " ".join(
    f"Every candle of the {name} collection is poured by hand in our workshop on the hill, from rapeseed wax pressed less than a "
    f"hundred kilometres away, with a cotton wick without lead and a scent composed in Grasse; it burns for forty-five hours."
    for name in ("Moon", "Dawn", "Mist", "Clear night")
)

CAMPAIGN = f"""\
campaign: bench
title: Bench
goal: {{when: purchase, within: 30 days}}
enter: {{at: 2027-01-05 10:00}}
messages:
  offre:
    facts:
      offer: 20 %
      code: BIENVENUE20
      was: 49.90 EUR
      price: 39.92 EUR
      deadline: 26 days after enter
      link: https://www.maisonlune.example/bienvenue
    say:
      fr:
        subject: "{{first_name or \\"Bonjour\\"}}, {{offer}} sur votre première bougie"
        preheader: "Le code {{code}} vous attend jusqu'au {{deadline}}."
        headline: Bienvenue dans la lune
        body: "Votre bougie Lune à {{price}} au lieu de {{was}} ({{offer}}) avec le code {{code}}, jusqu'au {{deadline}}. {FRENCH}"
        cta: Je découvre
      en:
        subject: "{{first_name or \\"Hello\\"}}, {{offer}} off your first candle"
        preheader: "Code {{code}} is yours until {{deadline}}."
        headline: Welcome to the moon
        body: "Your Lune candle for {{price}} instead of {{was}} ({{offer}} off) with code {{code}}, until {{deadline}}. {ENGLISH}"
        cta: Shop now
flow:
  - send: offre
    id: j0
    by: email
  - wait: up to 3 days
    id: reponse
    for:
      clicked: [{{wait: 1 day, id: reflexion}}]
      nothing: []
"""


#: Two campaigns that wait for an event and for a condition: an idle tick looks for their entrants too.
WAITING = {
    "accueil": "enter: {when: signup}",
    "retour": "enter: {if: orders > 100}",
}


def waiting(name: str) -> str:
    return (CAMPAIGN.replace("campaign: bench", f"campaign: {name}").replace("title: Bench", f"title: {name}")
            .replace("enter: {at: 2027-01-05 10:00}", WAITING[name]))  # fmt: skip


@contextmanager
def project() -> Iterator[Path]:
    """A project in a temporary folder that is taken away afterwards; the shipped templates in it."""
    import shutil

    with tempfile.TemporaryDirectory(prefix="omni-bench-") as name:
        root = Path(name)
        (root / "omni.yaml").write_text(PROJECT, "utf-8")
        (root / "campaigns").mkdir()
        (root / "campaigns" / "bench.yaml").write_text(CAMPAIGN, "utf-8")
        shutil.copytree(Path(__file__).parent.parent / "templates", root / "templates")
        yield root


HEADER = ("id", "first_name", "last_name", "email", "country", "time_zone", "language", "city", "orders", "income", "recency",
          "source", "vip", "email_consent", "email_consent_on")  # fmt: skip

MAP = """\
id: id
first_name: first_name
last_name: last_name
email: address.email
country: country
time_zone: time_zone
language: language
city: city
orders: orders
income: income
recency: recency
source: source
vip: vip
email_consent: consent.email
email_consent_on: consent.email.on
"""


def person(n: int) -> tuple[str, ...]:
    """Row n of the invented base: a function of n alone."""
    return (
        f"P{n:07d}", FIRST[n % 10] if n % 97 else "", LAST[n % 8], f"p{n}@example.com", "FR", "Europe/Paris" if n % 25 else "",
        "en" if n % 9 == 0 else "fr", CITIES[n % 8], str(n % 7), str(18_000 + (n * 7919) % 60_000) if n % 90 else "",
        str((n * 31) % 400), SOURCES[n % 4], "yes" if n % 20 == 0 else "no", "yes" if n % 50 else "no", "2026-05-01",
    )  # fmt: skip


def write_people(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(person(n) for n in range(1, count + 1))


class Watch:
    """`with Watch() as w: …` then `w.seconds` of wall time and `w.cpu` of processor time (less moved by busy neighbours)."""

    seconds = cpu = 0.0

    def __enter__(self) -> Watch:
        self._began, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
        self.cpu += time.process_time() - self._cpu


def peak_mb() -> float:
    """Peak resident memory of this process since `fresh_peak` (since its start, where the system cannot set it back), in MB."""
    return _peak_of(Path("/proc/self/status")) or round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _peak_of(status: Path) -> float:
    """What the system says of a process's peak memory, in MB; 0 where it does not (any more)."""
    with suppress(OSError):
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def fresh_peak() -> None:
    """Count the peak of memory from here on: what filling a base took is not omni's (Linux; elsewhere nothing happens)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


class Helpers:
    """`with Helpers() as helpers: …` then `helpers.peak_mb`: peak resident memory of the largest process that this one had started
    meanwhile, asked of each while it lives. What the system counts of ended children will not do: it begins with this process's own
    memory, in which they were born."""

    peak_mb = 0.0

    def __enter__(self) -> Helpers:
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for child in _children():
                self.peak_mb = max(self.peak_mb, _peak_of(Path(f"/proc/{child}/status")))


def _children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += task.read_text().split()
    return found
