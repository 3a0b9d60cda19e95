"""The pieces of ``deploy/`` on this machine: PostgreSQL, two replicas of the app, and the proxy before them."""

import shutil
import ssl
import subprocess
from collections import namedtuple
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from browsing import Visitor, chromium
from helpers import ROOT, need
from servers import HOST, SECONDS, ask, free_port, running, serve_app, wait_until

Deployment = namedtuple("Deployment", "port http_port replicas log store")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for HOST and its key, in one file."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, "-keyout", path, "-out", f"{path}.crt"], check=True, stderr=subprocess.DEVNULL)
    with open(path, "a") as both:
        both.write(Path(f"{path}.crt").read_text())
    return path


@pytest.fixture(scope="session")
def tls(certificate):
    """What a client needs to trust the proxy, and nobody else."""
    return ssl.create_default_context(cafile=certificate)


@contextmanager
def deploy(folder, store, certificate):
    """Two replicas on one PostgreSQL behind ``deploy/Caddyfile``."""
    caddy = shutil.which("caddy")
    if caddy is None:
        need("caddy", "caddy is not installed (Debian's package caddy)")
    settings = {
        "INKLING_STORE": store,
        "STREAMLIT_SERVER_ALLOWED_HOSTS": f"{HOST} localhost 127.0.0.1",
        "STREAMLIT_SERVER_COOKIE_SECRET": "the same in all replicas",
    }
    with ExitStack() as stack:
        replicas = [stack.enter_context(serve_app(folder / f"app{number}.log", **settings)) for number in (1, 2)]
        deployment = Deployment(free_port(), free_port(), replicas, folder / "caddy.log", store)
        environment = {
            "INKLING_HOST": HOST,
            "INKLING_HTTP_PORT": str(deployment.http_port),
            "INKLING_HTTPS_PORT": str(deployment.port),
            "INKLING_TLS": f"{certificate} {certificate}",
            "INKLING_UPSTREAMS": " ".join(f"127.0.0.1:{replica.port}" for replica in replicas),
            "INKLING_COOKIE_SECRET": "secret",
            "HOME": str(folder),  # where caddy keeps its own files
        }
        command = [caddy, "run", "--config", ROOT / "deploy" / "Caddyfile", "--adapter", "caddyfile"]
        process = stack.enter_context(running(command, deployment.log, env=environment))
        trust = ssl.create_default_context(cafile=certificate)
        wait_until(lambda: ask(deployment.port, host=HOST, tls=trust).status == 200, "the proxy", process)
        yield deployment


@pytest.fixture(scope="module")
def deployment(tmp_path_factory, postgresql, certificate, mnist):
    """A deployment for several tests, which leave it as it is."""
    with deploy(tmp_path_factory.mktemp("deployment"), postgresql.new_database(), certificate) as deployment:
        yield deployment


@pytest.fixture
def own_deployment(tmp_path, postgresql, certificate, mnist):
    """A deployment for one test, which may kill parts of it."""
    with deploy(tmp_path, postgresql.new_database(), certificate) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Open an address in a new session: ``visit(url)``. What the browser's console says goes to ``visitor.console``."""
    contexts = []

    def arrive(url, path=""):
        contexts.append(context := browser.new_context(ignore_https_errors=True))
        context.set_default_timeout(SECONDS * 1000)
        visitor = Visitor(context.new_page(), url)
        visitor.console = []
        visitor.page.on("console", lambda message: visitor.console.append(f"{message.text} ({message.location['url']})"))
        return visitor.open(path)

    yield arrive
    for context in contexts:
        context.close()
