"""Opening a database, its migrations, and what happens if it fails."""

import logging
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import platformdirs
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from engine.checks import InklingError
from engine.sweep.plan import Sweep
from tests.ui.store.records import make_drawing, make_run, names
from ui.store import Store, database
from ui.store.schema import METADATA

EXPECTED = r"^INKLING_STORE must be sqlite:///path/of/a/file or postgresql\+psycopg://user:password@host/database, got "
BUSY = "^the store is busy: try again in a few seconds$"
UNREACHABLE = "^the store cannot be reached at the moment: try again in a few seconds$"


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment without settings, with a data folder of its own; set variables with ``environment.setenv``."""
    for name in ("INKLING_STORE", "INKLING_KEEP_DAYS", "INKLING_WORKSPACE_MB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *names, **options: tmp_path / "home" / "inkling")
    return monkeypatch


@pytest.fixture
def connection(new_url):
    """A connection to the database beside the store's."""
    engine = sa.create_engine(new_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_by_default_the_store_is_a_private_file_in_the_data_folder(environment, tmp_path):
    store = Store.from_environment()
    assert (store.keep_days, store.max_bytes, store.is_temporary) == (30, 100_000_000, False)
    workspace = store.create()
    path = tmp_path / "home" / "inkling" / "inkling.sqlite3"
    assert path.is_file()
    if sys.platform != "win32":
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert Store.from_environment().visit(workspace)
    assert Store().visit(workspace)


def test_the_data_folder_is_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = database.default_file()
    assert path.parts[-2:] == ("inkling", "inkling.sqlite3")
    if sys.platform == "linux":
        assert path == tmp_path / "inkling" / "inkling.sqlite3"


def test_the_environment_sets_the_store(environment, tmp_path):
    environment.setenv("INKLING_STORE", f"sqlite:///{tmp_path}/deep/er/a.db")
    environment.setenv("INKLING_KEEP_DAYS", "7")
    environment.setenv("INKLING_WORKSPACE_MB", "3")
    store = Store.from_environment()
    assert (store.keep_days, store.max_bytes, store.is_temporary) == (7, 3_000_000, False)
    assert (tmp_path / "deep" / "er" / "a.db").is_file()
    assert not (tmp_path / "home").exists()


def test_without_a_writable_data_folder_the_store_is_temporary(environment, tmp_path, caplog):
    (tmp_path / "home").write_text("not a folder")
    environment.setattr("tempfile.tempdir", str(tmp_path))
    store = Store.from_environment()
    assert store.is_temporary
    assert store.visit(store.create())
    (path,) = tmp_path.glob("inkling-*/inkling.sqlite3")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"{tmp_path}/home/inkling cannot be written: all work goes to {path}; set INKLING_STORE to keep it"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INKLING_KEEP_DAYS", "0", "^INKLING_KEEP_DAYS must be a whole number from 1 to 36,500, got 0$"),
        ("INKLING_KEEP_DAYS", "soon", "^INKLING_KEEP_DAYS must be a whole number from 1 to 36,500, got 'soon'$"),
        ("INKLING_KEEP_DAYS", "1.5", "got '1.5'$"),
        ("INKLING_WORKSPACE_MB", "-1", "^INKLING_WORKSPACE_MB must be a whole number from 1 to 100,000, got -1$"),
        ("INKLING_WORKSPACE_MB", "9" * 5000, r"got '9+\.\.\.$"),
        ("INKLING_STORE", "work.db", EXPECTED + "something else$"),
        ("INKLING_STORE", "sqlite://", EXPECTED),
        ("INKLING_STORE", "sqlite:///:memory:", EXPECTED),
        ("INKLING_STORE", "mysql://me:secret@host/db", EXPECTED + r"'mysql://me:\*\*\*@host/db'$"),
        ("INKLING_STORE", "postgresql://me:secret@host/db", EXPECTED + r"'postgresql://me:\*\*\*@host/db'$"),
        ("INKLING_STORE", "postgresql+psycopg://me:secret@host:port/db", EXPECTED + "something else$"),
        ("INKLING_STORE", "sqlite:////dev/null/a.db", "^the folder of the database cannot be made: "),
        ("INKLING_STORE", "sqlite:////", UNREACHABLE),
        ("INKLING_STORE", "postgresql+psycopg://me:secret@127.0.0.1:9/db", UNREACHABLE),
    ],
)
def test_an_unsound_environment_is_refused_in_a_sentence(environment, caplog, name, value, message):
    environment.setenv(name, value)
    with pytest.raises(InklingError, match=message) as error:
        Store.from_environment()
    for text in (str(error.value), caplog.text.removesuffix("\n")):
        assert "secret" not in text
        assert "\n" not in text


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InklingError, match=r"^PostgreSQL needs another package: pip install 'inkling\[postgresql\]'$"):
        Store("postgresql+psycopg://host/db")


