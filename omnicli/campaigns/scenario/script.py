"""A life as it can be lived again: who the person is, and what happens to them at which instants.

A script says nothing of what omni does. `told` prints it as a scenario of a test file, which lives it the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from omnicli.model.story import Environment


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happens to a person at `at`: an `event` with its payload, a `change` of attributes, or `consent` by channel.
    `was`: an event of then that is heard of at `at`."""

    at: datetime
    kind: Literal["event", "change", "consent"]
    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    was: datetime | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One life. `arms` are pinned, others drawn from `who`."""

    who: str
    number: int
    start: datetime
    given: Mapping[str, str]
    consent: tuple[str, ...]
    deeds: tuple[Deed, ...]
    environment: Environment = field(default_factory=Environment)
    holdout: bool = False
    arms: Mapping[str, str] = field(default_factory=dict)

    @property
    def contact(self) -> dict[str, object]:
        """As a test file writes a contact."""
        return {**self.given, "consent": list(self.consent)}

    def without(self, deeds: Sequence[Deed]) -> Script:
        return replace(self, deeds=tuple(one for one in self.deeds if one not in deeds))


def told(script: Script, zone: tzinfo, own: tzinfo, *, end: datetime, name: str) -> list[str]:
    """The lines of a scenario: `zone` is the project's (`start`), `own` the person's (`at`); the clock stands at `end` when it ends."""
    lines = [f"- name: {name}", f"  given: {{{_given(script)}}}", f"  start: {_wall(script.start, zone)}"]
    if script.arms or script.holdout:
        pinned = {**script.arms, **({"holdout": "yes"} if script.holdout else {})}
        lines.append(f"  take: {{{', '.join(f'{key}: {value}' for key, value in pinned.items())}}}")
    if script.environment.provider:
        manners = ", ".join(f"{channel}: {manner}" for channel, manner in script.environment.provider.items())
        lines.append(f"  environment: {{provider: {{{manners}}}}}")
    return [*lines, "  story:", *(f"    {line}" for line in story(script, own, end=end))]


def story(script: Script, own: tzinfo, *, end: datetime) -> list[str]:
    """The lines of the story alone."""
    lines: list[str] = []
    now = script.start
    for deed in script.deeds:
        if deed.at > now:
            lines.append(f"- at: {_wall(deed.at, own)}")
            now = deed.at
        lines.append(_deed(deed, own))
    if end > now:
        lines.append(f"- at: {_wall(end, own)}")
    return lines


def _deed(deed: Deed, own: tzinfo) -> str:
    if deed.kind != "event":
        return f"- {deed.kind}: {_mapping(deed.values)}"
    parts = [f"event: {deed.name}"]
    if deed.was is not None:
        parts.append(f"happened: {_wall(deed.was, own)}")
    if deed.values:
        parts.append(f"with: {_mapping(deed.values)}")
    return f"- {parts[0]}" if len(parts) == 1 else f"- {{{', '.join(parts)}}}"


def _given(script: Script) -> str:
    parts = [f"{key}: {_scalar(value)}" for key, value in script.given.items()]
    return ", ".join([*parts, f"consent: [{', '.join(script.consent)}]"])


def _mapping(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in values.items()) + "}"


def _scalar(text: str) -> str:
    plain = text and text[0].isalnum() and not set(text) & set(",:{}[]#\"'&*!|>%@`")
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wall(instant: datetime, zone: tzinfo) -> str:
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def zone_of(script: Script, project_zone: str) -> tzinfo:
    """The zone in which the person's story tells time, where the contact names one."""
    return ZoneInfo(script.given.get("time_zone") or project_zone)
