"""The values of the harness: who reads a message, a fault that can be seeded, the mutant it makes, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from omnicli.campaignfile import KeyPath

Verdict = Literal["caught", "survived", "equivalent", "broken"]


class Reading(NamedTuple):
    """One way in which a message is read."""

    campaign: str
    message: str
    channel: str
    language: str
    persona: str | None


@dataclass(frozen=True, slots=True)
class At:
    """A place of the mutated text: a line (from 1) of a template, or a key path of a YAML file (the lines of key and value;
    of a mapping only the key's). `about`: a finding here counts only when it speaks of this fact."""

    file: str
    path: KeyPath = ()
    line: int = 0
    about: str = ""


@dataclass(frozen=True, slots=True)
class Seed:
    """One mutant: the edited files as they would read, the codes of which one must be found, and where. `with_message`: a
    second message of the campaign that the check must see. `alone`: the other languages play no part, so they are not read."""

    reading: Reading
    edits: Mapping[str, str] = field(repr=False)
    codes: tuple[str, ...]
    places: tuple[At, ...]
    with_message: str = ""
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fault that can be seeded: `name` is unique within its kind; `make` builds the mutant, or None where it cannot be
    seeded after all (the text would not change)."""

    name: str
    make: Callable[[], Seed | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one mutant: `seen` are the findings (as `file:line CODE message`) of one that was not caught; `detail` why
    it is broken (it could not be read or rendered as the kind meant it)."""

    kind: str
    name: str
    verdict: Verdict
    codes: tuple[str, ...]
    diff: str = field(default="", repr=False)
    seen: tuple[str, ...] = ()
    detail: str = ""

    @property
    def counts(self) -> bool:
        """False for what is no mutant: equivalent or broken."""
        return self.verdict in ("caught", "survived")
