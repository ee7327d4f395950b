"""Import people: every value is kept, repaired or refused by name; a kill resumes; a second import changes nothing.

A file is read in chunks of 5,000 rows, a column at a time (`table.py`), a large one by a process of its own (`ahead.py`), and
written in one transaction a chunk (`bring.py`) together with the number of rows that are done. What happened to each value stands
in `import_row`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import faults
from omnicli.errors import OmniError
from omnicli.people import ahead
from omnicli.people.bring import Who, bring
from omnicli.people.course import Course
from omnicli.people.mapping import ImportMap, check_map, guess_mapping, read_map
from omnicli.people.plan import Plan
from omnicli.people.refused import RefusedFile
from omnicli.people.report import Finding, ImportReport
from omnicli.people.sheet import Chunk, open_sheet
from omnicli.people.table import Table
from omnicli.store import campaigns, consents, imports
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

ROWS = 5000
CONFLICTS = ("keep", "replace", "refuse")
SHOWN = 10_000

__all__ = ["ImportReport", "guess_mapping", "import_contacts"]


def import_contacts(
    store: Store, loaded: Loaded, file: Path, *, mapping: ImportMap | Path | None = None, now: datetime, key: str | None = None,
    on_conflict: str = "keep", dry_run: bool = False, progress: Callable[[int], None] | None = None, rows_a_chunk: int = ROWS,
) -> ImportReport:  # fmt: skip
    """Bring the people of a file into the store.

    `key` says who is the same person: `id` (default where the map has one) or `email`. `on_conflict`, for people who are in
    the store already: `keep` (what stands stays, gaps are filled), `replace` (the file's values win, its empty cells do not),
    `refuse`. Permissions go by their date either way, and no import lifts a bar. Raises OmniError for a file or map that
    cannot be used; nothing is written then.
    """
    assert loaded.project is not None
    if on_conflict not in CONFLICTS:
        raise OmniError(t("--on-conflict is one of {all}", "--on-conflict vaut {all}", all=", ".join(CONFLICTS)), code="usage")
    sheet = open_sheet(file)
    if isinstance(mapping, Path):
        mapping = read_map(mapping, loaded.project)
    mapping = mapping or guess_mapping(sheet.header, loaded.project)
    sheet = sheet.with_keys(mapping.columns)
    warnings = [*sheet.notes, *check_map(mapping, sheet.header, loaded.project)]
    plan = Plan(
        loaded.project, mapping, sheet, now, _key(mapping, key), on_conflict, consents.pepper(store, loaded.project.project)
    )
    run = _Run(store, plan, loaded.root, dry_run=dry_run, progress=progress, size=rows_a_chunk)
    return run.carry_out(tuple(warnings))


def _key(mapping: ImportMap, wanted: str | None) -> str:
    has_id = bool(mapping.targets("id"))
    has_email = any(target.name == "email" for target in mapping.targets("address"))
    key = wanted or ("id" if has_id else "email")
    if key not in ("id", "email"):
        raise OmniError(t("--key is id or email", "--key vaut id ou email"), code="usage")
    if (key == "id" and not has_id) or (key == "email" and not has_email):
        raise OmniError(
            t("no column of the map is the {key}: nobody could be told from another", "aucune colonne de la table n'est {key} : impossible de distinguer les personnes",
              key="'id'" if key == "id" else "'address.email'"),
            hint=t("write '<column>: id' in the map, or use --key email", "écrivez « <colonne>: id » dans la table, ou --key email"), code="map",
        )  # fmt: skip
    return key


# --- the run --------------------------------------------------------------------------------------------------------
class _Undo(Exception):
    """Takes back everything a dry run wrote."""


class _Run:
    """One import being carried out."""

    def __init__(
        self, store: Store, plan: Plan, root: Path, *, dry_run: bool, progress: Callable[[int], None] | None, size: int
    ) -> None:
        self.store, self.plan, self.dry_run, self.size = store, plan, dry_run, size
        self.progress = progress or (lambda _n: None)
        self.course = Course()
        self.findings: list[Finding] = []
        self.refused = RefusedFile(root / ".omni" / "imports" / f"{plan.sheet.path.stem}.refused.csv", plan.sheet.header,
                                   plan.sheet.delimiter)  # fmt: skip

    def carry_out(self, warnings: tuple[str, ...]) -> ImportReport:
        if self.dry_run:
            try:
                with self.store.write() as connection:
                    self._all(lambda: _same(connection))
                    raise _Undo
            except _Undo:
                pass
            return self._report(warnings, 0)
        resumed = self._all(self.store.write)
        with self.store.read() as connection:
            self.findings = [_finding(row) for row in imports.findings(connection, self.job.id, limit=SHOWN)]
        return self._report(warnings, resumed)

    def _all(self, write: Callable[[], Any]) -> int:
        """Every chunk, each in `write()`; the row at which an interrupted import was taken up."""
        with write() as connection:
            imports.alone(connection)
            self.job = imports.begin(
                connection, kind="contact", fingerprint=self.plan.fingerprint, file=str(self.plan.sheet.path), now=self.plan.ms
            )
        self.course.counts.update(self.job.report.get("counts", {}))
        self.course.kinds.update(self.job.report.get("kinds", {}))
        if not self.dry_run:
            self.refused.begin(self.job.rows_done)
        done = 0
        for chunk, table in self._chunks():
            if chunk.last_row <= self.job.rows_done:
                self._remember(chunk, table)
            else:
                with write() as connection:
                    self._chunk(connection, chunk, table)
                faults.point("F17")
            self.progress(chunk.last_row - done)
            done = chunk.last_row
        with write() as connection:
            imports.advance(connection, self.job.id, rows_done=done, report=self._state(), finished=self.plan.ms)
            campaigns.look_back(connection, imports.started(connection, self.job.id))
        self.refused.close()
        return self.job.rows_done

    def _chunks(self) -> Iterator[tuple[Chunk, Table]]:
        """The chunks, read and written without Python looking for circles: rows have none, and looking costs a fifth."""
        found = gc.isenabled()
        gc.disable()
        try:
            yield from ahead.read_all(self.plan, self.size)
        finally:
            if found:
                gc.enable()

    def _state(self) -> dict[str, Any]:
        return {"counts": dict(self.course.counts), "kinds": dict(self.course.kinds)}

    def _remember(self, chunk: Chunk, table: Table) -> None:
        """Take up an interrupted import: who stood in the rows that are done."""
        with self.store.read() as connection:
            who = Who(connection, self.plan, table)
            for place, contact_id in who.known_by_place():
                self.course.see(contact_id, chunk.rows[place])

    def _chunk(self, connection: sa.Connection, chunk: Chunk, table: Table) -> None:
        imports.alone(connection)
        findings = bring(connection, self.plan, self.course, chunk, table)
        self.course.counts["values_refused"] += sum(1 for f in findings if f.outcome == "refused")
        self.course.counts["values_repaired"] += sum(1 for f in findings if f.outcome == "repaired")
        self.course.kinds.update(f.kind for f in findings)
        if self.dry_run:
            self.findings += findings[: max(0, SHOWN - len(self.findings))]
        else:
            self.refused.add(chunk, findings)
            imports.note(connection, self.job.id, _rows(findings))
            imports.advance(connection, self.job.id, rows_done=chunk.last_row, report=self._state())

    def _report(self, warnings: tuple[str, ...], resumed: int) -> ImportReport:
        c = self.course.counts
        return ImportReport(
            str(self.plan.sheet.path), c["new"] + c["changed"] + c["same"] + c["repeated"] + c["refused"], c["new"], c["changed"], c["same"],
            c["repeated"], c["refused"], c["values_refused"], c["values_repaired"], resumed, dict(sorted(self.course.kinds.items())),
            tuple(self.findings), warnings, self.refused.written, c["woken"],
        )  # fmt: skip


@contextmanager
def _same(connection: sa.Connection) -> Iterator[sa.Connection]:
    yield connection


def _rows(findings: Sequence[Finding]) -> list[tuple[Any, ...]]:
    out, before, seq = [], 0, 0
    for f in findings:
        seq = seq + 1 if f.row == before else 1
        before = f.row
        out.append(
            (f.row, seq, f.line, f.contact, f.column, _kept(f.value), f.kind, f.outcome, f.reason, _kept(f.became), f.same_as_row)
        )
    return out


def _kept(value: str | None) -> str | None:
    """The value for the record: no half characters (SQLite takes none), 500 characters at most."""
    return None if value is None else value[:500].encode("utf-8", "backslashreplace").decode()


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(row["row_no"], row["line"], row["contact"], row["column"], row["value"], row["kind"], row["outcome"], row["reason"],
                   row["became"], row["same_as_row"])  # fmt: skip
