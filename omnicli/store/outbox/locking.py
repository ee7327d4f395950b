"""Row locks, where several write at once: who reads a row to write it next keeps others from it until the transaction ends.

NO KEY UPDATE, not UPDATE: rows that point to a contact, a touch or a campaign may be written meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import sqlalchemy as sa

#: What PostgreSQL says to one of two who wait for each other, and to one whose snapshot grew old.
_CROSSED = ("40P01", "40001")
#: How often a transaction is begun again.
TIMES = 5
_T = TypeVar("_T")


def locked(connection: sa.Connection) -> str:
    """The end of a SELECT whose rows are written next: locked, in the order in which they come. Nothing where one writes at a time."""
    return " FOR NO KEY UPDATE" if connection.dialect.name == "postgresql" else ""


def skipping_locked(connection: sa.Connection, table: str = "") -> str:
    """The same, passing over rows that somebody else has locked; `table`: only this one of a join."""
    of = f" OF {table}" if table else ""
    return f" FOR NO KEY UPDATE{of} SKIP LOCKED" if connection.dialect.name == "postgresql" else ""


def lock_money(connection: sa.Connection, campaigns: Collection[str]) -> None:
    """Nobody else reserves or takes money of these campaigns until the transaction ends. After all other locks."""
    if campaigns and connection.dialect.name == "postgresql":
        connection.execute(_CAMPAIGNS, {"names": sorted(campaigns)})


_CAMPAIGNS = sa.text("SELECT id FROM campaign WHERE name IN :names ORDER BY id FOR NO KEY UPDATE").bindparams(
    sa.bindparam("names", expanding=True)
)


def lock_contacts(connection: sa.Connection, ids: Collection[int]) -> None:
    """Nobody else decides about these people, sends to them or changes what they allow until the transaction ends. In id order."""
    if ids and connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT id FROM contact WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (sorted(ids),))


# --- what holds for everybody ---------------------------------------------------------------------------------------
def heed_standing(connection: sa.Connection) -> None:
    """Until this transaction ends nobody stops or pauses a campaign or puts the store on HOLD; its first lock. Whoever wants to is next
    in line: those who come after wait behind, so that a row of many senders never passes over a stop."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(to_regclass('campaign')::oid::int, 1)")


def change_standing(connection: sa.Connection) -> None:
    """Nobody else changes how campaigns stand, and nobody's intents are under way, until this transaction ends: what a T2 that
    commits after it has read is what this one wrote."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(to_regclass('campaign')::oid::int, 1)")


def lock_day(connection: sa.Connection) -> None:
    """Nobody else counts the people of a day against a limit of the whole project until this transaction ends. After all other locks."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(to_regclass('cap_slot')::oid::int, 1)")


# --- transactions that cross ----------------------------------------------------------------------------------------
class Overtaken(Exception):
    """What this transaction was decided by has been changed by another meanwhile: it is taken back and begun again."""


def crossed(error: BaseException) -> bool:
    """Whether the transaction was taken back only because another crossed it: begun again, it goes through."""
    return isinstance(error, Overtaken) or getattr(getattr(error, "orig", None), "sqlstate", None) in _CROSSED


def repeating(deed: Callable[[], _T]) -> _T:
    """The deed, begun again where its transaction was crossed by another's. It must call nobody: a call is never repeated."""
    for _ in range(TIMES - 1):
        try:
            return deed()
        except (sa.exc.DBAPIError, Overtaken) as error:
            if not crossed(error):
                raise
    return deed()
