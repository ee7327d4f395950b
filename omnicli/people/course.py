"""How far an import is: what it counted, and in which row of the file each person stood first."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Course:
    """`seen[n]` is the row in which the contact numbered n stood first in this file, 0 when it did not: four bytes a person."""

    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    seen: array[int] = field(default_factory=lambda: array("l", [0]))

    def see(self, contact_id: int, row: int) -> None:
        if contact_id >= len(self.seen):
            self.seen.extend([0] * (contact_id + 1 - len(self.seen)))
        if not self.seen[contact_id]:
            self.seen[contact_id] = row

    def see_new(self, first: int, rows: Sequence[int]) -> None:
        """New people are numbered one after the other from `first`."""
        self.seen.extend([0] * (first - len(self.seen)))
        del self.seen[first:]
        self.seen.extend(rows)

    def first_row(self, contact_id: int) -> int:
        return self.seen[contact_id] if contact_id < len(self.seen) else 0
