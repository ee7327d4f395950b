"""Accounts of providers as all workers see them: one row each, read and written inside the transactions of T2 and T3."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import sqlalchemy as sa

from omnicli.engine import breaker
from omnicli.engine.breaker import Account
from omnicli.store.outbox.locking import locked
from omnicli.store.outbox.statements import fetch, run

__all__ = ["Account", "Book", "close", "load", "save", "standing"]

_NAMES = tuple(f.name for f in fields(Account))
_COLUMNS = ", ".join(_NAMES)
_MARKS = ", ".join("?" * len(_NAMES))
_SET = ", ".join(f"{name} = excluded.{name}" for name in _NAMES)


def load(connection: sa.Connection, provider: str, account: str) -> Account:
    """The account's row; a new one is closed. Where rows are locked, nobody else writes it until this transaction ends."""
    lock = locked(connection)
    if lock:
        run(connection, "INSERT INTO account (provider, account) VALUES (?, ?) ON CONFLICT DO NOTHING", provider, account)
    rows = fetch(connection, f"SELECT {_COLUMNS} FROM account WHERE provider = ? AND account = ?" + lock, provider, account)
    return _read(rows[0]) if rows else Account()


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
    """The accounts of one transaction: each read once, written at the end where it changed."""

    connection: sa.Connection
    _before: dict[tuple[str, str], Account] = field(default_factory=dict)
    _now: dict[tuple[str, str], Account] = field(default_factory=dict)

    def of(self, provider: str, account: str) -> Account:
        key = (provider, account)
        if key not in self._now:
            self._before[key] = self._now[key] = load(self.connection, *key)
        return self._now[key]

    def put(self, provider: str, account: str, value: Account) -> None:
        self.of(provider, account)
        self._now[provider, account] = value

    def write(self) -> None:
        for key, value in self._now.items():
            if value != self._before[key]:
                save(self.connection, *key, value)
