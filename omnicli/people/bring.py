"""One chunk brought into the store: who is new, who is there already, who is somebody else with the same id.

Works in the transaction of the connection that it is given; every row and value that is not simply kept becomes a Finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from omnicli.channels.clean import Problem
from omnicli.people.change import Change
from omnicli.people.course import Course
from omnicli.people.fresh import Fresh
from omnicli.people.plan import Plan
from omnicli.people.report import Finding
from omnicli.people.sheet import Chunk
from omnicli.people.table import Table
from omnicli.store import consents, imports, inbox
from omnicli.texts import t


def bring(connection: sa.Connection, plan: Plan, course: Course, chunk: Chunk, table: Table) -> list[Finding]:
    """Write the chunk; what was found, in the order of the rows."""
    return _Deed(connection, plan, course, chunk, table).do()


class Who:
    """Which rows of a chunk are people of the store, by the key of this import."""

    def __init__(self, connection: sa.Connection, plan: Plan, table: Table) -> None:
        norms = table.addresses["email"][1] if plan.key == "email" else None
        self.names = table.names(plan.key)
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

    def __init__(self, connection: sa.Connection, plan: Plan, course: Course, chunk: Chunk, table: Table) -> None:
        self.connection, self.course, self.plan, self.chunk, self.table = connection, course, plan, chunk, table
        self.out: list[Finding] = []
        self.new: list[int] = []
        self.old: list[tuple[int, int]] = []
        self.bars = imports.any_bar(connection)

    def do(self) -> list[Finding]:
        for broken in self.chunk.broken:
            self.course.counts["refused"] += 1
            self.out.append(Finding(broken.row, broken.line, None, "", broken.text, "not_a_row", "row refused", broken.reason))
        for place in self.chunk.short:
            reason = t(
                "the row is shorter than the header: what is missing is empty",
                "la ligne est plus courte que l'en-tête : le reste est vide",
            )
            self._say(place, "", "", Problem("short_row", "repaired", reason))
        if self.table.size:
            who = Who(self.connection, self.plan, self.table)
            self._sort(who)
            self._same_addresses()
            self._tell_values()
            self._insert_new(who)
            self._change_old()
        return sorted(self.out, key=lambda f: f.row)

    # -- sorting the rows
    def _sort(self, who: Who) -> None:
        keys = who.keys
        if not who.known and None not in keys and len(set(keys)) == len(keys) == len(set(who.names)):
            self.new = list(range(self.table.size))
            return
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            if key is None:
                self._refuse(place, *self._no_key())
            elif key in first:
                self._twice(place, first[key])
            else:
                contact_id = who.known.get(key)
                if contact_id is None or not self.course.first_row(contact_id):
                    first[key] = place  # else they stood in an earlier chunk: each row is held against that one
                self._one(place, contact_id)
        if self.plan.key == "email":
            self._one_name_each(who)

    def _one_name_each(self, who: Who) -> None:
        """Told apart by their addresses, two new rows may still claim one id: the first has it."""
        first: dict[str | None, int] = {}
        for place in self.new:
            earlier = first.setdefault(who.names[place], place)
            if earlier != place:
                reason = t("same id as an earlier row with another address; the earlier row stays as it is",
                           "même identifiant qu'une ligne précédente à une autre adresse ; la ligne précédente reste telle quelle")  # fmt: skip
                self._refuse(place, self._column("id"), who.names[place] or "", Problem("duplicate_id", "row refused", reason),
                             self.chunk.rows[earlier])  # fmt: skip
        self.new = sorted(first.values())

    def _no_key(self) -> tuple[str, str, Problem]:
        if self.plan.key == "id":
            return self._column("id"), "", Problem("no_id", "row refused", t("no id", "pas d'identifiant"))
        reason = t("no usable e-mail address, which is the key", "pas d'adresse e-mail utilisable, or c'est la clé")
        return self._column("address", "email"), "", Problem("no_key", "row refused", reason)

    def _one(self, place: int, contact_id: int | None) -> None:
        if contact_id is None:
            self.new.append(place)
            return
        earlier = self.course.first_row(contact_id)
        if not earlier:
            if self.plan.on_conflict == "refuse":
                self._refuse(place, self._column(self.plan.key), self._cell(place), Problem("in_the_store", "row refused",
                             t("already in the store", "déjà dans la base")))  # fmt: skip
                return
            self.course.see(contact_id, self.chunk.rows[place])
            self.old.append((place, contact_id))
        elif self._would_change(place, contact_id):
            self._another_person(place, earlier)
        else:
            self.course.counts["repeated"] += 1

    def _twice(self, place: int, first: int) -> None:
        if self.chunk.cells[place] == self.chunk.cells[first]:
            self.course.counts["repeated"] += 1
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
        return bool(Change(self.connection, self.plan, self.table, [(place, contact_id)], "replace").find())

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
        self.course.counts["refused"] += 1
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
                self._same_address(place, values, twins[0][1], self.course.first_row(twins[0][0]) or None)
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
    def _insert_new(self, who: Who) -> None:
        if not self.new:
            return
        if self.bars:
            self._leave_out_erased()
        fresh = Fresh(self.connection, self.plan, self.table, self.new, who.names)
        fresh.insert(bars=self.bars)
        self.course.see_new(fresh.first, [self.chunk.rows[place] for place in self.new])
        self.course.counts["new"] += len(self.new)
        if inbox.unmatched(self.connection):
            self.course.counts["woken"] += inbox.unfold_unmatched(self.connection, fresh.names)

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
        changed = Change(self.connection, self.plan, self.table, self.old, self.plan.on_conflict).write()
        self.course.counts["changed"] += len(changed)
        self.course.counts["same"] += len(self.old) - len(changed)
