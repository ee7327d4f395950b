"""What a file would change about people who are in the store, by the policy for conflicts; and the writing of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.people.plan import Plan
from omnicli.people.table import Table
from omnicli.store import consents, imports
from omnicli.store.columns import FOLDED, attribute_column, folded


class Change:
    """What rows of the file would change about people who are in the store."""

    def __init__(self, connection: sa.Connection, plan: Plan, table: Table, old: Sequence[tuple[int, int]], policy: str) -> None:
        """`old` are (place in the table, contact number); `policy` is `keep` or `replace`."""
        self.connection, self.plan, self.table, self.old, self.policy = connection, plan, table, old, policy
        self.columns: dict[str, list[Any]] = dict(self.table.built_in)
        self.copies: dict[str, list[Any]] = {}
        for name in self.plan.read_attributes:
            self.columns[attribute_column(name)] = self.table.values[name]
            if name in self.table.copies and self.plan.kinds[name].name in FOLDED:
                self.copies[attribute_column(name)] = self.table.copies[name]

    def find(self) -> set[int]:
        """The contacts that would not be as they are, without writing anything."""
        people, addresses, permissions = self._people(), self._addresses(), self._permissions()
        return {*(row[-1] for row in people), *(row[0] for row in addresses), *(p.contact_id for p in permissions)}

    def write(self) -> set[int]:
        people, addresses, permissions = self._people(), self._addresses(), self._permissions()
        names = [
            column for column in self.columns for column in ((column, "f_" + column[2:]) if column in self.copies else (column,))
        ]
        imports.update(
            self.connection,
            "contact",
            (*names, "changed_at", "attributes_at"),
            [(*row[:-1], self.plan.ms, self.plan.ms, row[-1]) for row in people],
        )
        imports.put_addresses(self.connection, addresses)
        changed = consents.record_permissions(self.connection, permissions, now=self.plan.now)
        touched = {row[0] for row in addresses} | changed
        if touched:
            consents.refold_reach(self.connection, touched, now=self.plan.now)
        return touched | {row[-1] for row in people}

    def _people(self) -> list[tuple[Any, ...]]:
        """(values in column order …, contact id) of those with a value that changes."""
        standing = imports.people(self.connection, [i for _, i in self.old], tuple(self.columns))
        found = list(zip(*self.columns.values(), strict=True)) if self.columns else []
        defaults = tuple(map(self._default, self.columns))
        rows = []
        for place, contact_id in self.old:
            before = standing[contact_id]
            if not found or found[place] == before:  # nearly everybody
                continue
            taken = self._taken(found[place], before, defaults)
            if any(taken):
                rows.append((*self._after(place, taken, before), contact_id))
        return rows

    def _taken(self, new: Sequence[Any], before: Sequence[Any], defaults: Sequence[Any]) -> list[bool]:
        """Which columns take the file's value: gaps do, values under `replace`; a default never takes the place of a value."""
        keep = self.policy == "keep"
        return [
            value is not None and value != was and (was is None or (not keep and (default is None or value != default)))
            for value, was, default in zip(new, before, defaults, strict=True)
        ]

    def _after(self, place: int, taken: Sequence[bool], before: Sequence[Any]) -> list[Any]:
        after: list[Any] = []
        for (column, values), take, was in zip(self.columns.items(), taken, before, strict=True):
            after.append(values[place] if take else was)
            if column in self.copies:
                after.append(self.copies[column][place] if take else None if was is None else folded(self._kind(column), was))
        return after

    def _default(self, column: str) -> Any:
        defaults = self.plan.defaults
        return next((defaults[name] for name in self.plan.read_attributes if attribute_column(name) == column), None)

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
        """Statements that say something else than what stands; an undated one only where it says the opposite."""
        if not self.table.granted:
            return []
        standing = imports.permissions(self.connection, [i for _, i in self.old])
        out, ms = [], self.plan.ms
        for channel, states in sorted(self.table.granted.items()):
            dates, sources = self.table.granted_at.get(channel), self.table.granted_from.get(channel)
            for place, contact_id in self.old:
                granted = states[place]
                if granted is None:
                    continue
                at = dates[place] if dates else None
                before = standing.get((contact_id, channel))
                if before is not None and before[0] == granted and (at is None or at <= before[1]):
                    continue
                source = sources[place] if sources else None
                out.append(
                    consents.Permission(
                        contact_id, channel, bool(granted), clock.from_ms(ms if at is None else at), source=source
                    )
                )
        return out
