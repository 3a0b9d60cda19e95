"""Nothing is lost: a reload, another device, a lost connection, and a server that is killed and started again."""

import os
import re
import socket
import threading
from contextlib import suppress
from time import sleep

import pytest
from browsing import Visitor, serve
from servers import look_up, wait_until

from browser.test_train import control, set_number

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

# How long the connection is away, and after how long Streamlit forgets a session: by default sooner than usual, after 2 s.
OFFLINE_SECONDS = float(os.environ.get("INKLING_OFFLINE_SECONDS", 4))
FORGET_SECONDS = "120" if OFFLINE_SECONDS > 120 else "2"
EMPTY = "Draw a digit from 0 to 9"
SEVEN = [(60, 60), (200, 60), (120, 230)]
DRAWING = "SELECT 1 FROM workspace_values WHERE name = 'drawing' AND value LIKE '%path%' AND workspace = :workspace"
CHECKPOINT = "SELECT content FROM run_files WHERE name = 'training'"


def start(store, port=None):
    """A server with this store, on the port given or on a free one."""
    return serve({"INKLING_STORE": store, "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": FORGET_SECONDS}, port)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The address of the store of the server that most tests share."""
    return f"sqlite:///{tmp_path_factory.mktemp('lasting') / 'inkling.sqlite3'}"


@pytest.fixture(scope="module")
def url(store, mnist):
    """The address of that server."""
    with start(store) as (_, url):
        yield url


def wait_for_drawing(store, visitor):
    """Wait until the visitor's drawing is stored, which takes 2 s."""
    workspace = visitor.page.url.split("w=")[1]
    wait_until(lambda: look_up(store, DRAWING, workspace=workspace), "the drawing in the store")


@pytest.fixture
def arrive(browser):
    """A visitor with a browser of their own, or with that of another visitor."""
    contexts = []
    expect.set_options(timeout=60_000)

    def arrive(url, path="", context=None):
        if context is None:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            contexts.append(context)
        visitor = Visitor(context.new_page(), url)
        visitor.page.set_default_timeout(60_000)
        return visitor.open(path)

    yield arrive
    expect.set_options(timeout=20_000)
    for context in contexts:
        context.close()


def step(visitor):
    """The step at which the run has paused."""
    headline = visitor.page.get_by_text(re.compile("paused at step"))
    return int(re.search(r"step ([\d,]+)", headline.first.inner_text())[1].replace(",", ""))


def start_long_run(visitor):
    set_number(visitor, "Epochs", 500)
    control(visitor, "Start").click()
    expect(visitor.page.get_by_text(re.compile(r"epoch [2-9] of 500"))).to_be_visible()


def draw_and_train(store, visitor):
    """Draw a seven and start a long run, until the drawing is in the store."""
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")
    start_long_run(visitor)
    wait_for_drawing(store, visitor)


def test_a_reload_keeps_the_drawing_with_its_undo_and_the_run_goes_on(url, arrive):
    visitor = arrive(url)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.reload()
    expect(visitor.digit()).to_have_text("7")
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.button("Redo").click()
    expect(visitor.digit()).to_have_text("7")

    visitor.go_to("Train")
    start_long_run(visitor)
    visitor.page.reload()
    expect(control(visitor, "Pause")).to_be_enabled()
    expect(visitor.page.get_by_label("Epochs", exact=True).first).to_have_value("500")
    control(visitor, "Pause").click()
    expect(visitor.page.get_by_text(re.compile("paused at step"))).to_be_visible()
    assert step(visitor) > 400
    assert visitor.errors == []


def test_the_link_brings_everything_to_another_device_and_two_tabs_show_the_same(store, url, arrive):
    first = arrive(url)
    draw_and_train(store, first)
    second = arrive(url, "/?" + first.page.url.split("?")[1])
    expect(second.digit()).to_have_text("7")
    second.go_to("Train")
    control(second, "Pause").click()
    expect(second.page.get_by_text(re.compile("paused at step"))).to_be_visible()
    expect(first.page.get_by_text(re.compile("paused at step"))).to_be_visible()
    assert step(first) == step(second)

    stranger = arrive(url, "/train")
    expect(control(stranger, "Start")).to_be_enabled()
    expect(stranger.page.get_by_text("Run 1")).to_have_count(0)


def test_the_browser_remembers_the_workspace_without_its_link(store, url, arrive):
    visitor = arrive(url)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    wait_for_drawing(store, visitor)
    again = arrive(url, context=visitor.page.context)
    expect(again.digit()).to_have_text("7")


def test_after_a_kill_of_the_server_run_and_drawing_are_there_and_resume_goes_on(tmp_path, mnist, arrive):
    store = f"sqlite:///{tmp_path / 'inkling.sqlite3'}"
    with start(store) as (process, url):
        visitor = arrive(url)
        draw_and_train(store, visitor)
        before = look_up(store, CHECKPOINT)
        wait_until(lambda: look_up(store, CHECKPOINT) != before, "the next checkpoint, which comes every 5 s")
        process.kill()
        process.wait()
    with start(store, int(url.rpartition(":")[2])):  # the page connects again by itself
        expect(visitor.page.get_by_text("The server was restarted while this training ran.")).to_be_visible()
        stopped_at = step(visitor)
        assert stopped_at > 400
        epoch = int(re.search(r"epoch (\d+) of", visitor.page.get_by_test_id("stProgress").inner_text())[1])
        control(visitor, "Resume").click()
        expect(visitor.page.get_by_text("The server was restarted")).to_have_count(0)
        expect(visitor.page.get_by_test_id("stProgress")).to_contain_text(f"epoch {epoch + 1} of 500")
        control(visitor, "Pause").click()
        expect(visitor.page.get_by_text(re.compile("paused at step"))).to_be_visible()
        assert step(visitor) > stopped_at
        visitor.go_to("Draw")
        expect(visitor.digit()).to_have_text("7")


def test_a_lost_connection_loses_neither_run_nor_drawing(url, arrive):
    proxy = Proxy(int(url.rpartition(":")[2]))
    visitor = arrive(f"http://localhost:{proxy.port}")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")
    start_long_run(visitor)
    proxy.cut()
    sleep(OFFLINE_SECONDS)
    proxy.mend()
    expect(control(visitor, "Pause")).to_be_enabled(timeout=120_000)
    expect(visitor.page.get_by_label("Epochs", exact=True).first).to_have_value("500")
    control(visitor, "Pause").click()
    expect(visitor.page.get_by_text(re.compile("paused at step"))).to_be_visible()
    assert step(visitor) > 400
    visitor.go_to("Draw")
    expect(visitor.digit()).to_have_text("7")
    proxy.close()


class Proxy:
    """Passes on what comes to its ``port``, until it is ``cut``."""

    def __init__(self, target):
        self.target, self.is_cut, self.pairs = target, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self.pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.is_cut = True
        for pair in self.pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.pairs = []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.listener.close()
        self.cut()
