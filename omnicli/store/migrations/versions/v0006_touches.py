"""Indexes of touches that a claim, an intent and an outcome write as seldom as can be, and due ones in the order in which they lie."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WAITING, LEASED = sa.text("lease_by IS NULL AND settled_at IS NULL"), sa.text("lease_by IS NOT NULL")
SPENT = sa.text("cost > 0 AND reason IS NULL")


def upgrade() -> None:
    for name in ("touch_due", "touch_open", "ix_touch_spent"):
        op.drop_index(name, table_name="touch")
    op.create_index("touch_due", "touch", ["priority", "due_at", "id"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("touch_open", "touch", ["lease_until"], sqlite_where=LEASED, postgresql_where=LEASED)
    op.create_index("ix_touch_spent", "touch", ["version_id", "cost"], sqlite_where=SPENT, postgresql_where=SPENT)
