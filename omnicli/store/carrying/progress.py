"""How far a copy has come, kept in its target with every batch: a copy that was killed goes on, and is compared with all that it carried."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.model.spoken import number
from omnicli.store import setting
from omnicli.store.carrying.foreign import Key
from omnicli.store.carrying.rows import Row
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: The setting of the target that holds it, until the copy is whole.
COPYING = setting.COPYING
_MOST = 2**128


@dataclass
class Carried:
    """One table so far: how many rows, their sum (of a hash each, whatever their order), and the key of the last one."""

    rows: int = 0
    sum: int = 0
    last: list[Any] | None = None
    done: bool = False

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows += 1
            self.sum = (self.sum + int.from_bytes(blake2b(marshal.dumps(row, 0), digest_size=16).digest())) % _MOST

    @property
    def hash(self) -> str:
        return f"{self.sum:032x}"

    def same(self, other: Carried) -> bool:
        return (self.rows, self.sum) == (other.rows, other.sum)


@dataclass
class Progress:
    """A whole copy so far. `of` tells the source and the way of copying: another one may not go on with it. `command` goes on with it;
    `foreign` are the keys that the target gets back at the end."""

    of: str
    tables: dict[str, Carried] = field(default_factory=dict)
    command: str = ""
    foreign: list[Key] = field(default_factory=list)

    def of_table(self, name: str) -> Carried:
        return self.tables.setdefault(name, Carried())

    def keep(self, connection: sa.Connection) -> None:
        found = {name: {**asdict(one), "sum": one.hash, "last": _said(one.last)} for name, one in self.tables.items()}
        setting.put(
            connection, COPYING, json.dumps({"of": self.of, "command": self.command, "foreign": self.foreign, "tables": found})
        )


def found(connection: sa.Connection) -> Progress | None:
    """The copy into this store that was begun and not ended, or None."""
    text = setting.get(connection, COPYING)
    if text is None:
        return None
    said = json.loads(text)
    tables = {
        name: Carried(one["rows"], int(one["sum"], 16), _heard(one["last"]), one["done"]) for name, one in said["tables"].items()
    }
    return Progress(said["of"], tables, said.get("command", ""), [(one[0], one[1], one[2]) for one in said.get("foreign", [])])


def unfinished(store: Store) -> OmniError | None:
    """What whoever opens half a copy is told: it knows a part of the people, and nothing of who must not be written to."""
    with store.read() as connection:
        begun = found(connection)
    if begun is None:
        return None
    again = begun.command or "omni db copy"
    instead = (
        t("or take it away by hand and begin again", "ou retirez-la à la main et recommencez")
        if store.live
        else t("or: omni db reset --yes", "ou : omni db reset --yes")
    )
    rows = sum(one.rows for one in begun.tables.values())
    return OmniError(
        t("the store is half a copy: {n} rows came, then it was cut off", "la base est une demi-copie : {n} lignes sont venues, puis ce fut coupé", n=number(rows)),
        hint=t("go on: {command}   ({instead})", "pour reprendre : {command}   ({instead})", command=again, instead=instead),
        code="half_copied", exit=Exit.REFUSED,
    )  # fmt: skip


def _said(key: list[Any] | None) -> list[Any] | None:
    """A key as JSON: bytes as `{"hex": …}`."""
    return None if key is None else [{"hex": part.hex()} if isinstance(part, bytes) else part for part in key]


def _heard(key: list[Any] | None) -> list[Any] | None:
    return None if key is None else [bytes.fromhex(part["hex"]) if isinstance(part, dict) else part for part in key]
