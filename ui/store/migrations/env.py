"""Alembic runs this file: it migrates on the connection of ``ui.store.migrations.migrate``."""

from alembic import context

from ui.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
