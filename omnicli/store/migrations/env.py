"""Alembic's entry: it uses the connection that `migrations.upgrade` hands over and never opens or commits one."""

from __future__ import annotations

from alembic import context

from omnicli.store.tables import metadata

connection = context.config.attributes.get("connection")
if context.is_offline_mode():
    context.configure(
        dialect_name=context.config.attributes.get("dialect", "sqlite"), target_metadata=metadata, literal_binds=True
    )
else:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
