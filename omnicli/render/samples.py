"""The grid that a message is shown and checked on: its channels, languages and personas, and four people who read it.

`typical` has ordinary values, `longest` long ones, `empty` nothing that can be missing, and `foreign` what breaks careless
templates: quotes, mark-up, letters from right to left, emoji, a day that differs from UTC's (docs/consistency 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from omnicli import clock
from omnicli.channels import MEDIA
from omnicli.errors import OmniError
from omnicli.model import ids
from omnicli.model.campaign import Campaign
from omnicli.model.flow import Flow
from omnicli.model.literals import MINOR_DIGITS
from omnicli.model.project import Attribute, Persona, Project
from omnicli.render.renderer import RenderJob
from omnicli.text import did_you_mean
from omnicli.texts import t

SAMPLES = ("typical", "longest", "empty", "foreign")

_TEXTS = {
    "typical": {
        "first_name": "Camille",
        "last_name": "Martin",
        "name": "Camille Martin",
        "company": "Atelier Martin",
        "city": "Lyon",
    },
    "longest": {
        "first_name": "Maximilienne-Alexandrine",
        "last_name": "de Montmorency-Châtillon",
        "city": "Saint-Remy-en-Bouzemont-Saint-Genest",
    },
    "foreign": {"first_name": "O'Connor & <Fils>", "last_name": "בן־דוד 👩‍👩‍👧"},
}
_OTHERS = {"typical": "exemple", "longest": "un mot particulièrement long", "foreign": "“d’une” & <autre> שפה 🕯️"}


@dataclass(frozen=True, slots=True)
class Sample:
    """Someone to write to: columns by attribute name, a language and a zone."""

    name: str
    contact: Mapping[str, Any] = field(repr=False)
    zone: str
    language: str | None = None
    persona: str | None = None


def sample(project: Project, name: str, *, now: datetime) -> Sample:
    """One of the four people."""
    contact: dict[str, Any] = {"id": f"sample-{name}", "country": project.countries[0] if project.countries else None}
    for key, declared in project.contacts.attributes.items():
        value = declared.default if name == "empty" else _value(key, declared, name, now)
        if value is not None:
            contact[key] = value
    return Sample(name, contact, "Pacific/Auckland" if name == "foreign" else project.time_zone)


def _value(key: str, declared: Attribute, sample: str, now: datetime) -> Any:
    kind = declared.kind
    if declared.example is not None and sample == "typical":
        return _column(kind, declared, declared.example)
    long = sample == "longest"
    match kind:
        case "text" | "code":
            known = _TEXTS[sample].get(key)
            return known if known is not None else ("A1B2C3D4E5F6" if long else "A1B2") if kind == "code" else _OTHERS[sample]
        case "choice":
            return max(declared.choices, key=len) if long else declared.choices[0]
        case "list":
            return [_OTHERS[sample]] * (3 if long else 1)
        case "number":
            return 1_234_567 if long else 12
        case "percent":
            return 12.5 if long else 20
        case "money":
            return 1_234_567_89 if long else 4_990
        case "distance":
            return 123_456.0 if long else 2_500.0
        case "duration":
            return 43_200 if long else 90
        case "date":
            return (
                (now + timedelta(days=30)).date().replace(month=9, day=30) if long else (now + timedelta(days=30)).date()
            ).isoformat()
        case "time":
            return clock.to_ms(now)
    return 1


def _column(kind: str, declared: Attribute, example: str) -> Any:
    """An `example:` of the project as a column of the store would hold it."""
    match kind:
        case "money":
            amount, _, currency = example.partition(" ")
            return round(float(amount) * 10 ** MINOR_DIGITS.get(currency or declared.currency or "EUR", 2))
        case "number" | "percent":
            return float(example.removesuffix("%").strip())
        case "list":
            return [word.strip() for word in example.split(",")]
        case "yes or no":
            return 1 if example == "yes" else 0
    return example


def personas(project: Project, campaign: Campaign) -> Mapping[str, Persona]:
    """The personas that a campaign writes for, in the order in which they are asked."""
    own = campaign.personas
    if isinstance(own, Mapping):
        return own
    if own is not None:
        return {name: project.personas[name] for name in own if name in project.personas}
    return project.personas


def languages(project: Project, campaign: Campaign) -> tuple[str, ...]:
    return tuple(getattr(campaign, "languages", None) or project.languages)


def channels(project: Project, campaign: Campaign, message: str) -> tuple[str, ...]:
    """The channels by which the flow can send this message, cut to those that it may take; in the order of the project."""
    found: set[str] = set()
    for node in Flow.of(campaign).sends:
        if getattr(node.step, "send", None) != message:
            continue
        by = getattr(node.step, "by", "")
        found.update(_preferred(project, campaign) if by == "preferred" else (by,))
        found.update(getattr(node.step, "else_", ()))
    allowed = campaign.messages[message].channels
    if not found:
        found = set(allowed or project.channels)
    return tuple(name for name in project.channels if name in found and name in MEDIA and (allowed is None or name in allowed))


def _preferred(project: Project, campaign: Campaign) -> Iterator[str]:
    for persona in personas(project, campaign).values():
        yield from persona.channels
    if not any(persona.channels for persona in personas(project, campaign).values()):
        yield from (name for name in project.channels if name in MEDIA and MEDIA[name].has_address)


def step_of(campaign: Campaign, message: str, channel: str) -> str:
    """The first step that sends this message, by this channel if there is one."""
    sends = [node for node in Flow.of(campaign).sends if getattr(node.step, "send", None) == message]
    best = [node for node in sends if channel in (getattr(node.step, "by", ""), *getattr(node.step, "else_", ()))]
    return (best or sends)[0].id if sends else ""


def job_for(
    project: Project,
    campaign: Campaign,
    message: str,
    *,
    channel: str,
    language: str,
    persona: str | None,
    person: Sample,
    now: datetime,
    step: str | None = None,
) -> RenderJob:
    """The touch that this person would get now, as if just entered; `step` where it is known already."""
    step = step_of(campaign, message, channel) if step is None else step
    uid = ids.contact_uid(project.project, str(person.contact.get("id", person.name)))
    name = " ".join(str(person.contact[key]) for key in ("first_name", "last_name") if person.contact.get(key))
    return RenderJob(
        campaign=campaign, message=message, channel=channel, language=language, persona=persona, step=step,
        touch=ids.touch_key(project.project, campaign.campaign, uid, 1, step, channel).hex(), at=now, entered_at=now, zone=person.zone,
        contact={**person.contact, "language": language}, purpose=campaign.messages[message].purpose or campaign.purpose,
        event=_event(project, campaign), extra={"contact": name} if name and channel in ("task", "voice", "letter", "qr") else {},
    )  # fmt: skip


def _event(project: Project, campaign: Campaign) -> Mapping[str, Any]:
    """A payload such as the entering event might bring, for facts that come from it."""
    names = [term.split()[0] for term in campaign.enter.when or ()] if getattr(campaign, "enter", None) else []
    fields = {key: declared for name in names for key, declared in project.events.get(name, {}).items()}
    return {key: _value(key, declared, "typical", clock.EPOCH) for key, declared in fields.items()}


__all__ = ["SAMPLES", "Sample", "channels", "job_for", "languages", "personas", "sample", "step_of"]


def unknown(what: str, word: str, known: Iterable[str]) -> OmniError:
    """What is said of a channel, language, persona or message that this grid does not have."""
    names = sorted(known)
    said = t("no {what} '{word}' here.", "pas de {what} « {word} » ici.", what=what, word=word)
    hint = t("there are: {names}", "il y a : {names}", names=", ".join(names))
    return OmniError(said + did_you_mean(word, names), hint=hint, code="usage")