def test_the_migrations_make_the_tables_of_the_schema(new_url, connection):
    Store(new_url)
    options = {"compare_type": True, "compare_server_default": True}
    assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    keys = sa.inspect(connection).get_foreign_keys("run_files")
    assert [(key["name"], key["options"]) for key in keys] == [("fk_run_files_runs", {"ondelete": "CASCADE"})]


def test_a_database_is_migrated_once_and_opened_again(new_url, connection):
    store = Store(new_url)
    workspace = store.create()
    store.save_run(workspace, make_run(), {"seed-0": b"x"})
    assert names(Store(new_url).runs(workspace)) == ["Run 1"]
    assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).all() == [("0005",)]


def test_a_database_of_the_first_version_gets_room_for_drawings_and_classes(new_url, connection):
    store = Store(new_url)
    workspace = store.create()
    store.save_run(workspace, make_run())
    for table in ("class_lessons", "class_drawings", "class_collections", "drawings"):
        connection.execute(sa.text(f"DROP TABLE {table}"))
    connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    connection.commit()
    upgraded = Store(new_url)
    assert names(upgraded.runs(workspace)) == ["Run 1"]
    upgraded.save_drawings(workspace, [make_drawing(7)])
    assert [drawing.label for drawing in upgraded.drawings(workspace)] == [7]
    assert upgraded.class_collections.find(upgraded.class_collections.open(workspace))


def test_a_newer_database_is_refused_and_not_touched(new_url, connection):
    Store(new_url)
    connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    connection.commit()
    with pytest.raises(InklingError, match=r"^the database was made by a newer Inkling \(revision '9999'\); update Inkling"):
        Store(new_url)
    assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).all() == [("9999",)]


def test_a_failed_migration_leaves_nothing_behind(new_url, connection, monkeypatch):
    connection.execute(sa.text("CREATE TABLE servers (id INTEGER)"))  # the last table that the first migration makes
    connection.commit()
    with pytest.raises(InklingError):
        Store(new_url)
    assert sa.inspect(connection).get_table_names() == ["servers"]


def test_sqlite_is_set_up_on_every_connection(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite3")
    expected = {"busy_timeout": 10_000, "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    with store._engine.connect() as first, store._engine.connect() as second:
        for connection in (first, second):
            assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected} == expected


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "a.db").write_bytes(b"something else\n" * 1000)
    with pytest.raises(InklingError, match=r"^the store's file is damaged or not a database$"):
        Store(f"sqlite:///{tmp_path}/a.db")
    assert (tmp_path / "a.db").read_bytes() == b"something else\n" * 1000


def test_a_locked_database_is_busy_and_works_again(tmp_path, monkeypatch):
    monkeypatch.setitem(database.SQLITE_SETTINGS, "busy_timeout", 0)
    store = Store(f"sqlite:///{tmp_path}/store.sqlite3")
    workspace = store.create()
    other = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InklingError, match=BUSY):
        store.put(workspace, "drawing", 1)
    assert store.get(workspace, "drawing") is None  # who only reads does not wait
    assert store.visit(workspace)
    other.close()
    store.put(workspace, "drawing", 2)
    assert store.get(workspace, "drawing") == 2


def test_a_full_disk_loses_nothing_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(database.SQLITE_SETTINGS, "max_page_count", 100)
    store = Store(f"sqlite:///{tmp_path}/store.sqlite3")
    workspace, run = store.create(), make_run()
    store.save_run(workspace, run, {"seed-0": b"old"})
    with pytest.raises(InklingError, match=r"^the disk of the store is full: whoever runs this server has to make room$"):
        store.save_run(workspace, run, {"seed-0": bytes(1_000_000)})
    assert store.file(workspace, run.key, "seed-0") == b"old"
    store.save_run(workspace, run, {"seed-0": b"new"})
    assert store.file(workspace, run.key, "seed-0") == b"new"


