"""Servers on this machine: the app, PostgreSQL, and raw requests to them."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections import namedtuple
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy
from helpers import ROOT

from engine.data import mnist

HOST = "inkling.localhost"  # chromium looks for every name that ends in .localhost on this machine
SECONDS = 60  # the longest that anything takes to start or end on a busy machine

Replica = namedtuple("Replica", "process port log")
Answer = namedtuple("Answer", "status headers body")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, process=None):
    """Call ``condition`` until it returns something true, and return that; OSError counts as not yet."""
    deadline = monotonic() + SECONDS
    while True:
        with suppress(OSError, http.client.HTTPException):
            if result := condition():
                return result
        assert process is None or process.poll() is None, f"{what}: its process ended"
        assert monotonic() < deadline, f"{what}: not within {SECONDS} s"
        sleep(0.1)


@contextmanager
def running(command, log, **options):
    """A process that ends with the context; what it prints goes to the file ``log``."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port, path="/_stcore/health", host="localhost", tls=None, server_name=HOST, method="GET", body=None, **headers):
    """Send one request to 127.0.0.1; header names are written with ``_`` for ``-``."""
    kind = http.client.HTTPConnection if tls is None else http.client.HTTPSConnection
    connection = kind("127.0.0.1", port, timeout=20, **({} if tls is None else {"context": tls}))
    try:
        if tls is not None:
            plain = socket.create_connection(("127.0.0.1", port), timeout=20)
            connection.sock = tls.wrap_socket(plain, server_hostname=server_name)
        headers = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, b"" if response.status == 101 else response.read())
    finally:
        connection.close()


def ask_for_websocket(port, host="localhost", tls=None, **headers):
    """Try to open the app's websocket: the status is 101 if it opens."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    return ask(port, "/_stcore/stream", host, tls, **upgrade, **key, **headers)


def app_environment():
    """Environment variables that show the app where MNIST is, if it lies beside the repository."""
    folder = ROOT.parent / "shared" / "mnist"
    return {mnist.FOLDER_VARIABLE: str(folder)} if folder.is_dir() else {}


@contextmanager
def serve_app(log, *options, cwd=ROOT, prefix="", host="localhost", port=None, **environment):
    """The app as ``streamlit run`` starts it, with these options and variables; ``host`` is a name that it answers to."""
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py"), "--server.port", str(port)]
    with running([*command, *options], log, cwd=cwd, env=os.environ | app_environment() | environment) as process:
        wait_until(lambda: ask(port, f"{prefix}/_stcore/health", host).status == 200, "the app", process)
        yield Replica(process, port, Path(log))


def look_up(store, query, **values):
    """The first value that this query finds in the store at this address; None if it finds nothing."""
    with sqlalchemy.create_engine(store, poolclass=sqlalchemy.NullPool).connect() as connection:
        return connection.execute(sqlalchemy.text(query), values).scalar()


class PostgreSQL:
    """A server with an empty data folder, which listens on a Unix socket only. It does not run as root, which it refuses."""

    def __init__(self, programs):
        self.programs, self.process = programs, None
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="inkling-postgresql-", dir="/tmp"))  # a socket's path must be short
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=120, cwd="/", **self.user)
        self.start()

    def start(self):
        options = ["-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *options], stdout=output, stderr=output, cwd="/", **self.user
            )
        is_ready = [self.programs / "pg_isready", "-q", "-h", self.folder]
        wait_until(lambda: not subprocess.run(is_ready, check=False).returncode, f"PostgreSQL ({log})", self.process)

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # a "fast shutdown": it disconnects its clients
        self.process.wait(60)

    def url(self, database="postgres"):
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self):
        name = f"d{uuid.uuid4().hex}"
        command = [self.programs / "psql", "-q", "-h", self.folder, "-U", "postgres", "-c", f"CREATE DATABASE {name}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return self.url(name)
