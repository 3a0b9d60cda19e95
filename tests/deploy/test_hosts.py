"""Who may ask the server, without a proxy: a page that points its own name at this machine (DNS rebinding) may not."""

import pytest
from servers import ask, ask_for_websocket, serve_app


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """Servers with the committed settings, and with a name of their own."""
    folder = tmp_path_factory.mktemp("hosts")
    names = {"STREAMLIT_SERVER_ALLOWED_HOSTS": "inkling.example *.school.example"}
    with serve_app(folder / "1.log") as plain, serve_app(folder / "2.log", host="inkling.example", **names) as named:
        yield {"plain": plain.port, "named": named.port}


@pytest.mark.parametrize(
    ("server", "host", "is_let_in"),
    [
        ("plain", "localhost:{port}", True),
        ("plain", "127.0.0.1:{port}", True),
        ("plain", "[::1]:{port}", True),
        ("plain", "evil.example", False),
        ("plain", "localhost.evil.example", False),
        ("plain", "127.0.0.1@evil.example", False),
        ("plain", "", False),
        ("named", "inkling.example", True),
        ("named", "room7.school.example:443", True),
        ("named", "evil.example", False),
        ("named", "127.0.0.1:{port}", False),
    ],
)
def test_only_configured_names_are_let_in(ports, server, host, is_let_in):
    port = ports[server]
    host = host.format(port=port)
    for path in ("/", "/_stcore/health", "/_stcore/metrics", "/media/nothing.png", "/train?embed=true"):
        assert (ask(port, path, host).status != 400) == is_let_in, path
    assert ask_for_websocket(port, host, Origin=f"http://{host}").status == (101 if is_let_in else 400)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost.evil.example", "http://localhost:1"])
def test_another_sites_page_opens_no_websocket(ports, origin):
    port = ports["plain"]
    assert ask_for_websocket(port, f"localhost:{port}", Origin=origin).status == 403


def test_a_program_without_an_origin_may_open_the_websocket(ports):
    assert ask_for_websocket(ports["plain"]).status == 101
