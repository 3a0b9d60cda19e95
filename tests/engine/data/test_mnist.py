"""Finding MNIST, played through with small fake files and a mirror of our own on this machine."""

import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest
from helpers import idx_bytes, make_digits, write_idx_folder

from engine.data import DataError, load_mnist
from engine.data import mnist as module
from engine.data.mnist import DataNotFound

TRAIN, TEST = make_digits(40, 1), make_digits(20, 2)
PAYLOADS = {
    "train-images-idx3-ubyte": idx_bytes(TRAIN.images),
    "train-labels-idx1-ubyte": idx_bytes(TRAIN.labels),
    "t10k-images-idx3-ubyte": idx_bytes(TEST.images),
    "t10k-labels-idx1-ubyte": idx_bytes(TEST.labels),
}
DEAD = "http://127.0.0.1:9/"  # the discard port: nobody listens


class Mirror:
    """A web server that answers as it is told, and notes what it is asked."""

    def __init__(self, answer):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                status, body, length = answer(self.path.removeprefix("/").removesuffix(".gz"))
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def whole(name):
    body = gzip.compress(PAYLOADS[name])
    return 200, body, len(body)


def body(make):
    """An answer of these bytes, with the length they have."""

    def answer(name):
        content = make(PAYLOADS[name])
        return 200, content, len(content)

    return answer


BROKEN = {
    "404": lambda name: (404, b"not here", 8),
    "500": lambda name: (500, b"", 0),
    "broken off": lambda name: (200, gzip.compress(PAYLOADS[name])[:-20], len(gzip.compress(PAYLOADS[name]))),
    "cut short": body(lambda payload: gzip.compress(payload)[:-20]),
    "other content": body(lambda payload: gzip.compress(payload[:-1] + b"!")),
    "a web page": body(lambda payload: b"<html>please log in to this network</html>"),
    "empty": body(lambda payload: b""),
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and the hashes of the fake files in the place of MNIST's."""
    monkeypatch.setattr(module, "SHA256", {name: hashlib.sha256(part).hexdigest() for name, part in PAYLOADS.items()})
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "MIRRORS", (DEAD,))
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def mirror(monkeypatch):
    """Call with one answer for each mirror; gives the mirrors."""
    started = []

    def start(*answers):
        started.extend(Mirror(answer) for answer in answers)
        monkeypatch.setattr(module, "MIRRORS", tuple(m.url for m in started))
        return started

    yield start
    for m in started:
        m.close()


def check(sets):
    for part, expected in zip(sets, (TRAIN, TEST), strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)
        assert not part.images.flags.writeable
        assert not part.labels.flags.writeable


def test_downloads_from_the_first_mirror_once(cache, mirror):
    first, second = mirror(whole, whole)
    check(load_mnist())
    assert sorted(first.asked) == sorted(f"/{name}.gz" for name in PAYLOADS)
    assert not second.asked
    assert sorted(path.name for path in cache.iterdir()) == sorted(PAYLOADS)  # and nothing half done beside them
    check(load_mnist())
    assert len(first.asked) == 4


@pytest.mark.parametrize("kind", BROKEN)
def test_goes_to_the_second_mirror_when_the_first_fails(cache, mirror, kind):
    first, second = mirror(BROKEN[kind], whole)
    check(load_mnist())
    assert len(first.asked) == len(second.asked) == 4


def test_goes_to_the_second_mirror_when_nobody_answers_at_the_first(cache, mirror, monkeypatch):
    (only,) = mirror(whole)
    monkeypatch.setattr(module, "MIRRORS", (DEAD, only.url))
    check(load_mnist())


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_download_never_stays_in_the_cache(cache, mirror, kind):
    mirror(lambda name: BROKEN[kind](name) if name.startswith("t10k-images") else whole(name))
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    for path in cache.iterdir():
        assert path.read_bytes() == PAYLOADS[path.name]
    assert not (cache / "t10k-images-idx3-ubyte").exists()


def test_what_is_there_already_is_not_fetched_again(cache, mirror):
    cache.mkdir()
    (cache / "train-images-idx3-ubyte").write_bytes(PAYLOADS["train-images-idx3-ubyte"])
    (only,) = mirror(whole)
    check(load_mnist())
    assert len(only.asked) == 3


@pytest.mark.parametrize("compressed", [False, True])
def test_files_put_into_the_cache_by_hand_are_taken(cache, compressed):
    write_idx_folder(cache, TRAIN, TEST, compressed)
    check(load_mnist())


@pytest.mark.parametrize(
    "content", [b"", b"junk", gzip.compress(b"junk"), PAYLOADS["t10k-labels-idx1-ubyte"][:-1] + b"\x07"]
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_broken_file_in_the_cache_is_replaced(cache, mirror, content, ending):
    write_idx_folder(cache, TRAIN, TEST, compressed=bool(ending))
    (cache / f"t10k-labels-idx1-ubyte{ending}").write_bytes(content)
    (only,) = mirror(whole)
    check(load_mnist())
    assert only.asked == ["/t10k-labels-idx1-ubyte.gz"]
    check(load_mnist())
    assert len(only.asked) == 1


def test_without_network_and_cache_one_line_says_where_to_put_the_files(cache):
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    message = str(caught.value)
    assert "\n" not in message
    assert str(cache) in message
    assert "INKLING_MNIST_DIR" in message
    assert "cannot be reached" in message


def test_a_cache_that_cannot_be_made_is_one_line(cache, mirror):
    cache.write_text("a file where the folder should be")
    mirror(whole)
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)


def test_the_users_folder_comes_before_the_cache(cache, tmp_path, monkeypatch):
    write_idx_folder(cache, TRAIN, TEST)
    (cache / "train-images-idx3-ubyte").write_bytes(b"never looked at")
    mine = write_idx_folder(tmp_path / "mine", TRAIN, TEST, compressed=True)
    monkeypatch.setenv("INKLING_MNIST_DIR", str(mine))
    check(load_mnist())


@pytest.mark.parametrize("content", [b"junk", gzip.compress(b"junk"), PAYLOADS["t10k-images-idx3-ubyte"][:-1] + b"!"])
def test_a_broken_file_in_the_users_folder_is_named_and_left_alone(cache, tmp_path, monkeypatch, content):
    write_idx_folder(cache, TRAIN, TEST)  # sound, but not what was asked for
    mine = write_idx_folder(tmp_path / "mine", TRAIN, TEST)
    bad = mine / "t10k-images-idx3-ubyte"
    bad.write_bytes(content)
    monkeypatch.setenv("INKLING_MNIST_DIR", str(mine))
    with pytest.raises(DataError) as caught:
        load_mnist()
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bad.read_bytes() == content


@pytest.mark.mnist
def test_the_real_one_has_60000_and_10000_images(mnist):
    train, test = mnist
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.images.shape == (60_000, 28, 28)
    # counted by LeCun: 5,923 zeros and 6,742 ones to learn from, 980 and 1,135 to be tested on
    assert np.bincount(train.labels)[:2].tolist() == [5923, 6742]
    assert np.bincount(test.labels)[:2].tolist() == [980, 1135]
    assert not train.images.flags.writeable
