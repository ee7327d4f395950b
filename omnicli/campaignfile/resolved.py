"""A campaign as the store keeps it: one canonical tree, its hash, and the way back to an equal campaign.

The tree holds the typed values with defaults filled in and the shared segments and personas that the campaign uses.
Comments, order of keys, quoting, `owner`, `title`, `why`, `migrate` and the rest of `omni.yaml` are no part of it;
order counts in lists, `for`, arms and personas (docs/language, section 4).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omnicli.model.campaign import Campaign, ExitRule, Send, Step, WaitStep
from omnicli.model.flow import Flow
from omnicli.model.project import Persona, Project, Segment

_NOT_PART = frozenset({"owner", "title", "why", "migrate"})
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_SEGMENT = re.compile(r"(?<![\w.-])segment\s+([^\W\d][\w-]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Resolved:
    """`tree` is canonical JSON, `hash` its SHA-256 in hex; seven digits are shown."""

    tree: str
    hash: str

    @property
    def short(self) -> str:
        return self.hash[:7]


def resolve(campaign: Campaign, project: Project) -> Resolved:
    """The version of a campaign that validated without an error."""
    whole = merged(campaign, project)
    dumped = whole.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(_NOT_PART))
    tree = json.dumps(_ordered(dumped), ensure_ascii=False, separators=(",", ":"))
    return Resolved(tree, hashlib.sha256(tree.encode()).hexdigest())


@lru_cache(maxsize=256)
def revive(tree: str) -> Campaign:
    """The campaign of a tree, shared segments and personas merged in; its title is its name. Kept: every tick asks again."""
    data = json.loads(tree)
    return Campaign.model_validate({"title": data["campaign"], **data}, by_alias=True, by_name=False)


def merged(campaign: Campaign, project: Project) -> Campaign:
    """The campaign with its personas written out and every segment it uses beside its own."""
    personas = personas_of(campaign, project)
    segments = {**_used(campaign, personas, project.segments), **campaign.segments}
    return campaign.model_copy(update={"personas": personas, "segments": segments})


def personas_of(campaign: Campaign, project: Project) -> dict[str, Persona]:
    """The personas in force, in the order in which they are asked."""
    if campaign.personas is None:
        return dict(project.personas)
    if isinstance(campaign.personas, dict):
        return dict(campaign.personas)
    return {name: project.personas[name] for name in campaign.personas if name in project.personas}


def _used(campaign: Campaign, personas: Mapping[str, Persona], shared: Mapping[str, Segment]) -> dict[str, Segment]:
    """Shared segments that a condition of the campaign names, and those that they name in turn."""
    used: dict[str, Segment] = {}
    texts = [*_conditions(campaign), *(p.match for p in personas.values() if p.match)]
    while texts:
        for name in segments_in(texts.pop()):
            if name in shared and name not in used and name not in campaign.segments:
                used[name] = shared[name]
                texts.append(shared[name].match)
    return {name: used[name] for name in sorted(used)}


def segments_in(condition: str) -> list[str]:
    """Names behind `segment` in a condition, quoted texts left out."""
    return _SEGMENT.findall(_QUOTED.sub("''", condition))


def _conditions(campaign: Campaign) -> Iterable[str]:
    """Every condition and event term of the campaign."""
    found: list[str | None] = [campaign.enter.if_, *(campaign.enter.when or ())]
    found += campaign.goal.when if campaign.goal else ()
    for rule in campaign.exit:
        found += (rule.if_, rule.when) if isinstance(rule, ExitRule) else ()
    found += [segment.match for segment in campaign.segments.values()]
    for node in Flow.of(campaign):
        found += _conditions_of(node.step)
    return [text for text in found if text]


def _conditions_of(step: Step) -> list[str | None]:
    found: list[str | None] = [getattr(step, "measure", None)]
    if isinstance(step, Send):
        found.append(step.if_)
    if isinstance(step, WaitStep):
        found += step.for_ or ()
    found += [branch.if_ for branch in getattr(step, "choose", ())]
    return found


def _ordered(value: Any, name: str = "", *, inside: str = "") -> Any:
    """Keys sorted wherever their order says nothing: not in `personas`, and not in `for` and `split` of the flow."""
    if isinstance(value, list):
        return [_ordered(one, inside=inside or name) for one in value]
    if not isinstance(value, dict):
        return value
    counts = (name == "personas" and not inside) or (name in ("for", "split") and inside == "flow")
    keys = list(value) if counts else sorted(value)
    return {key: _ordered(value[key], "" if counts else key, inside=inside or name) for key in keys}
