"""Checks and indexes of touch and attempt in a form that costs nothing a row, and what is due in the order of its number.

SQLite builds a list of three values and more anew for every row that it holds against it; equalities joined by OR it compares. The checks
mean the same, so their text is replaced in the schema and no row is read (https://sqlite.org/lang_altertable.html#otheralter).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = ("planned", "claimed", "sending", "retry", "accepted", "rejected", "unknown", "parked", "skipped", "held_out")
OUTCOMES = ("intent", "accepted", "rejected", "not_sent", "unknown", "waived")


def upgrade() -> None:
    for table, column, values in (("touch", "send_state", STATES), ("attempt", "outcome", OUTCOMES)):
        before = f"{column} IN ({','.join(map(repr, values))})"
        _check(table, column, before, " OR ".join(f"{column} = '{value}'" for value in values))
    _index(
        "ix_touch_spent",
        "touch",
        ["version_id", "cost"],
        "cost > 0 AND send_state NOT IN ('skipped','rejected') AND send_state <> 'held_out'",
    )
    _index("touch_due", "touch", ["priority", "due_at", "id"], "send_state IN ('planned','retry')")
    _index("one_open_attempt", "attempt", ["touch_id"], "outcome IN ('intent','unknown') OR outcome = 'accepted'", unique=True)


def _check(table: str, column: str, before: str, after: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, after)
        return
    quoted = [text.replace("'", "''") for text in (before, after)]
    op.execute("PRAGMA writable_schema=ON")
    op.execute(
        f"UPDATE sqlite_schema SET sql = replace(sql, '{quoted[0]}', '{quoted[1]}') WHERE type = 'table' AND name = '{table}'"
    )
    op.execute("PRAGMA writable_schema=OFF")


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """Made anew; which tells other connections that the schema changed, too."""
    op.drop_index(name, table_name=table)
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
