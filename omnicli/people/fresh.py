"""New people written column by column, a chunk at a time: contact, addresses, consents and their log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any

import sqlalchemy as sa

from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uid
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
        project, ms = self.plan.project.project, self.plan.ms
        now = [ms] * self.size
        created = self.pick(self.table.created) if self.table.created else now
        columns: dict[str, Sequence[Any]] = {
            "id": self.ids, "uid": [contact_uid(project, name) for name in self.names], "source_id": self.names,
            "created_at": [at or ms for at in created] if self.table.created else now, "changed_at": now, "attributes_at": now, "reach": self.reach(),
        }  # fmt: skip
        for name, values in self.table.built_in.items():
            columns[name] = self.pick(values)
        for name in self.plan.read_attributes:
            columns[attribute_column(name)] = self.pick(self.table.values[name])
            if name in self.table.copies and self.plan.kinds[name].name in FOLDED:
                columns[folded_column(name)] = self.pick(self.table.copies[name])
        imports.insert(self.connection, "contact", tuple(columns), zip(*columns.values(), strict=True))
        self.insert_addresses()
        self.insert_consents()
        if bars:
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
