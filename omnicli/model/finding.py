"""A finding: what lint and the loader say about a file. A value, never raised."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from omnicli.texts import several

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Place:
    """A span in a file: line and column from 1, columns in code points; `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def at(cls, file: str, line: int = 1, column: int = 1, width: int = 1) -> Place:
        return cls(file, line, column, line, column + max(width, 1))


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of the span by `text`."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A mend: `safe` ones are applied by `--fix`; `title` is what it does."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True
    create: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Code, severity, place, message, help and fix. `path` is the key path in the file (`flow.3.send`)."""

    code: str
    name: str
    severity: Severity
    place: Place
    message: str
    path: str = ""
    help: str = ""
    fix: Fix | None = None
    where: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Stable while lines move: code, file, path and message."""
        names = "\x1f".join((self.code, self.place.file, self.path, self.message))
        return hashlib.sha256(names.encode()).hexdigest()[:16]


def foremost(findings: Sequence[Finding]) -> str:
    """The first one in its place, and who tells the others: what a command says that only refuses."""
    first = findings[0]
    said = f"{first.place.file}:{first.place.line}:{first.place.column}: {first.code} {first.message}"
    if (more := len(findings) - 1) == 0:
        return f"{said}   (omni lint)"
    return said + several(more, ("   (and {n} more: omni lint)", "   (and {n} more: omni lint)"),
                          ("   (et {n} autre : omni lint)", "   (et {n} autres : omni lint)"))  # fmt: skip
