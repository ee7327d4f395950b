"""What a repeat is known by, instead of a provider's whole id, is 16 characters of a hash of it; nobody reads it but its index.

Ids are random and long: a commit of the inbox mostly writes pages of their index, and with a third of the bytes there are a third of them.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAMED = sa.text("provider_event_id IS NOT NULL")
#: The same in PostgreSQL's words: 16 characters of base64 are 12 bytes of SHA-256.
ON_POSTGRESQL = "left(encode(sha256(convert_to(provider || chr(31) || provider_event_id, 'UTF8')), 'base64'), 16)"


def upgrade() -> None:
    op.drop_index("inbox_event", table_name="inbox")
    op.execute(f"UPDATE inbox SET provider_event_id = {_hashed()} WHERE provider_event_id IS NOT NULL")
    op.create_index("inbox_event", "inbox", ["provider_event_id"], unique=True, sqlite_where=NAMED, postgresql_where=NAMED)


def _hashed() -> str:
    """What computes the hash; in a script for SQLite a function that omni gives it, and that a shell has not."""
    if op.get_context().dialect.name == "postgresql":
        return ON_POSTGRESQL
    if not context.is_offline_mode():
        raw: Any = op.get_bind().connection.driver_connection
        raw.create_function("omni_event_hash", 2, event_hash, deterministic=True)
    return "omni_event_hash(provider, provider_event_id)"


def event_hash(provider: str, event_id: str) -> str:
    """As `store.inbox.event_hash` was when this migration was written."""
    return base64.b64encode(hashlib.sha256(f"{provider}\x1f{event_id}".encode("utf-8", "surrogatepass")).digest()[:12]).decode()
