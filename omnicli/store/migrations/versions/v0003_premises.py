"""What each decision was taken on, so that it can be taken again: its premises, and `omni.yaml` as it stood."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ground",
        sa.Column("id", INT, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ground")),
        sa.UniqueConstraint("hash", name=op.f("uq_ground_hash")),
        sqlite_strict=True,
    )
    op.add_column("decision", sa.Column("premises", sa.LargeBinary(), nullable=True))
    op.add_column("decision", sa.Column("ground_id", INT, nullable=True))
