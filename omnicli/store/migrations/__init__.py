"""Alembic's migrations, from the first table on; run on a connection of ours, inside our one write transaction."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

#: The versions in order; HEAD is what this program writes. A test compares them with the files in `versions/`.
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
HEAD = KNOWN[-1]


def upgrade(connection: sa.Connection, to: str = HEAD) -> None:
    """Run the pending migrations on this connection (its transaction stays the caller's)."""
    from alembic import command

    command.upgrade(_config(connection), to)


def sql(dialect: str, since: str | None) -> str:
    """The statements from `since` (None: from nothing) to HEAD, as a script."""
    from alembic import command

    config = _config(None)
    config.output_buffer = io.StringIO()
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{since}:{HEAD}" if since else HEAD, sql=True)
    return str(config.output_buffer.getvalue())


def _config(connection: sa.Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
