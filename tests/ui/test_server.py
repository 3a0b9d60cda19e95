"""What the server does besides the pages. Which names it answers to is in tests/deploy/test_hosts.py, with real servers."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse

from ui import compat, server


async def call(app, method, path, length=None):
    """The status that an ASGI application answers with; ``length`` is the request's Content-Length, if any."""
    statuses = []

    async def send(message):
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}, receive, send)
    return statuses[0]


@pytest.fixture
def stored(monkeypatch):
    """How many bytes of uploads of each session are in memory; a session may have 100 MB, and all of them 1,000 MB."""
    stored = {}
    upload_bytes = lambda session: (stored.get(session, 0), sum(stored.values()))  # noqa: E731
    monkeypatch.setattr(server.compat, "upload_bytes", upload_bytes)
    monkeypatch.setattr(server.st, "get_option", {"server.maxUploadSize": 100}.get)
    return stored


def path_of(session):
    return f"/school/_stcore/upload_file/{session}/a-file"


@pytest.mark.parametrize(
    ("of_session", "of_others", "method", "length", "status"),
    [
        (0, 0, "PUT", 1_000, 200),
        (0, 0, "PUT", None, 200),
        (0, 0, "PUT", 100_000_400, 200),  # a file of 100 MB, with what surrounds it
        (0, 0, "PUT", 10**30, 200),  # Streamlit refuses it
        (99_999_000, 900_000_000, "PUT", 1_000, 200),
        (99_999_000, 0, "PUT", 1_001, 413),
        (1, 0, "PUT", None, 413),
        (1, 0, "PUT", "many", 413),
        (0, 999_999_000, "PUT", 1_000, 200),
        (0, 999_999_000, "PUT", 1_001, 413),
        (100_000_000, 1_000_000_000, "DELETE", None, 200),
        (100_000_000, 1_000_000_000, "GET", None, 200),
    ],
)
def test_an_upload_is_refused_while_others_take_too_much_memory(stored, of_session, of_others, method, length, status):
    stored.update({"the-session": of_session, "another": of_others})
    app = server.LimitedUploads(PlainTextResponse("here"))
    assert asyncio.run(call(app, method, path_of("the-session"), length)) == status


class Receiving:
    """An application that receives each upload until ``end`` is set, and then has stored it, or fails."""

    def __init__(self, stored, fails=False):
        self.stored, self.fails, self.end = stored, fails, asyncio.Event()

    async def __call__(self, scope, receive, send):
        await self.end.wait()
        if self.fails:
            raise ConnectionError
        *_, session, _ = scope["path"].split("/")
        self.stored[session] = self.stored.get(session, 0) + int(dict(scope["headers"])[b"content-length"])
        await PlainTextResponse("here")(scope, receive, send)


async def uploads_at_once(app, uploads):
    """The answer to each upload of a session and a length; all begin before the first one ends."""
    tasks = [asyncio.create_task(call(app, "PUT", path_of(session), length)) for session, length in uploads]
    await asyncio.sleep(0)
    app.app.end.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("uploads", "statuses"),
    [
        ([("one", 60_000_000), ("one", 40_000_000), ("one", 1)], [200, 200, 413]),
        ([("one", 60_000_000), ("one", 60_000_000), ("two", 60_000_000)], [200, 413, 200]),
        ([(str(k), 100_000_000) for k in range(12)], [200] * 10 + [413] * 2),
    ],
)
def test_uploads_at_the_same_time_count_together(stored, uploads, statuses):
    async def run():
        app = server.LimitedUploads(Receiving(stored))
        assert await uploads_at_once(app, uploads) == statuses
        accepted = [size for (_, size), status in zip(uploads, statuses, strict=True) if status == 200]
        assert sum(stored.values()) == sum(accepted)
        stored.clear()  # the pages have used them
        assert await uploads_at_once(app, uploads) == statuses

    asyncio.run(run())


def test_an_upload_that_fails_counts_no_more(stored):
    async def run():
        app = server.LimitedUploads(Receiving(stored, fails=True))
        for _ in range(3):
            (failure,) = await uploads_at_once(app, [("one", 100_000_000)])
            assert isinstance(failure, ConnectionError)
        app.app = PlainTextResponse("here")
        assert await call(app, "PUT", path_of("one"), 100_000_000) == 200

    asyncio.run(run())


@pytest.mark.skipif(not hasattr(socket, "SO_ACCEPTCONN"), reason="the system does not say which sockets listen")
def test_connections_to_a_socket_that_listens_send_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as other:
        compat.send_at_once()
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not other.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("counts", "text"),
    [((0, 0), "0 trainings, 0 waiting"), ((1, 0), "1 training, 0 waiting"), ((2, 5), "2 trainings, 5 waiting")],
)
def test_the_log_says_how_many_trainings_there_are(monkeypatch, counts, text):
    monkeypatch.setattr(server.default_pool(), "counts", lambda: counts)
    assert server.trainings() == text


@pytest.mark.parametrize(
    ("base", "path", "is_answered"),
    [
        ("", "/train/_stcore/health", True),
        ("", "/work/_stcore/host-config", True),
        ("digits/inkling", "/digits/inkling/train/_stcore/health", True),
        ("/digits/", "/digits/work/_stcore/health", True),
        ("train", "/train/_stcore/health", False),  # Streamlit's own
        ("", "/_stcore/health", False),
        ("", "/train/_stcore/metrics", False),
        ("", "/train/train/_stcore/health", False),
    ],
)
def test_a_page_that_asks_for_the_app_at_its_own_address_gets_a_no(monkeypatch, base, path, is_answered):
    monkeypatch.setattr(server.st, "get_option", {"server.baseUrlPath": base}.get)
    app = server.AddressOfPages(PlainTextResponse("Streamlit's", 404))
    assert asyncio.run(call(app, "GET", path)) == (200 if is_answered else 404)
