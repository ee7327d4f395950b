"""A small house with one campaign, and stories told to it: YAML in, what a terminal would say out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from omnicli.campaignfile import Loaded, load_project
from omnicli.campaignfile.stories import Stories, load_stories
from omnicli.campaigns.scenario.play import play
from omnicli.campaigns.scenario.played import Played

OMNI = """
project: maison
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison, legal_name: Maison SAS, address: 1 rue des Essais 69001 Lyon, privacy: https://maison.example/vie}
channels:
  email: {provider: smtp, from: bonjour@maison.example, price: 0.001 EUR}
  sms: {provider: twilio, from: MAISON, stop: 36180, price: 0.05 EUR}
  whatsapp: {provider: twilio, from: "+33639980012", price: 0.08 EUR}
  letter: {provider: file, price: 1.40 EUR, lead_time: 4 days}
  qr: {provider: file, price: 0.10 EUR}
  task: {provider: task, team: conseil, price: 1 EUR}
contacts:
  attributes:
    first_name: text
    orders: {type: number, default: 0}
    source: [instagram, google]
    interests: list
    renewal: date
events:
  signup: {form: text}
  purchase: {value: money EUR}
teams:
  conseil: {members: [ines], hours: [monday-friday 09:00-18:00]}
guardrails:
  quiet_hours: [20:00-09:00, sunday, holidays]
  cap: {all: 3 per week}
  max_delay: 3 days
personas:
  camille: {title: Camille, match: source = instagram, channels: [whatsapp, email], tone: {address: tu}}
  default: {title: Autres, channels: [email, sms]}
"""

CAMPAIGN = """
campaign: bienvenue
title: Bienvenue
why: To be told in stories.
goal: {when: purchase, within: 30 days}
enter: {when: signup, again: always}
exit:
  - {if: orders > 5, as: regular}
messages:
  offre:
    facts: {code: LUNE20, price: 39.92 EUR, link: https://maison.example/offre}
    say:
      fr: {subject: "{code} pour toi", body: "{first_name or \\"Bonjour\\"}, ta bougie à {price} avec {code}", short: "{price} avec {code}", cta: Voir}
      en: {subject: "{code} for you", body: "{first_name or \\"Hello\\"}, your candle for {price} with {code}", short: "{price} with {code}", cta: See}
    approved: {fr: offre_fr, en: offre_en}
  adieu:
    say:
      fr: {subject: Adieu, body: Adieu, short: Adieu, cta: Voir}
      en: {subject: Farewell, body: Farewell, short: Farewell, cta: See}
flow:
  - {send: offre, by: email, else: [sms], id: j0, at: next 10:00}
  - wait: up to 3 days
    id: reponse
    for:
      clicked: [{wait: 1 day, id: reflexion}]
      nothing:
        - split:
            sms: {share: 50 %, do: [{send: offre, by: sms, else: [email], id: rappel}]}
            temoin: {share: 50 %, do: []}
          id: essai
  - choose:
      - {if: source = instagram, do: [{wait: 2 days, id: insta}]}
      - else: [{wait: 4 days, id: pause}]
    id: chemin
  - {send: adieu, by: email, id: adieu, at: next 10:00}
"""

HEAD = """
start: 2027-01-04 11:30
contacts:
  lea: {first_name: Léa, language: fr, country: FR, consent: [email, sms]}
  paul: {first_name: Paul, language: en, country: FR, source: instagram, consent: [email]}
"""


def a_house(folder: Path, *, omni: str = OMNI, campaign: str = CAMPAIGN, others: Mapping[str, str] | None = None) -> Path:
    """The project, with the templates that are shipped."""
    import omnicli.render

    (folder / "campaigns").mkdir(parents=True, exist_ok=True)
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "omni.yaml").write_text(omni.lstrip(), "utf-8")
    (folder / "campaigns" / "bienvenue.yaml").write_text(campaign.lstrip(), "utf-8")
    for name, text in (others or {}).items():
        (folder / "campaigns" / f"{name}.yaml").write_text(text.lstrip(), "utf-8")
    for template in (Path(omnicli.render.__file__).parent / "shipped").glob("*.j2"):
        (folder / "templates" / template.name).write_text(template.read_text("utf-8"), "utf-8")
    return folder


def a_story(lines: str, *, given: str = "lea", more: str = "") -> str:
    """A scenario file with one story; its lines begin in line 11 (+ lines of `more`)."""
    story = indent(dedent(lines).strip(), "      ")
    rest = indent(dedent(more).strip() + "\n", "    ") if more.strip() else ""
    return f"{HEAD.lstrip()}scenarios:\n  - name: told\n    given: {given}\n{rest}    story:\n{story}\n"


_READ: dict[Path, Loaded] = {}


def project(folder: Path) -> Loaded:
    """The project as it was when it was first asked for."""
    if folder not in _READ:
        _READ[folder] = load_project(folder)
        assert not _READ[folder].errors(), _READ[folder].errors()
    return _READ[folder]


def read(folder: Path, text: str, *, name: str = "bienvenue") -> Stories:
    """The scenario file as it is read."""
    file = f"campaigns/{name}.test.yaml"
    return load_stories(project(folder), files=[file], overlay={file: text.encode()})


def told(folder: Path, lines: str, **options: str) -> list[Played]:
    """The story, played; findings are a failure of the test."""
    text = a_story(lines, **options)
    stories = read(folder, text)
    assert not stories.findings, [f"{f.place.line}:{f.place.column} {f.code} {f.message}" for f in stories.findings]
    loaded = project(folder)
    return [played for file in stories.files for scenario in file.scenarios for played in play(loaded, file, scenario)]


def missed(folder: Path, lines: str, **options: str) -> tuple[str, str, str]:
    """(the YAML text of the line that failed, expected, got)."""
    found = told(folder, lines, **options)
    failure = next(one.failure for one in found if one.failure is not None)
    return a_story(lines, **options).splitlines()[failure.line - 1].strip(), failure.expected, failure.got


def passes(folder: Path, lines: str, **options: str) -> Played:
    """The one story passes."""
    found = told(folder, lines, **options)
    assert all(one.status == "passed" and not one.broken for one in found), [(one.failure, one.broken) for one in found]
    return found[0]
