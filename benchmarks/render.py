"""One e-mail and one SMS for each person, as dispatch renders them in a warm batch; against stock sandboxed Jinja with dicts.

Both sides have the same templates, words and facts. omni gives skeleton, packed values, hashes and tokens of its own for four
addresses; the floor fills the words of `say` by `str.format`, prints the same parts whole, and signs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.base import NOW
from benchmarks.ground import CAMPAIGN, PROJECT, Watch, person, project

if TYPE_CHECKING:
    from omnicli.campaigns.printing import Printer, Slip

BATCH = 1000
#: A person's row and a channel → the parts that were printed.
Floor = Callable[[Sequence[str], str], dict[str, str]]
HOST = "https://go.maisonlune.example"
SHORT = {
    "fr": "{offer} sur votre bougie : {price} avec {code} jusqu'au {deadline}",
    "en": "{offer} off: {price} with {code} until {deadline}",
}
#: The facts as a reader sees them, for the floor.
SEEN = {
    "fr": {"offer": "20 %", "code": "BIENVENUE20", "was": "49,90 €", "price": "39,92 €", "deadline": "28 janvier 2027"},
    "en": {"offer": "20%", "code": "BIENVENUE20", "was": "€49.90", "price": "€39.92", "deadline": "January 28, 2027"},
}  # fmt: skip
#: What the floor prints of a channel.
PARTS = {"email": ("subject", "html", "text"), "sms": ("sms",)}
LINK = "https://www.maisonlune.example/bienvenue"


def measure(contacts: int) -> dict[str, Any]:
    """`ratio`: omni's time for an e-mail by the floor's, `sms_ratio` that for an SMS; each side's best of three, in turns."""
    with project() as root:
        _words(root)
        printer, floor = _printer(root), _floor(root)
        people = [person(n) for n in range(1, contacts + 1)]
        slips = {channel: [_slip(n, row, channel) for n, row in enumerate(people, 1)] for channel in ("email", "sms")}
        found = {channel: _best(printer, floor, some, people, channel) for channel, some in slips.items()}
        sizes = {part: len(text) for channel in PARTS for part, text in floor(people[0], channel).items()}
    (mail, mail_floor), (sms, sms_floor) = found["email"], found["sms"]
    return {
        "goal": "≤ 0.35", "contacts": contacts, "ratio": round(mail.seconds / mail_floor.seconds, 3), "cpu_ratio": round(mail.cpu / mail_floor.cpu, 3),
        "us_a_mail": _us(mail, contacts), "floor_us": _us(mail_floor, contacts), "sms_ratio": round(sms.seconds / sms_floor.seconds, 3),
        "sms_cpu_ratio": round(sms.cpu / sms_floor.cpu, 3), "us_an_sms": _us(sms, contacts), "sms_floor_us": _us(sms_floor, contacts), "characters": sizes,
    }  # fmt: skip


def _best(
    printer: Printer, floor: Floor, slips: list[Slip], people: Sequence[Sequence[str]], channel: str
) -> tuple[Watch, Watch]:
    """The quickest of three rounds of each side."""
    _omni(printer, slips[:BATCH])
    _times(floor, people[:BATCH], channel)
    ours, theirs = [], []
    for _ in range(3):
        ours.append(_omni(printer, slips))
        theirs.append(_times(floor, people, channel))
    return min(ours, key=lambda watch: watch.seconds), min(theirs, key=lambda watch: watch.seconds)


def _us(watch: Watch, count: int) -> float:
    return round(watch.seconds / count * 1e6, 1)


def _words(root: Path) -> None:
    """The bench campaign with a short text, and a host of its own for links."""
    text = CAMPAIGN
    for language, cta in (("fr", "Je découvre"), ("en", "Shop now")):
        text = text.replace(f"        cta: {cta}\n", f'        cta: {cta}\n        short: "{SHORT[language]}"\n')
    (root / "campaigns" / "bench.yaml").write_text(text, "utf-8")
    (root / "omni.yaml").write_text(PROJECT + f"tracking: {{domain: {HOST}}}\n", "utf-8")


def _printer(root: Path) -> Printer:
    from omnicli.app import open_project
    from omnicli.campaigns.printing import Printer
    from omnicli.render.renderer import Renderer

    loaded = open_project(root)
    assert loaded.project is not None
    campaign = loaded.campaigns["bench"]
    return Printer(Renderer(root, loaded.project), now=NOW, campaign=lambda _: campaign, zone=lambda *_: "Europe/Paris")


