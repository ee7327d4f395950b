"""The names that a condition may speak of: what the condition language is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from omnicli.model.campaign import Campaign
from omnicli.model.flow import Flow
from omnicli.model.project import BUILT_IN_EVENTS, Project
from omnicli.model.written import unknown


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of the condition language: `text code choice list number percent distance duration money date time
    yes or no`; `currency` for money, `choices` for choice."""

    name: str
    currency: str | None = None
    choices: tuple[str, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """Names in force at one place of one file. `messages` and `steps` are those of the campaign (empty in `omni.yaml`);
    `campaigns` maps every campaign of the project to its message names, for `clicked bienvenue/offre-bienvenue`."""

    attributes: Mapping[str, Kind]
    events: Mapping[str, Mapping[str, Kind]]
    channels: frozenset[str]
    segments: Mapping[str, str]
    personas: Mapping[str, str | None]
    campaigns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    campaign: str | None = None
    messages: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    currency: str = "EUR"


_TEXT, _CODE, _NUMBER, _TIME = Kind("text"), Kind("code"), Kind("number"), Kind("time")

#: Payload fields that responses from channels carry, for `where ( … )`.
RESPONSE_FIELDS: Mapping[str, Kind] = {
    "channel": _CODE, "campaign": _CODE, "message": _CODE, "step": _CODE, "link": _CODE,
    "text": _TEXT, "keyword": _TEXT, "digits": _CODE, "reason": _TEXT, "place": _CODE, "via": _CODE, "about": _TEXT,
}  # fmt: skip

BUILT_IN_KINDS: Mapping[str, Kind] = {
    "id": _CODE, "language": _CODE, "country": _CODE, "time_zone": _CODE, "preferred_channel": _CODE, "place": _CODE,
    "created": _TIME,
}  # fmt: skip


def vocabulary(project: Project, campaign: Campaign | None = None, campaigns: Mapping[str, Campaign] | None = None) -> Vocabulary:
    """What may be named in `omni.yaml` (campaign None) or in this campaign."""
    attributes = dict(BUILT_IN_KINDS)
    for name, declared in project.contacts.attributes.items():
        attributes[name] = Kind(declared.kind, declared.currency, declared.choices, declared.sensitive)
    events: dict[str, Mapping[str, Kind]] = dict.fromkeys(BUILT_IN_EVENTS, RESPONSE_FIELDS)
    events.update(dict.fromkeys(project.sla, RESPONSE_FIELDS))
    for name, fields in project.events.items():
        events[name] = {f: Kind(a.kind, a.currency, a.choices) for f, a in fields.items()}
    segments = {name: _asked(s.match) for name, s in project.segments.items()}
    personas: dict[str, str | None] = {name: p.match and _asked(p.match) for name, p in project.personas.items()}
    if campaign is not None:
        segments.update({name: _asked(s.match) for name, s in campaign.segments.items()})
        if isinstance(campaign.personas, tuple):
            personas = {name: personas[name] for name in campaign.personas if name in personas}
        elif isinstance(campaign.personas, dict):
            personas = {name: p.match and _asked(p.match) for name, p in campaign.personas.items()}
    known = {name: frozenset(c.messages) for name, c in (campaigns or {}).items()}
    return Vocabulary(
        attributes=attributes, events=events, channels=frozenset(project.channels), segments=segments,
        personas=personas, campaigns=known, campaign=campaign.campaign if campaign else None,
        messages=frozenset(campaign.messages) if campaign else frozenset(),
        steps=frozenset(Flow.of(campaign).nodes) if campaign else frozenset(),
        time_zone=project.time_zone, currency=project.currency,
    )  # fmt: skip


def _asked(condition: str) -> str:
    """The condition, or one that says nothing where it could not be read."""
    return "everyone" if unknown(condition) else condition
