"""The file of what an import could not keep: as it came, with line and reasons; mend it and import this very file."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from omnicli.people.report import Finding
from omnicli.people.sheet import Chunk


class RefusedFile:
    """Rows that lost something, as they came, with line and reasons: mend them and import this very file.

    UTF-8 with a mark and the separator of the original, so that the spreadsheet it came from opens it as it should.
    """

    def __init__(self, path: Path, header: Sequence[str], delimiter: str = ",") -> None:
        self.path, self.header, self.delimiter = path, header, delimiter
        self.written: Path | None = None

    def begin(self, rows_done: int) -> None:
        """Start anew, or keep what an interrupted import wrote about the rows that are done."""
        kept: list[list[str]] = []
        if rows_done and self.path.exists():
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                kept = [
                    row
                    for row in csv.reader(file, delimiter=self.delimiter)
                    if row and row[-3].isdigit() and int(row[-3]) <= rows_done
                ]
        self.path.unlink(missing_ok=True)
        if kept:
            self._write(kept)

    def add(self, chunk: Chunk, findings: Sequence[Finding]) -> None:
        lost: dict[int, list[Finding]] = {}
        for finding in findings:
            if finding.outcome in ("refused", "row refused"):
                lost.setdefault(finding.row, []).append(finding)
        if not lost:
            return
        cells = dict(zip(chunk.rows, chunk.cells, strict=True))
        broken = {b.row: b.text for b in chunk.broken}
        rows = []
        for row, found in sorted(lost.items()):
            given = cells.get(row, [broken.get(row, ""), *[""] * (len(self.header) - 1)])[: len(self.header)]
            reasons = "; ".join(f"{f.column}: {f.reason}" if f.column else f.reason for f in found)
            rows.append([*map(_guarded, given), str(row), str(found[0].line), reasons])
        self._write(rows)

    def _write(self, rows: list[list[str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not self.path.exists()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file, delimiter=self.delimiter)
            if fresh:
                file.write("\ufeff")
                writer.writerow([*self.header, "omni_row", "omni_line", "omni_reasons"])
            writer.writerows(rows)
        self.written = self.path

    def close(self) -> None:
        if self.written is not None and not self.path.exists():
            self.written = None


def _guarded(cell: str) -> str:
    """No cell that a spreadsheet would take for a formula (docs/delivery S09); an import takes the apostrophe off again."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠") else cell