def _slip(n: int, row: Sequence[str], channel: str) -> Slip:
    from omnicli import clock
    from omnicli.campaigns.printing import Slip

    attributes = (row[1] or None, row[2], row[7], float(row[8]), float(row[9] or 0), float(row[10]), row[11], 0,
                  row[0], row[6], row[4], None, row[5] or None, None)  # fmt: skip
    entered = clock.to_ms(NOW) - 3 * 86_400_000 + n % 86_400 * 100
    key = hashlib.blake2b(f"{channel}{n}".encode(), digest_size=16).digest()
    return Slip(key, n, entered, None, None, attributes, 1, "offre", channel, row[6], "default", "j0", "marketing", row[4], row[5] or None,
                None, row[0], None, None, None, f"p{n}@example.com", None)  # fmt: skip


def _omni(printer: Printer, slips: list[Slip]) -> Watch:
    from omnicli.campaigns.printing import Beside, Copy

    nothing = Beside()
    with Watch() as watch:
        for batch in _batches(slips):
            made = printer.print(batch, nothing)
            assert type(made[0]) is Copy, made[0]
    return watch


def _batches(slips: list[Slip]) -> Iterator[list[Slip]]:
    for start in range(0, len(slips), BATCH):
        yield slips[start : start + BATCH]


# --- the floor --------------------------------------------------------------------------------------------------------
def _floor(root: Path) -> Floor:
    """What renders one person's e-mail (subject, page, text) or SMS by the same templates in a stock sandbox."""
    from jinja2 import FileSystemLoader
    from jinja2.sandbox import SandboxedEnvironment

    from omnicli.app import open_project
    from omnicli.render.renderer import look_up

    loaded = open_project(root)
    say = {language: look_up(loaded.campaigns["bench"].messages["offre"], language, None) for language in ("fr", "en")}
    say = {language: {slot: _as_format(text) for slot, text in slots.items()} for language, slots in say.items()}
    settings: dict[str, Any] = {"loader": FileSystemLoader(root / "templates"), "trim_blocks": True, "lstrip_blocks": True}
    page = SandboxedEnvironment(autoescape=True, **settings).get_template("email.html.j2")
    plain = SandboxedEnvironment(**settings)
    letter, short = plain.get_template("email.txt.j2"), plain.get_template("sms.txt.j2")
    colours = dict.fromkeys(("primary", "accent", "background", "text", "surface", "ink", "quiet", "line"), "#2b2350")
    brand = {"name": "Maison Lune", "legal_name": "Maison Lune SAS", "address": "12 rue des Tisserands, 69004 Lyon",
             "privacy": "https://www.maisonlune.example/vie-privee", "colours": colours, "font": "Georgia, serif"}  # fmt: skip

    def render(row: Sequence[str], channel: str) -> dict[str, str]:
        language, first = row[6], row[1]
        facts = SEEN[language]
        known = {**facts, "first_name": first or "Bonjour"}
        words = {slot: text.format(**known) for slot, text in say[language].items() if (slot == "short") == (channel == "sms")}
        own = f"{HOST}/%s/{row[0]}"
        values = {
            "say": words, "facts": {**facts, "link": LINK}, "contact": {"first_name": first}, "brand": brand, "language": language,
            "unsubscribe": own % "u", "preferences": own % "p", "web_version": own % "w", "link": lambda _: own % "c",
            "direction": "ltr", "pixel": "", "stop": "STOP 36180", "message": {"name": "offre"},
        }  # fmt: skip
        if channel == "sms":
            return {"sms": short.render(values)}
        return {"subject": words["subject"], "html": page.render(values), "text": letter.render(values)}

    return render


def _as_format(text: str) -> str:
    """`{first_name or "Bonjour"}` as `str.format` reads it."""
    from omnicli.render.words import Placeholder, parse_words

    return "".join(
        "{" + piece.name + "}" if isinstance(piece, Placeholder) else piece.replace("{", "{{").replace("}", "}}")
        for piece in parse_words(text)
    )


def _times(floor: Floor, people: Sequence[Sequence[str]], channel: str) -> Watch:
    with Watch() as watch:
        for row in people:
            floor(row, channel)
    return watch
