"""Row locks, where several write at once: who reads a row to write it next keeps others from it until the transaction ends.

NO KEY UPDATE, not UPDATE: rows that point to a contact, a touch or a campaign may be written meanwhile.
"""

from __future__ import annotations

import sqlalchemy as sa


def locked(connection: sa.Connection) -> str:
    """The end of a SELECT whose rows are written next: locked, in the order in which they come. Nothing where one writes at a time."""
    return " FOR NO KEY UPDATE" if connection.dialect.name == "postgresql" else ""


def skipping_locked(connection: sa.Connection, table: str = "") -> str:
    """The same, passing over rows that somebody else has locked; `table`: only this one of a join."""
    of = f" OF {table}" if table else ""
    return f" FOR NO KEY UPDATE{of} SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
