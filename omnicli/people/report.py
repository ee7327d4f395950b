"""What an import says: each value that was repaired or refused, each row that was left out, and the sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that was repaired or refused (`column` is the file's), or a row (outcome `row refused`).

    `became` is what a repaired value is now; `same_as_row` the earlier row of a duplicate.
    """

    row: int
    line: int
    contact: str | None
    column: str
    value: str = field(repr=False)
    kind: str = ""
    outcome: str = ""
    reason: str = ""
    became: str | None = field(default=None, repr=False)
    same_as_row: int | None = None


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `rows` = new + changed + same + repeated + refused."""

    file: str
    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    repeated: int = 0
    refused: int = 0
    values_refused: int = 0
    values_repaired: int = 0
    resumed_at: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    refused_file: Path | None = None
    woken: int = 0
