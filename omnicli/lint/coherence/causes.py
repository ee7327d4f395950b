"""One cause, one finding: what many renderings show at one place is told once, with the grid compressed (docs/consistency 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnicli.lint.coherence.grid import Cell, compressed
from omnicli.lint.ground import Ground, Path_
from omnicli.model.finding import Finding, Fix, Place


@dataclass(slots=True)
class _Cause:
    place: Place
    path: Path_
    message: str
    help: str
    fix: Fix | None
    fact: str
    cells: list[Cell] = field(default_factory=list)


class Causes:
    """Collects what a rule sees in the readings, by place and fact."""

    def __init__(self, ground: Ground, code: str) -> None:
        self.ground, self.code = ground, code
        self._found: dict[Any, _Cause] = {}

    def add(
        self, place: Place, message: str, cells: Sequence[Cell], *, path: Path_ = (), fact: str = "", help: str = "", fix: Fix | None = None,
    ) -> None:  # fmt: skip
        """One more sight of the cause at this place; the first sight's words are kept."""
        found = self._found.setdefault((place, fact), _Cause(place, path, message, help, fix, fact))
        found.cells += [cell for cell in cells if cell not in found.cells]

    def findings(self) -> Iterator[Finding]:
        for one in self._found.values():
            where = {**compressed(one.cells), "renderings": len(one.cells), **({"fact": one.fact} if one.fact else {})}
            yield self.ground.finding(self.code, one.place, one.message, path=one.path, help=one.help, fix=one.fix, where=where)
