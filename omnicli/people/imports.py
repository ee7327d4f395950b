"""Import people: every value is kept, repaired or refused by name; a kill resumes; a second import changes nothing.

A file is read in chunks of 5,000 rows, a column at a time (`reading.py`), and written in one transaction a chunk together
with the number of rows that are done. Statement of what happened to each value: `import_row`.
"""

from __future__ import annotations

import csv
import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import compress
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock, faults
from omnicli.errors import Exit, OmniError
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uid
from omnicli.model.project import Project
from omnicli.people.clean import Problem
from omnicli.people.mapping import ImportMap, Target, check_map, guess_mapping
from omnicli.people.reading import PHONES, Memory, parser
from omnicli.people.sheet import Chunk, Sheet, open_sheet
from omnicli.store import consents, imports, inbox
from omnicli.store.columns import ValueRefused, attribute_column, folded, folded_column, kind_of, to_column
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

ROWS = 5000
CONFLICTS = ("keep", "replace", "refuse")
BUILT_IN = ("language", "country", "time_zone", "preferred_channel", "place")
SHOWN = 10_000

__all__ = ["ImportReport", "guess_mapping", "import_contacts"]


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


def import_contacts(
    store: Store, loaded: Loaded, file: Path, *, mapping: ImportMap | None = None, now: datetime, key: str | None = None,
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
    mapping = mapping or guess_mapping(sheet.header, loaded.project)
    sheet = sheet.with_keys(mapping.columns)
    warnings = [*sheet.notes, *check_map(mapping, sheet.header, loaded.project)]
    plan = Plan(
        loaded.project, mapping, sheet, now, _key(mapping, key), on_conflict, consents.pepper(loaded.project.project, store.path)
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


# --- what is read into what -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Fill:
    """One column of the file read for one target."""

    place: int
    column: str
    target: Target
    memory: Memory


class Plan:
    """Everything about an import that does not change from chunk to chunk."""

    def __init__(
        self, project: Project, mapping: ImportMap, sheet: Sheet, now: datetime, key: str, on_conflict: str, pepper: bytes
    ) -> None:
        self.project, self.mapping, self.sheet, self.now, self.key = project, mapping, sheet, now, key
        self.on_conflict, self.pepper, self.ms = on_conflict, pepper, clock.to_ms(now)
        places = {column: place for place, column in enumerate(sheet.header)}
        self.fills = []
        for column, targets in mapping.columns.items():
            shared = Memory(parser(Target("address", "sms"), project, now))  # one number may reach by sms, WhatsApp and voice
            for target in targets:
                if target.kind != "ignore":
                    memory = (
                        shared if target.kind == "address" and target.name in PHONES else Memory(parser(target, project, now))
                    )
                    self.fills.append(Fill(places[column], column, target, memory))
        self.fills.sort(key=lambda fill: not (fill.target.kind == "built_in" and fill.target.name == "country"))  # phones need it
        self.attributes = tuple(project.contacts.attributes)
        self.kinds = {name: kind_of(attribute) for name, attribute in project.contacts.attributes.items()}
        self.defaults = {name: self._default(name) for name in self.attributes}

    def _default(self, name: str) -> Any:
        given = self.project.contacts.attributes[name].default
        try:
            return None if given is None else to_column(self.kinds[name], given, zone=self.project.time_zone)[0]
        except ValueRefused:
            return None

    @property
    def fingerprint(self) -> str:
        """The same for the same bytes read in the same way."""
        parts = (self.sheet.fingerprint, self.mapping.signature(), self.key, self.on_conflict)
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()

    @cached_property
    def country(self) -> str | None:
        """The country of a national telephone number when a row says none: the project's, if it has just one."""
        return self.project.countries[0] if len(self.project.countries) == 1 else None

    @cached_property
    def read_attributes(self) -> tuple[str, ...]:
        """Attributes that the map fills, or that have a default, in the order of their declaration."""
        filled = {target.name for target in self.mapping.targets("attribute")}
        return tuple(name for name in self.attributes if name in filled or self.defaults[name] is not None)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        named = {target.name for kind in ("address", "consent") for target in self.mapping.targets(kind)}
        return tuple(sorted(named))


@dataclass
class Table:
    """A chunk as columns of stored values, all as long as `size`."""

    size: int
    ids: list[str | None]
    built_in: dict[str, list[Any]]
    created: list[int | None] | None
    values: dict[str, list[Any]]
    copies: dict[str, list[Any]]
    addresses: dict[str, tuple[list[Any], list[Any]]]
    granted: dict[str, list[Any]]
    granted_at: dict[str, list[Any]]
    granted_from: dict[str, list[Any]]
    found: list[tuple[int, str, int, Problem, Any]]  # (place, column, index of the cell, problem, what it became)
    phones: dict[str, tuple[list[Any], list[Any], list[tuple[int, Problem]]]] = field(default_factory=dict)


def read_chunk(plan: Plan, chunk: Chunk) -> Table:
    """The cells of a chunk as stored values; what was repaired or refused stands in `found`."""
    cells = list(zip(*chunk.cells, strict=True)) or [()] * len(plan.sheet.header)
    size = len(chunk.cells)
    table = Table(size, [None] * size, {}, None, {}, {}, {}, {}, {}, {}, [])
    letters: dict[str, list[Any]] = {}
    for fill in plan.fills:
        _read_column(plan, table, letters, fill, cells[fill.place])
    if letters:
        _write_letters(plan, table, letters)
    for name in plan.read_attributes:
        _finish_attribute(plan, table, name)
    return table


def _read_column(plan: Plan, table: Table, letters: dict[str, list[Any]], fill: Fill, cells: tuple[str, ...]) -> None:
    target = fill.target
    if target.kind == "address" and target.name in PHONES:
        read = table.phones.get(fill.column)
        if read is None:
            read = table.phones[fill.column] = fill.memory.read(list(zip(_countries(plan, table), cells, strict=True)))
        values, seconds, problems = read
    else:
        values, seconds, problems = fill.memory.read(cells)
    for place, problem in problems:
        table.found.append((place, fill.column, fill.place, problem, values[place]))
    match target.kind:
        case "id":
            table.ids = values
        case "built_in" if target.name == "created":
            table.created = values
        case "built_in":
            table.built_in[target.name] = values
        case "attribute" if target.form == "add_to":
            before = table.values.get(target.name)
            table.values[target.name] = values if before is None else _sum(before, values)
        case "attribute":
            table.values[target.name] = values
            table.copies[target.name] = seconds
        case "address" if target.part:
            letters[target.part] = values
        case "address":
            _add_address(table, target.name, values, seconds)
        case "consent":
            {"state": table.granted, "on": table.granted_at, "from": table.granted_from}[target.part][target.name] = values


def _countries(plan: Plan, table: Table) -> list[str | None]:
    found = table.built_in.get("country")
    if found is None:
        return [plan.country] * table.size
    return found if plan.country is None else [country or plan.country for country in found]


def _sum(left: list[Any], right: list[Any]) -> list[Any]:
    if None not in left and None not in right:
        return list(map(add, left, right))
    return [b if a is None else a if b is None else a + b for a, b in zip(left, right, strict=True)]


def _add_address(table: Table, channel: str, values: list[Any], norms: list[Any]) -> None:
    """Several columns may hold the address of a channel: the first that is usable counts."""
    before = table.addresses.get(channel)
    if before is not None:
        values = [old if old is not None else new for old, new in zip(before[0], values, strict=True)]
        norms = [old if old is not None else new for old, new in zip(before[1], norms, strict=True)]
    table.addresses[channel] = (values, norms)


def _write_letters(plan: Plan, table: Table, parts: dict[str, list[Any]]) -> None:
    """A letter can be sent where street and city are known: name, company, extra, street, `postcode city`, region, country."""
    nothing = [None] * table.size
    columns = [
        parts.get(name, nothing) for name in ("name", "company", "extra", "street", "postcode", "city", "region", "country")
    ]
    values: list[Any] = []
    from omnicli.text import fold

    for name, company, extra, street, postcode, city, region, country in zip(*columns, strict=True):
        town = f"{postcode} {city}" if postcode else city
        known = street and city
        values.append("\n".join(filter(None, (name, company, extra, street, town, region, country))) if known else None)
    _add_address(table, "letter", values, [None if value is None else fold(value) for value in values])


def _finish_attribute(plan: Plan, table: Table, name: str) -> None:
    default, kind = plan.defaults[name], plan.kinds[name]
    values = table.values.get(name)
    if values is None:
        values = [default] * table.size
    elif default is not None and None in values:
        copy = folded(kind, default)
        if name in table.copies:
            table.copies[name] = [copy if value is None else text for value, text in zip(values, table.copies[name], strict=True)]
        values = [default if value is None else value for value in values]
    table.values[name] = values
    if kind.name in ("text", "choice", "list") and name not in table.copies:
        table.copies[name] = [folded(kind, value) for value in values]


# --- the run --------------------------------------------------------------------------------------------------------
class _Undo(Exception):
    """Takes back everything a dry run wrote."""


class _Run:
    """One import being carried out; `seen` says in which row of this file a contact (by its number) stood first."""

    def __init__(
        self, store: Store, plan: Plan, root: Path, *, dry_run: bool, progress: Callable[[int], None] | None, size: int
    ) -> None:
        self.store, self.plan, self.dry_run, self.size = store, plan, dry_run, size
        self.progress = progress or (lambda _n: None)
        self.seen = array("l", [0])
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.refused = _RefusedFile(root / ".omni" / "imports" / f"{plan.sheet.path.stem}.refused.csv", plan.sheet.header)

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
            self.job = imports.begin(
                connection, kind="contact", fingerprint=self.plan.fingerprint, file=str(self.plan.sheet.path), now=self.plan.ms
            )
        self.counts.update(self.job.report.get("counts", {}))
        self.kinds.update(self.job.report.get("kinds", {}))
        if not self.dry_run:
            self.refused.begin(self.job.rows_done)
        done = 0
        for chunk in self.plan.sheet.chunks(self.size):
            if chunk.last_row <= self.job.rows_done:
                self._remember(chunk)
            else:
                with write() as connection:
                    self._chunk(connection, chunk)
                faults.point("F17")
            self.progress(chunk.last_row - done)
            done = chunk.last_row
        with write() as connection:
            imports.advance(connection, self.job.id, rows_done=done, report=self._state(), finished=self.plan.ms)
        self.refused.close()
        return self.job.rows_done

    def _state(self) -> dict[str, Any]:
        return {"counts": dict(self.counts), "kinds": dict(self.kinds)}

    def _remember(self, chunk: Chunk) -> None:
        """Take up an interrupted import: who stood in the rows that are done."""
        table = read_chunk(self.plan, chunk)
        with self.store.read() as connection:
            who = _Who(connection, self, chunk, table)
            for place, contact_id in who.known_by_place():
                self.see(contact_id, chunk.rows[place])

    def see(self, contact_id: int, row: int) -> None:
        if contact_id >= len(self.seen):
            self.seen.extend([0] * (contact_id + 1 - len(self.seen)))
        if not self.seen[contact_id]:
            self.seen[contact_id] = row

    def first_row(self, contact_id: int) -> int:
        return self.seen[contact_id] if contact_id < len(self.seen) else 0

    def _chunk(self, connection: sa.Connection, chunk: Chunk) -> None:
        findings = _Deed(connection, self, chunk, read_chunk(self.plan, chunk)).do()
        self.counts["values_refused"] += sum(1 for f in findings if f.outcome == "refused")
        self.counts["values_repaired"] += sum(1 for f in findings if f.outcome == "repaired")
        self.kinds.update(f.kind for f in findings)
        if self.dry_run:
            self.findings += findings[: max(0, SHOWN - len(self.findings))]
        else:
            self.refused.add(chunk, findings)
            imports.note(connection, self.job.id, _rows(findings))
            imports.advance(connection, self.job.id, rows_done=chunk.last_row, report=self._state())

    def _report(self, warnings: tuple[str, ...], resumed: int) -> ImportReport:
        c = self.counts
        return ImportReport(
            str(self.plan.sheet.path), c["new"] + c["changed"] + c["same"] + c["repeated"] + c["refused"], c["new"], c["changed"], c["same"],
            c["repeated"], c["refused"], c["values_refused"], c["values_repaired"], resumed, dict(sorted(self.kinds.items())),
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


# --- who is who -----------------------------------------------------------------------------------------------------
class _Who:
    """Which rows of a chunk are people of the store, by the key of this import."""

    def __init__(self, connection: sa.Connection, run: _Run, chunk: Chunk, table: Table) -> None:
        self.chunk, self.table = chunk, table
        norms = table.addresses["email"][1] if run.plan.key == "email" else None
        self.names = [i or n for i, n in zip(table.ids, norms, strict=True)] if norms is not None else table.ids
        asked = [name for name in self.names if name is not None]
        self.known = imports.by_source_id(connection, asked) if asked else {}
        self.keys: list[str | None] = list(self.names)
        if norms is not None:
            self.keys = norms
            mails = imports.by_address(connection, "email", [norm for norm in norms if norm is not None])
            by_id = {name: self.known[name] for name in asked if name in self.known}
            self.known = {norm: by_id[name] for name, norm in zip(self.names, norms, strict=True) if norm and name in by_id}
            self.known |= {norm: found[0][0] for norm, found in mails.items()}

    def known_by_place(self) -> Iterator[tuple[int, int]]:
        for place, key in enumerate(self.keys):
            if key is not None and key in self.known:
                yield place, self.known[key]


class _Deed:
    """One chunk brought into the store, in the transaction of `connection`."""

    def __init__(self, connection: sa.Connection, run: _Run, chunk: Chunk, table: Table) -> None:
        self.connection, self.run, self.plan, self.chunk, self.table = connection, run, run.plan, chunk, table
        self.out: list[Finding] = []
        self.new: list[int] = []
        self.old: list[tuple[int, int]] = []
        self.bars = imports.any_bar(connection)

    def do(self) -> list[Finding]:
        for broken in self.chunk.broken:
            self.run.counts["refused"] += 1
            self.out.append(Finding(broken.row, broken.line, None, "", broken.text, "not_a_row", "row refused", broken.reason))
        for place in self.chunk.short:
            reason = t(
                "the row is shorter than the header: what is missing is empty",
                "la ligne est plus courte que l'en-tête : le reste est vide",
            )
            self._say(place, "", "", Problem("short_row", "repaired", reason))
        if self.table.size:
            who = _Who(self.connection, self.run, self.chunk, self.table)
            self._sort(who)
            self._same_addresses()
            self._tell_values()
            self._insert_new(who)
            self._change_old()
        return sorted(self.out, key=lambda f: f.row)

    # -- sorting the rows
    def _sort(self, who: _Who) -> None:
        keys = who.keys
        if not who.known and None not in keys and len(set(keys)) == len(keys):
            self.new = list(range(self.table.size))
            return
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            if key is None:
                self._refuse(place, *self._no_key())
            elif key in first:
                self._twice(place, first[key])
            else:
                first[key] = place
                self._one(place, who.known.get(key))

    def _no_key(self) -> tuple[str, str, Problem]:
        if self.plan.key == "id":
            return self._column("id"), "", Problem("no_id", "row refused", t("no id", "pas d'identifiant"))
        reason = t("no usable e-mail address, which is the key", "pas d'adresse e-mail utilisable, or c'est la clé")
        return self._column("address", "email"), "", Problem("no_key", "row refused", reason)

    def _one(self, place: int, contact_id: int | None) -> None:
        if contact_id is None:
            self.new.append(place)
            return
        earlier = self.run.first_row(contact_id)
        if not earlier:
            if self.plan.on_conflict == "refuse":
                self._refuse(place, self._column(self.plan.key), self._cell(place), Problem("in_the_store", "row refused",
                             t("already in the store", "déjà dans la base")))  # fmt: skip
                return
            self.run.see(contact_id, self.chunk.rows[place])
            self.old.append((place, contact_id))
        elif self._would_change(place, contact_id):
            self._another_person(place, earlier)
        else:
            self.run.counts["repeated"] += 1

    def _twice(self, place: int, first: int) -> None:
        if self.chunk.cells[place] == self.chunk.cells[first]:
            self.run.counts["repeated"] += 1
        else:
            self._another_person(place, self.chunk.rows[first])

    def _another_person(self, place: int, earlier: int) -> None:
        if self.plan.key == "id":
            reason = t("same id as an earlier row that is another person; the earlier row stays as it is",
                       "même identifiant qu'une ligne précédente qui est une autre personne ; la ligne précédente reste telle quelle")  # fmt: skip
            self._refuse(place, self._column("id"), self._cell(place), Problem("duplicate_id", "row refused", reason), earlier)
        else:
            reason = t("same address as an earlier row; the earlier row stays as it is",
                       "même adresse qu'une ligne précédente ; la ligne précédente reste telle quelle")  # fmt: skip
            self._refuse(
                place,
                self._column("address", "email"),
                self._cell(place),
                Problem("duplicate_key", "row refused", reason),
                earlier,
            )

    def _would_change(self, place: int, contact_id: int) -> bool:
        return bool(_Change(self, [(place, contact_id)], "replace").find())

    # -- saying what was found
    def _column(self, kind: str, name: str | None = None) -> str:
        if kind == "email":
            kind, name = "address", "email"
        return next((f.column for f in self.plan.fills if f.target.kind == kind and name in (None, f.target.name)), "")

    def _cell(self, place: int) -> str:
        column = self._column(self.plan.key)
        index = next((f.place for f in self.plan.fills if f.column == column), None)
        return "" if index is None else self.chunk.cells[place][index]

    def _say(
        self, place: int, column: str, value: str, problem: Problem, same_as: int | None = None, became: str | None = None
    ) -> None:
        self.out.append(Finding(self.chunk.rows[place], self.chunk.lines[place], self._contact(place), column, value, problem.kind,
                                problem.outcome, problem.reason, became, same_as))  # fmt: skip

    def _contact(self, place: int) -> str | None:
        return self.table.ids[place] or (self.table.addresses["email"][1][place] if self.plan.key == "email" else None)

    def _refuse(self, place: int, column: str, value: str, problem: Problem, same_as: int | None = None) -> None:
        self.run.counts["refused"] += 1
        self._say(place, column, value, problem, same_as)

    def _tell_values(self) -> None:
        """Findings about values, of rows that were not refused; one word a cell though it fills several targets."""
        if not self.table.found:
            return
        kept = {*self.new, *(place for place, _ in self.old)}
        told: set[tuple[int, str]] = set()
        for place, column, index, problem, became in sorted(self.table.found, key=lambda f: f[3].outcome == "repaired"):
            if place in kept and (place, column) not in told:
                told.add((place, column))
                shown = None if became is None or problem.outcome == "refused" else str(became)
                self._say(place, column, self.chunk.cells[place][index], problem, became=shown)

    def _same_addresses(self) -> None:
        """Two people with one e-mail address: both are kept, spelt alike, and it is said."""
        if "email" not in self.table.addresses or self.plan.key == "email":
            return
        values, norms = self.table.addresses["email"]
        asked = [norm for norm in norms if norm is not None]
        stored = imports.by_address(self.connection, "email", asked) if asked else {}
        if not stored and len(set(asked)) == len(asked):
            return
        contact_of = dict(self.old)
        earlier: dict[str, int] = {}
        for place in sorted([*self.new, *contact_of]):
            norm = norms[place]
            if norm is None:
                continue
            own = contact_of.get(place)
            twins = [(i, value) for i, value in stored.get(norm, ()) if i != own and (own is None or i < own)]
            if twins:
                self._same_address(place, values, twins[0][1], self.run.first_row(twins[0][0]) or None)
            elif norm in earlier and own is None:
                self._same_address(place, values, values[earlier[norm]], self.chunk.rows[earlier[norm]])
            earlier.setdefault(norm, place)

    def _same_address(self, place: int, values: list[Any], spelling: str, row: int | None) -> None:
        column = self._column("address", "email")
        cell = self.chunk.cells[place][next(f.place for f in self.plan.fills if f.column == column)]
        capitals = values[place] != spelling
        if row is None:
            reason = t(
                "same address as somebody in the store: one message at most",
                "même adresse que quelqu'un de la base : un message au plus",
            )
        elif capitals:
            reason = t("same address as an earlier row but for capitals: one message at most",
                       "même adresse qu'une ligne précédente, aux majuscules près : un message au plus")  # fmt: skip
        else:
            reason = t(
                "same address as an earlier row: one message at most", "même adresse qu'une ligne précédente : un message au plus"
            )
        self._say(place, column, cell, Problem("same_address", "repaired" if capitals else "kept", reason), row, spelling)
        values[place] = spelling

    # -- writing
    def _insert_new(self, who: _Who) -> None:
        if not self.new:
            return
        if self.bars:
            self._leave_out_erased()
        first = imports.next_id(self.connection)
        fresh = _Fresh(self, who, first)
        fresh.insert()
        for contact_id, place in zip(fresh.ids, self.new, strict=True):
            self.run.see(contact_id, self.chunk.rows[place])
        self.run.counts["new"] += len(self.new)
        if inbox.unmatched(self.connection):
            self.run.counts["woken"] += inbox.unfold_unmatched(self.connection, fresh.names)

    def _leave_out_erased(self) -> None:
        """Who was erased at their own wish is not brought back by a file (docs/delivery S28)."""
        marks = {(place, channel): consents.fingerprint(self.plan.pepper, channel, norms[place])
                 for channel, (_, norms) in self.table.addresses.items() for place in self.new if norms[place] is not None}  # fmt: skip
        reasons = imports.bars(self.connection, sorted(set(marks.values())))
        gone = {place for (place, _), mark in marks.items() if "erased" in reasons.get(mark, ())}
        for place in sorted(gone):
            self._refuse(place, self._column(self.plan.key), self._cell(place),
                         Problem("erased", "row refused", t("erased at this person's wish", "effacée à la demande de la personne")))  # fmt: skip
        self.new = [place for place in self.new if place not in gone]

    def _change_old(self) -> None:
        if not self.old:
            return
        changed = _Change(self, self.old, self.plan.on_conflict).write()
        self.run.counts["changed"] += len(changed)
        self.run.counts["same"] += len(self.old) - len(changed)


class _Fresh:
    """The rows of new people, built column by column."""

    def __init__(self, deed: _Deed, who: _Who, first: int) -> None:
        self.deed, self.table, self.plan = deed, deed.table, deed.plan
        self.connection = deed.connection
        self.size = len(deed.new)
        self.all = self.size == self.table.size
        chosen = set(deed.new)
        self.mask = [place in chosen for place in range(self.table.size)] if not self.all else []
        self.ids = range(first, first + self.size)
        self.names: list[str] = self.pick(who.names)

    def pick(self, column: Sequence[Any]) -> list[Any]:
        """The values of the new rows."""
        return list(column) if self.all else list(compress(column, self.mask))

    def insert(self) -> None:
        project, ms = self.plan.project.project, self.plan.ms
        now = [ms] * self.size
        created = self.pick(self.table.created) if self.table.created else now
        columns: dict[str, Sequence[Any]] = {
            "id": self.ids, "uid": [contact_uid(project, name) for name in self.names], "source_id": self.names,
            "created_at": [at or ms for at in created] if self.table.created else now, "changed_at": now, "reach": self.reach(),
        }  # fmt: skip
        for name, values in self.table.built_in.items():
            columns[name] = self.pick(values)
        for name in self.plan.read_attributes:
            columns[attribute_column(name)] = self.pick(self.table.values[name])
            if name in self.table.copies and self.plan.kinds[name].name in ("text", "choice", "list"):
                columns[folded_column(name)] = self.pick(self.table.copies[name])
        imports.insert(self.connection, "contact", tuple(columns), zip(*columns.values(), strict=True))
        self.insert_addresses()
        self.insert_consents()
        if self.deed.bars:
            consents.refold_reach(self.connection, self.ids, now=self.plan.now)

    def insert_addresses(self) -> None:
        key, rows = self.plan.pepper, []
        fingerprint = consents.fingerprint
        for channel, (values, norms) in sorted(self.table.addresses.items()):
            rows += [(i, channel, value, norm, fingerprint(key, channel, norm))
                     for i, value, norm in zip(self.ids, self.pick(values), self.pick(norms), strict=True) if value is not None]  # fmt: skip
        imports.insert(self.connection, "address", ("contact_id", "channel", "value", "norm", "hmac"), rows)

    def insert_consents(self) -> None:
        rows, ms = [], self.plan.ms
        nothing = [None] * self.size
        for channel, states in sorted(self.table.granted.items()):
            at = self.pick(self.table.granted_at[channel]) if channel in self.table.granted_at else nothing
            source = self.pick(self.table.granted_from[channel]) if channel in self.table.granted_from else nothing
            rows += [(i, channel, "marketing", state, when if when is not None else ms, told)
                     for i, state, when, told in zip(self.ids, self.pick(states), at, source, strict=True) if state is not None]  # fmt: skip
        if rows:
            rows.sort(key=lambda row: row[0])  # the order of the table: pages are filled once
            imports.insert(self.connection, "consent", ("contact_id", "channel", "purpose", "granted", "at", "source"), rows)
            imports.log_new_consents(self.connection, self.ids.start, self.ids.stop - 1, ms)

    def reach(self) -> list[str]:
        """The folded reach of each new person, as `refold_reach` would write it; few different ones, so remembered."""
        nothing = [None] * self.size
        columns: list[list[Any]] = []
        for channel in self.plan.channels:
            values = self.table.addresses.get(channel)
            columns.append([value is not None for value in self.pick(values[0])] if values else nothing)
            columns.append(self.pick(self.table.granted[channel]) if channel in self.table.granted else nothing)
        if not columns:
            return ["{}"] * self.size
        texts: dict[tuple[Any, ...], str] = {}
        combined = list(zip(*columns, strict=True))
        for facts in set(combined):
            reach = {}
            for place, channel in enumerate(self.plan.channels):
                has, granted = facts[2 * place], facts[2 * place + 1]
                if has or granted is not None:
                    reach[channel] = ChannelReach(bool(has), None if granted is None else bool(granted))
            texts[facts] = write_reach(reach)
        return list(map(texts.__getitem__, combined))


class _Change:
    """What rows of the file would change about people who are in the store."""

    def __init__(self, deed: _Deed, old: Sequence[tuple[int, int]], policy: str) -> None:
        self.deed, self.table, self.plan, self.policy = deed, deed.table, deed.plan, policy
        self.connection, self.old = deed.connection, old
        self.columns: dict[str, list[Any]] = dict(self.table.built_in)
        self.copies: dict[str, list[Any]] = {}
        for name in self.plan.read_attributes:
            self.columns[attribute_column(name)] = self.table.values[name]
            if name in self.table.copies and self.plan.kinds[name].name in ("text", "choice", "list"):
                self.copies[attribute_column(name)] = self.table.copies[name]

    def find(self) -> set[int]:
        """The contacts that would not be as they are, without writing anything."""
        people, addresses, permissions = self._people(), self._addresses(), self._permissions()
        standing = self._newer(permissions)
        return {*(row[-1] for row in people), *(row[0] for row in addresses), *(p.contact_id for p in standing)}

    def write(self) -> set[int]:
        people, addresses, permissions = self._people(), self._addresses(), self._permissions()
        names = [
            column for column in self.columns for column in ((column, "f_" + column[2:]) if column in self.copies else (column,))
        ]
        imports.update(self.connection, "contact", (*names, "changed_at"), [(*row[:-1], self.plan.ms, row[-1]) for row in people])
        imports.put_addresses(self.connection, addresses)
        changed = consents.record_permissions(self.connection, permissions, now=self.plan.now)
        touched = {row[0] for row in addresses} | changed
        if touched:
            consents.refold_reach(self.connection, touched, now=self.plan.now)
        return touched | {row[-1] for row in people}

    def _people(self) -> list[tuple[Any, ...]]:
        """(values in column order …, contact id) of those with a value that changes."""
        standing = imports.people(self.connection, [i for _, i in self.old], tuple(self.columns))
        keep, rows = self.policy == "keep", []
        for place, contact_id in self.old:
            before = standing[contact_id]
            after: list[Any] = []
            different = False
            for (column, values), was in zip(self.columns.items(), before, strict=True):
                new = values[place]
                take = new is not None and new != was and (was is None or (not keep and not self._default(column, new)))
                different = different or take
                value = new if take else was
                after.append(value)
                if column in self.copies:
                    after.append(self.copies[column][place] if take else None if was is None else folded(self._kind(column), was))
            if different:
                rows.append((*after, contact_id))
        return rows

    def _default(self, column: str, value: Any) -> bool:
        """A default fills gaps; it never takes the place of a value."""
        return any(attribute_column(name) == column and self.plan.defaults[name] == value for name in self.plan.read_attributes
                   if self.plan.defaults[name] is not None)  # fmt: skip

    def _kind(self, column: str) -> Any:
        return next(kind for name, kind in self.plan.kinds.items() if attribute_column(name) == column)

    def _addresses(self) -> list[tuple[int, str, str, str, bytes]]:
        standing = imports.addresses(self.connection, [i for _, i in self.old]) if self.table.addresses else {}
        rows = []
        for channel, (values, norms) in sorted(self.table.addresses.items()):
            for place, contact_id in self.old:
                before = standing.get((contact_id, channel))
                if values[place] is None or before == (values[place], norms[place]) or (before and self.policy == "keep"):
                    continue
                rows.append(
                    (
                        contact_id,
                        channel,
                        values[place],
                        norms[place],
                        consents.fingerprint(self.plan.pepper, channel, norms[place]),
                    )
                )
        return rows

    def _permissions(self) -> list[consents.Permission]:
        out, now = [], self.plan.now
        for channel, states in sorted(self.table.granted.items()):
            at, source = self.table.granted_at.get(channel), self.table.granted_from.get(channel)
            for place, contact_id in self.old:
                if states[place] is None:
                    continue
                when = at[place] if at else None
                out.append(consents.Permission(contact_id, channel, bool(states[place]), clock.from_ms(when) if when is not None else now,
                                               source=source[place] if source else None))  # fmt: skip
        return self._newer(out)

    def _newer(self, permissions: list[consents.Permission]) -> list[consents.Permission]:
        """Statements that say something else than what stands; undated ones only where they do."""
        from omnicli.store import tables

        consent = tables.consent
        ids = {p.contact_id for p in permissions}
        query = sa.select(consent.c.contact_id, consent.c.channel, consent.c.granted, consent.c.at, consent.c.source)
        standing = {(r[0], r[1]): r for start in range(0, len(ids), 900) for r in self.connection.execute(
            query.where(consent.c.contact_id.in_(sorted(ids)[start : start + 900]), consent.c.purpose == "marketing"))}  # fmt: skip
        out = []
        for p in permissions:
            before = standing.get((p.contact_id, p.channel))
            undated = self.table.granted_at.get(p.channel) is None or p.at == self.plan.now
            same = before is not None and bool(before[2]) == p.granted and (undated or clock.to_ms(p.at) <= before[3])
            if not same:
                out.append(p)
        return out


# --- the file of refused rows ---------------------------------------------------------------------------------------
class _RefusedFile:
    """Rows that lost something, as they came, with line and reasons: mend them and import this very file."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.path, self.header, self.written = path, header, None  # type: Path, Sequence[str], Path | None
        self._since = 0

    def begin(self, rows_done: int) -> None:
        """Start anew, or keep what an interrupted import wrote about the rows that are done."""
        kept: list[list[str]] = []
        if rows_done and self.path.exists():
            with self.path.open(encoding="utf-8", newline="") as file:
                kept = [row for row in csv.reader(file) if row and row[-3].isdigit() and int(row[-3]) <= rows_done]
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
            writer = csv.writer(file)
            if fresh:
                writer.writerow([*self.header, "omni_row", "omni_line", "omni_reasons"])
            writer.writerows(rows)
        self.written = self.path

    def close(self) -> None:
        if self.written is not None and not self.path.exists():
            self.written = None


def _guarded(cell: str) -> str:
    """No cell that a spreadsheet would take for a formula (docs/delivery S09); an import takes the apostrophe off again."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠") else cell


def refuse_unreadable(loaded: Loaded) -> Project:
    """The project, for commands on people; OmniError when its file cannot be used."""
    if loaded.project is None:
        raise OmniError(t("omni.yaml cannot be used", "omni.yaml est inutilisable"), code="project", exit=Exit.USAGE)
    return loaded.project
