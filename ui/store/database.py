"""Open a database, and run a transaction in it. Every failure becomes one sentence."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.checks import InklingError, shorten, shown
from engine.files import data_folder

LOG = logging.getLogger(__name__)
LOCK_SECONDS = 10  # wait at most this long for another writer
SQLITE_SETTINGS = {
    "busy_timeout": LOCK_SECONDS * 1000,
    "journal_mode": "WAL",
    "synchronous": "FULL",  # what was committed outlives a power cut, too
    "foreign_keys": "ON",
    "secure_delete": "ON",  # what is deleted is overwritten with zeros
}
SWEEPS_SCHEMA = "inkling_sweeps"
SWEEPS_LOCK = 0x1A2B_3C4E  # the number of the advisory lock of the server that makes it: another than that of the migrations
POSTGRESQL_SETTINGS = {"connect_timeout": "5", "tcp_user_timeout": "10000", "options": f"-c lock_timeout={LOCK_SECONDS}s"}


def make_engine(url: str | None) -> sa.Engine:
    """What SQLAlchemy connects to a database with; SQLite in the platform's data folder by default."""
    expected = "INKLING_STORE must be sqlite:///path/of/a/file or postgresql+psycopg://user:password@host/database"
    try:
        parsed = make_url(url) if url is not None else sqlite_url(default_file())
        if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A statement in the cache would keep the last file that it wrote in memory.
            engine = sa.create_engine(parsed, connect_args={"cached_statements": 0})
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        if parsed.drivername == "postgresql+psycopg":
            return sa.create_engine(parsed.set(query=POSTGRESQL_SETTINGS | dict(parsed.query)), pool_pre_ping=True)
    except (ArgumentError, ValueError, NoSuchModuleError) as error:  # the message may hold the password
        raise InklingError(f"{expected}, got something else") from error
    except OSError as error:
        raise InklingError(f"the folder of the database cannot be made: {shorten(error, 200)}") from error
    except ModuleNotFoundError as error:
        raise InklingError("PostgreSQL needs another package: pip install 'inkling[postgresql]'") from error
    raise InklingError(f"{expected}, got {shown(parsed.render_as_string(hide_password=True))}")


def sqlite_url(path: Path) -> URL:
    """The address of a database in this file."""
    return URL.create("sqlite", database=str(path))


def default_file() -> Path:
    """The database if no other is named: a file in this platform's folder for the data of programs."""
    return data_folder() / "inkling.sqlite3"


def sweeps_url(engine: sa.Engine) -> str:
    """Where the sweeps of the visitors of this database are kept: a file beside it, or a schema of its own in PostgreSQL.

    Optuna has tables of the same names as this store.
    """
    url = engine.url
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")  # inkling.sqlite3: then it is where the command line keeps its sweeps
        return sqlite_url(file.with_name(f"{file.stem}-sweeps.sqlite3")).render_as_string()
    with transaction(engine) as connection:
        if not sa.inspect(connection).has_schema(SWEEPS_SCHEMA):  # the user may be allowed to use one, but not to make one
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SWEEPS_LOCK})
            connection.execute(sa.schema.CreateSchema(SWEEPS_SCHEMA, if_not_exists=True))
    query = {"options": f"{url.query['options']} -c search_path={SWEEPS_SCHEMA}"}
    return url.set(query=dict(url.query) | query).render_as_string(hide_password=False)


@contextmanager
def transaction(engine: sa.Engine, write: bool = True) -> Iterator[sa.Connection]:
    """A transaction that commits at the end, or rolls back after an error. On SQLite there is one writer at a time."""
    try:
        with engine.connect().execution_options(write=write) as connection, connection.begin():
            yield connection
    except (StatementError, PoolTimeout, UnicodeError, RecursionError) as error:
        raise _explain(error) from error


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # no BEGIN by Python: only _begin_sqlite begins a transaction
    for name, value in SQLITE_SETTINGS.items():
        connection.execute(f"PRAGMA {name} = {value}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    is_write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _explain(error: Exception) -> InklingError:
    """A sentence for the visitor. The database's own message, for the log, may hold names of hosts and users."""
    text = shorten(str(getattr(error, "orig", None) or error).partition("\n")[0], 300)
    LOG.warning("the store failed: %s: %s", type(error).__name__, text)
    reasons = {
        r"locked|lock timeout|QueuePool|deadlock|too many": "the store is busy: try again in a few seconds",
        r"is full|[Nn]o space": "the disk of the store is full: whoever runs this server has to make room",
        r"readonly|read-only": "the store cannot be written: its file or disk is read-only",
        r"permission denied": "the database does not allow this: whoever runs this server has to",
        r"NUL|surrogate|codec|UTF": "a name holds a character that cannot be saved",
        r"not JSON": "a value cannot be saved as JSON",
        r"recursion": "a value is nested too deeply to be saved",
        r"not a database|malformed": "the store's file is damaged or not a database",
    }
    matching = (reason for pattern, reason in reasons.items() if re.search(pattern, text))
    return InklingError(next(matching, "the store cannot be reached at the moment: try again in a few seconds"))