def test_a_database_that_disappears_is_an_error_of_one_line(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite3")
    with sqlite3.connect(tmp_path / "store.sqlite3") as other:
        other.execute("DROP TABLE workspaces")
    other.close()
    with pytest.raises(InklingError, match=UNREACHABLE):
        store.create()


def test_the_store_works_again_when_postgresql_comes_back(postgresql):
    store = Store(postgresql.new_database())
    workspace = store.create()
    store.put(workspace, "drawing", 1)
    postgresql.stop()
    try:
        for _ in range(2):
            with pytest.raises(InklingError, match=UNREACHABLE):
                store.put(workspace, "drawing", 2)
            with pytest.raises(InklingError, match=UNREACHABLE):
                store.visit(workspace)
    finally:
        postgresql.start()
    assert store.visit(workspace)
    assert store.get(workspace, "drawing") == 1
    store.put(workspace, "drawing", 3)
    assert store.get(workspace, "drawing") == 3


def test_a_restart_of_postgresql_between_two_calls_is_not_noticed(postgresql):
    store = Store(postgresql.new_database())
    workspace = store.create()
    postgresql.stop()
    postgresql.start()
    assert store.visit(workspace)


def test_a_transaction_whose_connection_dies_is_not_half_there(postgresql):
    store = Store(postgresql.new_database())
    workspace = store.create()
    with pytest.raises(InklingError, match=UNREACHABLE), store._changes(workspace) as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert store.version(workspace) == 1


def test_waiting_for_a_lock_of_postgresql_ends(postgresql, monkeypatch):
    monkeypatch.setitem(database.POSTGRESQL_SETTINGS, "options", "-c lock_timeout=10ms")
    store = Store(postgresql.new_database())
    workspace = store.create()
    with store._changes(workspace), pytest.raises(InklingError, match=BUSY):
        store.put(workspace, "drawing", 1)
    store.put(workspace, "drawing", 2)


def test_the_sweeps_of_a_file_are_kept_in_a_file_beside_it(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'work.db'}")
    assert store.sweeps_url() == f"sqlite:///{tmp_path / 'work-sweeps.sqlite3'}"


def test_the_sweeps_of_a_postgresql_are_kept_in_it_beside_the_tables_of_the_store(postgresql, tiny):
    study_module = pytest.importorskip("engine.sweep.study")
    url = postgresql.new_database()
    store = Store(url)
    workspace = store.create()
    sweep = Sweep.from_table({"search": {"learning_rate": "1e-3..1e-2"}, "trials": 2})
    study_module.make_study(store.sweeps_url(), "mine", sweep, tiny)
    assert [*study_module.list_studies(store.sweeps_url())] == ["mine"]
    assert len(study_module.open_study(Store(url).sweeps_url(), "mine").trials()) == 2  # both migrate again, and agree
    assert store.visit(workspace)


def test_many_servers_make_the_schema_and_the_tables_of_the_sweeps_at_once(postgresql):
    study_module = pytest.importorskip("engine.sweep.study")
    url = postgresql.new_database()
    stores = [Store(url) for _ in range(8)]
    barrier = Barrier(len(stores))

    def ask(store):
        barrier.wait()
        return study_module.list_studies(store.sweeps_url())

    with ThreadPoolExecutor(len(stores)) as threads:
        assert list(threads.map(ask, stores)) == [{}] * len(stores)


def test_a_user_who_may_not_make_the_schema_of_the_sweeps_uses_the_one_that_is_there(postgresql):
    url = postgresql.new_database()
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    user = f"u{uuid4().hex}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE USER {user}"))
        connection.execute(sa.text(f"GRANT ALL ON SCHEMA public TO {user}"))
        store = Store(sa.make_url(url).set(username=user).render_as_string(hide_password=False))
        with pytest.raises(InklingError, match="the database does not allow this"):
            store.sweeps_url()
        connection.execute(sa.text(f"CREATE SCHEMA inkling_sweeps AUTHORIZATION {user}"))
    assert "inkling_sweeps" in store.sweeps_url()
    store.close()
    admin.dispose()


def test_the_options_of_a_postgresql_hold_for_its_sweeps(postgresql):
    store = Store(f"{postgresql.new_database()}&options=-c%20statement_timeout%3D12345")
    sweeps = sa.create_engine(store.sweeps_url())
    with sweeps.connect() as connection:
        values = connection.execute(sa.text("SELECT current_setting('statement_timeout'), current_schema()")).one()
    assert values == ("12345ms", "inkling_sweeps")
    sweeps.dispose()
