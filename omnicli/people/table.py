"""A chunk of cells as columns of stored values: read a column at a time, so that Python's loops run in C."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add
from typing import Any

from omnicli.channels.clean import Problem
from omnicli.people.plan import Fill, Plan
from omnicli.people.reading import PHONES
from omnicli.people.sheet import Chunk
from omnicli.store.columns import FOLDED, folded
from omnicli.text import fold


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
    uids: list[bytes] | None = None  # where they were made beforehand (`ahead`), and the fingerprints of addresses by channel
    marks: dict[str, list[bytes | None]] = field(default_factory=dict)

    def names(self, key: str) -> list[str | None]:
        """The source id of each row; told apart by their addresses, people without an id go by them."""
        if key != "email":
            return self.ids
        return [id or norm for id, norm in zip(self.ids, self.addresses["email"][1], strict=True)]


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
    if kind.name in FOLDED and name not in table.copies:
        table.copies[name] = [folded(kind, value) for value in values]
