"""The people of a scenario file: attributes of the declared types, addresses, consents; `like` resolved, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from omnicli.campaignfile.check import typed
from omnicli.campaignfile.reading import Reading
from omnicli.campaignfile.source import KeyPath, Map, Seq
from omnicli.channels import addresses
from omnicli.channels.clean import Refused
from omnicli.model import literals as lit
from omnicli.model.project import Attribute, Project
from omnicli.model.story import Person
from omnicli.text import nearest
from omnicli.texts import t

BUILT_IN = ("id", "language", "country", "time_zone", "preferred_channel", "place", "created")
OWN = ("consent", "like", "who")
#: Channels that reach somebody at an address.
ADDRESSED = ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter")


def reaching(project: Project) -> tuple[str, ...]:
    """Channels of an address and a consent: the project's, and the telephone where people call by hand (language 3.1)."""
    return tuple(dict.fromkeys((*project.channels, *(("voice",) if "task" in project.channels else ()))))


def read_people(reading: Reading, project: Project) -> dict[str, Person]:
    """The contacts of the file, by name."""
    if not reading.has(("contacts",)):
        return {}
    here = reading.mapping(("contacts",), (), open_=True)
    return {name: Person(name, read_contact(reading, project, ("contacts", name), own=("consent",))) for name in here or ()}


def read_given(reading: Reading, project: Project, path: KeyPath, people: Mapping[str, Person]) -> tuple[Person, ...]:
    """Who lives a story: a name, a contact, one like another with changes, or a list of those."""
    found = [one for n, each in enumerate(reading.sequence(path)) if (one := _one(reading, project, each, people, n)) is not None]
    names = [person.name for person in found]
    for n, name in enumerate(names):
        if name in names[:n]:
            reading.say(
                "S003",
                (*path, n),
                t(
                    "'{n}' lives this story already: give it 'who'",
                    "« {n} » vit déjà cette histoire : donnez-lui « who »",
                    n=name,
                ),
            )
    return tuple(found)


def _one(reading: Reading, project: Project, path: KeyPath, people: Mapping[str, Person], number: int) -> Person | None:
    written = reading.find(path)
    if isinstance(written, Map):
        base: Person | None = None
        if reading.has((*path, "like")):
            like = reading.word((*path, "like"), people)
            base = people.get(like or "")
        values = {**(base.values if base else {}), **read_contact(reading, project, path)}
        who = reading.text((*path, "who")) if reading.has((*path, "who")) else None
        return Person(who or (base.name if base else f"person-{number + 1}"), values)
    name = reading.word(path, people)
    return people.get(name or "")


def read_contact(reading: Reading, project: Project, path: KeyPath, own: tuple[str, ...] = OWN) -> dict[str, Any]:
    """The values of one contact, checked against what the project declares."""
    attributes = project.contacts.attributes
    known = (*attributes, *BUILT_IN, *(c for c in ADDRESSED if c in reaching(project)), *own)
    here = reading.mapping(path, known, open_=True)
    found: dict[str, Any] = {}
    for key in here or ():
        at = (*path, key)
        if key in own:
            continue
        if key == "persona":
            reading.say(
                "S002",
                at,
                t(
                    "'persona' is never given: it follows from the values that its 'match' asks",
                    "« persona » ne se donne pas : elle découle des valeurs que demande son « match »",
                ),
                key=True,
            )
        elif key in attributes:
            found[key] = read_value(reading, at, attributes[key])
        elif key in BUILT_IN:
            found[key] = _built_in(reading, project, at, key)
        elif key in known:
            found[key] = _address(reading, project, at, key)
        else:
            reading.unknown_key(at, known, reading.name(path))
    if here is not None and reading.has((*path, "consent")):
        found["consent"] = read_consent(reading, project, (*path, "consent"))
    return {key: value for key, value in found.items() if value is not None}


def read_value(reading: Reading, path: KeyPath, attribute: Attribute) -> Any:
    """A value of a declared type, as written (lists as lists); `clear` empties it where somebody changes."""
    written = reading.find(path)
    if attribute.kind == "list" and isinstance(written, Seq):
        return [text for text, *_ in reading.texts(path)]
    text = reading.text(path)
    if text is None or attribute.kind == "list" or text == "clear":
        return text
    before = len(reading.findings)
    typed(reading, path, attribute, text)
    return text if len(reading.findings) == before else None


def read_consent(reading: Reading, project: Project, path: KeyPath) -> dict[str, bool] | None:
    """`[email, sms]`, or channel → yes or no."""
    if isinstance(reading.find(path), Map):
        here = reading.mapping(path, reaching(project))
        answers = {channel: reading.yes((*path, channel)) for channel in here or () if channel in reaching(project)}
        return {channel: yes for channel, yes in answers.items() if yes is not None}
    found: dict[str, bool] = {}
    for each in reading.sequence(path):
        channel = reading.word(each, reaching(project))
        if channel is not None:
            found[channel] = True
    return found


def _built_in(reading: Reading, project: Project, path: KeyPath, key: str) -> str | None:
    match key:
        case "language":
            return reading.literal(path, lit.parse_language)
        case "country":
            return reading.literal(path, lit.parse_country)
        case "preferred_channel":
            return reading.word(path, tuple(project.channels))
        case "place":
            return reading.word(path, tuple(project.places)) if project.places else reading.text(path)
        case "time_zone":
            return _zone(reading, path)
        case "created":
            wall = reading.wall(path)
            return str(wall.moment)[:16] if wall else None
    return reading.text(path)


def _zone(reading: Reading, path: KeyPath) -> str | None:
    text = reading.text(path)
    if text is None or text in available_timezones():
        return text
    close = nearest(text, available_timezones())
    message = t("no such time zone: '{z}'", "ce fuseau horaire n'existe pas : « {z} »", z=text) + (
        f" ({close}?)" if close else ""
    )
    reading.say("S003", path, message)
    return None


def _address(reading: Reading, project: Project, path: KeyPath, channel: str) -> str | None:
    text = reading.text(path)
    if text is None:
        return None
    try:
        addresses.normalise(channel, text, project.countries[0] if project.countries else None)
    except Refused as refused:
        reading.say("S003", path, f"'{text}': {refused.problem.reason}")
        return None
    return text
