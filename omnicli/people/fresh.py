"""New people written column by column, a chunk at a time: contact, addresses, consents and their log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uids
from omnicli.people.plan import Plan
from omnicli.people.table import Table
from omnicli.store import consents, imports
from omnicli.store.columns import FOLDED, attribute_column, folded_column


class Fresh:
    """The rows of new people, built column by column."""

    def __init__(
        self, connection: sa.Connection, plan: Plan, table: Table, places: Sequence[int], names: Sequence[str | None]
    ) -> None:
        """`places` are the new rows of the table, ascending; `names` the source id of each row of the table."""
        self.connection, self.plan, self.table = connection, plan, table
        self.size = len(places)
        self.all = self.size == table.size
        chosen = set(places)
        self.mask = [] if self.all else [place in chosen for place in range(table.size)]
        self.first = imports.next_id(connection)
        self.ids = range(self.first, self.first + self.size)
        self.names: list[str] = self.pick(names)

    def pick(self, column: Sequence[Any]) -> list[Any]:
        """The values of the new rows."""
        return list(column) if self.all else list(compress(column, self.mask))

    def insert(self, *, bars: bool) -> None:
        """Write them with their addresses and consents; `bars`: some address of the store is barred, so reach is folded again."""
        ms = self.plan.ms
        now = [ms] * self.size
        columns: dict[str, Sequence[Any]] = {
            "id": self.ids, "uid": self.uids(), "source_id": self.names,
            "created_at": [at or ms for at in self.pick(self.table.created)] if self.table.created else now, "changed_at": now,
            "attributes_at": now, "reach": self.reach(),
        }  # fmt: skip
        for name, values in self.table.built_in.items():
            columns[name] = self.pick(values)
        for name in self.plan.read_attributes:
            columns[attribute_column(name)] = self.pick(self.table.values[name])
            if name in self.table.copies and self.plan.kinds[name].name in FOLDED:
                columns[folded_column(name)] = self.pick(self.table.copies[name])
        imports.insert_columns(self.connection, "contact", columns)
        self.insert_addresses()
        self.insert_consents()
        if bars:
            consents.refold_reach(self.connection, self.ids, now=self.plan.now)

    def uids(self) -> list[bytes]:
        made = self.table.uids
        return contact_uids(self.plan.project.project, self.names) if made is None else self.pick(made)

    def insert_addresses(self) -> None:
        kept: list[dict[str, Sequence[Any]]] = []
        for channel, (values, norms) in sorted(self.table.addresses.items()):
            chosen, there = self.pick(values), self.pick(norms)
            columns = {"contact_id": self.ids, "channel": [channel] * self.size, "value": chosen, "norm": there}
            if channel in self.table.marks:
                kept.append(_present(chosen, {**columns, "hmac": self.pick(self.table.marks[channel])}))
                continue
            part = _present(chosen, columns)
            kept.append({**part, "hmac": consents.fingerprints(self.plan.pepper, channel, part["norm"])})
        _write(self.connection, "address", kept)

    def insert_consents(self) -> None:
        kept: list[dict[str, Sequence[Any]]] = []
        ms, nothing = self.plan.ms, [None] * self.size
        for channel, states in sorted(self.table.granted.items()):
            at = self.pick(self.table.granted_at[channel]) if channel in self.table.granted_at else nothing
            source = self.pick(self.table.granted_from[channel]) if channel in self.table.granted_from else nothing
            granted = self.pick(states)
            kept.append(_present(granted, {
                "contact_id": self.ids, "channel": [channel] * self.size, "purpose": ["marketing"] * self.size, "granted": granted,
                "at": [ms if when is None else when for when in at], "source": source,
            }))  # fmt: skip
        if _write(self.connection, "consent", kept):
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


def _present(deciding: Sequence[Any], columns: dict[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The rows of these columns where `deciding` has a value."""
    if None not in deciding:
        return columns
    mask = [value is not None for value in deciding]
    return {name: list(compress(values, mask)) for name, values in columns.items()}


def _write(connection: sa.Connection, table: str, parts: Sequence[dict[str, Sequence[Any]]]) -> bool:
    """Insert the parts, one a channel, in the order of the table's key (contact, channel): pages are filled once."""
    parts = [part for part in parts if part["contact_id"]]
    if len(parts) == 1:
        imports.insert_columns(connection, table, parts[0])
    elif parts:
        rows = sorted((row for part in parts for row in zip(*part.values(), strict=True)), key=itemgetter(0))
        imports.insert_columns(connection, table, dict(zip(parts[0], zip(*rows, strict=True), strict=True)))
    return bool(parts)
