"""Foreign keys of a PostgreSQL target, away while rows come in: asked row by row they are half of the server's work, asked at the end almost none.

Nobody can open the store meanwhile (it is half a copy), and it is whole only with every key back: in the transaction that ends the copy.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.texts import t

#: Table, name, and what it says, as the server writes it.
Key = tuple[str, str, str]
_STAND = (
    "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2"
)


def take(connection: sa.Connection) -> list[Key]:
    """Take the keys away; what they were. Nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(_STAND)]
    for table, name, _ in found:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return found


def give_back(connection: sa.Connection, keys: Sequence[Key]) -> None:
    """Make them anew, each asked of every row; OmniError (exit 4) when a row's parent is not there."""
    for table, name, words in keys:
        try:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {words}")
        except sa.exc.IntegrityError:
            raise OmniError(
                t("{table}: rows without what they belong to ({key})", "{table} : des lignes sans ce dont elles dépendent ({key})", table=table, key=name),
                hint=t("omni db check on the source", "omni db check sur la source"), code="copy", exit=Exit.REFUSED,
            ) from None  # fmt: skip
