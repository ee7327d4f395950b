"""Accounts of providers as all workers see them: one row each, read and written inside the transactions of T2 and T3.

Whoever has locked the row makes every other sender wait until its transaction ends. Calls that only count themselves on a healthy
account (T2) therefore read it as it stands, and lock it when all else is done; had it changed by then, T2 begins again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import sqlalchemy as sa

from omnicli.engine import breaker
from omnicli.engine.breaker import Account
from omnicli.store.outbox.locking import Overtaken, locked
from omnicli.store.outbox.statements import fetch, run

__all__ = ["Account", "Book", "close", "load", "save", "standing"]

_NAMES = tuple(f.name for f in fields(Account))
_COLUMNS = ", ".join(_NAMES)
_MARKS = ", ".join("?" * len(_NAMES))
_SET = ", ".join(f"{name} = excluded.{name}" for name in _NAMES)


def load(connection: sa.Connection, provider: str, account: str) -> Account:
    """The account's row; a new one is closed. Where rows are locked, nobody else writes it until this transaction ends."""
    lock = locked(connection)
    rows = _rows(connection, provider, account, lock)
    if lock and not rows:
        run(connection, "INSERT INTO account (provider, account) VALUES (?, ?) ON CONFLICT DO NOTHING", provider, account)
        rows = _rows(connection, provider, account, lock)
    return _read(rows[0]) if rows else Account()


def glance(connection: sa.Connection, provider: str, account: str) -> Account:
    """The account's row as it stands, locked by nobody."""
    rows = _rows(connection, provider, account, "")
    return _read(rows[0]) if rows else Account()


def _rows(connection: sa.Connection, provider: str, account: str, lock: str) -> list[tuple[object, ...]]:
    return fetch(connection, f"SELECT {_COLUMNS} FROM account WHERE provider = ? AND account = ?" + lock, provider, account)


def save(connection: sa.Connection, provider: str, account: str, value: Account) -> None:
    values = [int(v) if isinstance(v, bool) else v for v in (getattr(value, name) for name in _NAMES)]
    run(
        connection,
        f"INSERT INTO account (provider, account, {_COLUMNS}) VALUES (?, ?, {_MARKS}) ON CONFLICT (provider, account) DO UPDATE SET {_SET}",
        provider,
        account,
        *values,
    )


def close(connection: sa.Connection, provider: str, account: str) -> bool:
    """A person has mended the account (`omni doctor --provider` succeeded); True when it had been left alone."""
    found = load(connection, provider, account)
    if found.state == "closed":
        return False
    save(connection, provider, account, breaker.mended(found))
    return True


def standing(connection: sa.Connection) -> list[tuple[str, str, Account]]:
    """Every account that was ever called: (provider, account, row). A row that says nothing was only made to be locked."""
    rows = fetch(connection, f"SELECT provider, account, {_COLUMNS} FROM account ORDER BY provider, account")
    found = [(row[0], row[1], _read(row[2:])) for row in rows]
    return [one for one in found if one[2] != Account()]


def _read(row: tuple[object, ...]) -> Account:
    found = dict(zip(_NAMES, row, strict=True))
    found["needs_person"] = bool(found["needs_person"])
    return Account(**found)  # type: ignore[arg-type]


@dataclass
class Book:
    """The accounts of one transaction: each read once, written at the end where it changed. Of those that were only glanced at, the
    steps are kept, to be taken once more from the row as it stands at the end."""

    connection: sa.Connection
    _before: dict[tuple[str, str], Account] = field(default_factory=dict)
    _now: dict[tuple[str, str], Account] = field(default_factory=dict)
    _steps: dict[tuple[str, str], list[Callable[[Account], Account]]] = field(default_factory=dict)

    def of(self, provider: str, account: str) -> Account:
        """The account, nobody else's to write until the transaction ends."""
        key = (provider, account)
        if key not in self._now or key in self._steps:
            found = load(self.connection, *key)
            if (steps := self._steps.pop(key, None)) is not None:
                self._still(key, found)
            self._before[key] = self._now[key] = found
            for step in steps or ():
                self._now[key] = step(self._now[key])
        return self._now[key]

    def glance(self, provider: str, account: str, *, paced: bool = False) -> Account:
        """The account as it stands. Where it is not well, or its rate is shared out (`paced`), what it takes now decides who calls: it
        is locked at once."""
        key = (provider, account)
        if key not in self._now:
            found = glance(self.connection, *key)
            if paced or found.state != "closed" or found.batch is not None:
                return self.of(*key)
            self._before[key] = self._now[key] = found
            self._steps[key] = []
        return self._now[key]

    def put(self, provider: str, account: str, value: Account) -> None:
        self.of(provider, account)
        self._now[provider, account] = value

    def step(self, provider: str, account: str, step: Callable[[Account], Account]) -> Account:
        """One step further: now, and once more from the row as it stands when it is locked."""
        key = (provider, account)
        if key in self._steps:
            self._steps[key].append(step)
            self._now[key] = step(self._now[key])
        else:
            self.put(*key, step(self.of(*key)))
        return self._now[key]

    def write(self) -> None:
        for key in sorted(self._now):
            if self._now[key] != self._before[key] and (value := self.of(*key)) != self._before[key]:
                save(self.connection, *key, value)

    def _still(self, key: tuple[str, str], found: Account) -> None:
        """OVERTAKEN when the account takes something else than when it was glanced at; what others counted on it changes nothing."""
        seen = self._before[key]
        if any(getattr(found, name) != getattr(seen, name) for name in _DECIDING):
            raise Overtaken(f"account of {key[0]}")


#: What of an account decides whether and how it may be called; the rest counts.
_DECIDING = ("state", "why", "probe_at", "needs_person", "batch", "free_at")
