"""Accounts of providers, bodies of webhooks, and bars of several reasons side by side."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="closed", nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("opened_at", INT, nullable=True),
        sa.Column("probe_at", INT, nullable=True),
        sa.Column("wait", INT, server_default="0", nullable=False),
        sa.Column("needs_person", INT, server_default="0", nullable=False),
        sa.Column("not_sent", INT, server_default="0", nullable=False),
        sa.Column("doubtful", INT, server_default="0", nullable=False),
        sa.Column("batch", INT, nullable=True),
        sa.Column("free_at", INT, server_default="0", nullable=False),
        sa.Column("minute", INT, server_default="0", nullable=False),
        sa.Column("calls", INT, server_default="0", nullable=False),
        sa.Column("retries", INT, server_default="0", nullable=False),
        sa.CheckConstraint("state IN ('closed','open','half')", name=op.f("ck_account_state")),
        sa.PrimaryKeyConstraint("provider", "account", name=op.f("pk_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.add_column("contact", sa.Column("attributes_at", INT, nullable=True))
    op.add_column("attempt", sa.Column("free", INT, server_default="0", nullable=False))
    whatsapp = sa.text("channel = 'whatsapp' AND send_state IN ('sending','accepted','unknown','parked')")
    op.create_index("touch_whatsapp", "touch", ["settled_at"], sqlite_where=whatsapp, postgresql_where=whatsapp)
    op.create_index("ix_suppression_log_norm_hmac", "suppression_log", ["norm_hmac"])
    _inbox_in_the_order_of_arrival()
    _several_reasons()


def _inbox_in_the_order_of_arrival() -> None:
    """The inbox gets bodies. In SQLite its rows lie in the order in which they came and no longer in that of their keys, which are
    hashes: a commit then writes the pages it fills instead of one page for each row."""
    body = sa.Column("body", sa.LargeBinary(), nullable=True)
    if op.get_bind().dialect.name != "sqlite":
        op.add_column("inbox", body)
        return
    op.drop_index("inbox_event", "inbox")
    op.drop_index("ix_inbox_unfolded", "inbox")
    _aside("inbox")
    op.create_table(
        "inbox",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.LargeBinary(), nullable=False),
        sa.Column("provider_event_id", sa.Text(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", INT, nullable=False),
        sa.Column("folded_at", INT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        body,
        sa.PrimaryKeyConstraint("provider", "dedup_key", name=op.f("pk_inbox")),
        sqlite_strict=True,
    )
    columns = "provider, dedup_key, provider_event_id, raw, received_at, folded_at, outcome"
    op.execute(f"INSERT INTO inbox ({columns}) SELECT {columns} FROM inbox_before ORDER BY received_at, provider, dedup_key")
    op.drop_table("inbox_before")
    named, waiting = sa.text("provider_event_id IS NOT NULL"), sa.text("folded_at IS NULL")
    op.create_index(
        "inbox_event", "inbox", ["provider", "provider_event_id"], unique=True, sqlite_where=named, postgresql_where=named
    )
    op.create_index("ix_inbox_unfolded", "inbox", ["received_at"], sqlite_where=waiting, postgresql_where=waiting)


def _aside(table: str) -> None:
    """Rename a table that is made again; on PostgreSQL the name of its key is taken by the schema, not by the table."""
    op.rename_table(table, f"{table}_before")
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_{table}_before")


def _several_reasons() -> None:
    """The reason joins the key of a suppression: the table is made again, its rows carried over."""
    _aside("suppression")
    op.create_table(
        "suppression",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("norm_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("until", INT, nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "norm_hmac", "scope", "reason", name=op.f("pk_suppression")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        'INSERT INTO suppression (channel, norm_hmac, scope, reason, "at", "until", source)'
        ' SELECT channel, norm_hmac, scope, reason, "at", "until", source FROM suppression_before'
    )
    op.drop_table("suppression_before")
