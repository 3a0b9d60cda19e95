"""Bring a database to the tables of ``ui.store.schema``; each change of these tables is a file in ``versions/``."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from engine.checks import InklingError, shown

LOCK = 0x1A2B_3C4D  # the number of the advisory lock that servers hold while they migrate; any fixed number will do


def migrate(connection: Connection) -> None:
    """Create or upgrade the tables, in the transaction of the connection. Servers that start together go one after another.

    On SQLite the transaction must hold the write lock already (BEGIN IMMEDIATE).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision not in {None, *(known.revision for known in script.walk_revisions())}:
        raise InklingError(
            f"the database was made by a newer Inkling (revision {shown(revision)}); "
            "update Inkling, or name another database in INKLING_STORE"
        )
    if revision != script.get_current_head():
        command.upgrade(config, "head")
