"""The closed list of mutations: each kind has a name, the file it is seeded in and the codes of which one must answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.kinds import drops, typed, wrong
from omnicli.campaigns.mutate.seed import Candidate


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the public table (docs/coherence). `where` is what is edited: words, facts, template, path."""

    where: str
    codes: tuple[str, ...]
    candidates: Callable[[Field], Iterator[Candidate]]


KINDS: Mapping[str, Kind] = {
    "drop-in-say": Kind("words", ("M001",), drops.in_say),
    "drop-in-template": Kind("template", ("M001",), drops.in_template),
    "typed-in-say": Kind("words", ("M002",), typed.in_say),
    "typed-in-template": Kind("template", ("M002",), typed.in_template),
    "off-by-one": Kind("words, template", ("M003",), wrong.numbers("off-by-one")),
}
