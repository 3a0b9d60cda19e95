"""What the server does besides the pages. Which names it answers to is in tests/deploy/test_hosts.py, with real servers."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse

from ui import compat, server


def answer(app, method, path):
    """The status that an ASGI application answers with."""
    statuses = []

    async def send(message):
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    return statuses[0]


@pytest.mark.parametrize(
    ("of_session", "of_all", "method", "status"),
    [
        (0, 0, "PUT", 200),
        (99_999_999, 999_999_999, "PUT", 200),
        (100_000_000, 100_000_000, "PUT", 413),
        (0, 1_000_000_000, "PUT", 413),
        (100_000_000, 1_000_000_000, "DELETE", 200),
        (100_000_000, 1_000_000_000, "GET", 200),
    ],
)
def test_an_upload_is_refused_while_others_take_too_much_memory(monkeypatch, of_session, of_all, method, status):
    asked = []

    def upload_bytes(session):
        asked.append(session)
        return of_session, of_all

    monkeypatch.setattr(server.compat, "upload_bytes", upload_bytes)
    monkeypatch.setattr(server.st, "get_option", {"server.maxUploadSize": 100}.get)
    app = server.LimitedUploads(PlainTextResponse("here"))
    assert answer(app, method, "/school/_stcore/upload_file/the-session/a-file") == status
    assert asked == (["the-session"] if method == "PUT" else [])


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
