"""Who leads which task, and who is at work: rows that any number of machines read and renew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "leader",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("until", INT, server_default="0", nullable=False),
        sa.Column("fence", INT, server_default="0", nullable=False),
        sa.Column("done_at", INT, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_leader")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", INT, nullable=False),
        sa.Column("seen_at", INT, nullable=False),
        sa.Column("threads", INT, nullable=False),
        sa.Column("done", INT, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
