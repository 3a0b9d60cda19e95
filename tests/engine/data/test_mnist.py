"""Getting MNIST, tested with small fake files and a fake mirror on this machine."""

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
DEAD = "http://127.0.0.1:9/"  # the discard port: no server listens


class Mirror:
    """A web server with given answers that records the requests."""

    def __init__(self, answer):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append(self.path)
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


def good(name):
    content = gzip.compress(PAYLOADS[name])
    return 200, content, len(content)


def body(make):
    """An answer with these bytes, and their length in its header."""

    def answer(name):
        content = make(PAYLOADS[name])
        return 200, content, len(content)

    return answer


BROKEN = {
    "404": lambda name: (404, b"not found", 9),
    "500": lambda name: (500, b"", 0),
    "connection lost": lambda name: (200, gzip.compress(PAYLOADS[name])[:-20], len(gzip.compress(PAYLOADS[name]))),
    "truncated": body(lambda payload: gzip.compress(payload)[:-20]),
    "other content": body(lambda payload: gzip.compress(payload[:-1] + b"!")),
    "a web page": body(lambda payload: b"<html>please log in to this network</html>"),
    "empty": body(lambda payload: b""),
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and the hashes of the fake files instead of MNIST's."""
    monkeypatch.setattr(module, "SHA256", {name: hashlib.sha256(part).hexdigest() for name, part in PAYLOADS.items()})
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "MIRRORS", (DEAD,))
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def mirror(monkeypatch):
    """A function that starts one mirror for each answer and returns the mirrors."""
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
    first, second = mirror(good, good)
    check(load_mnist())
    assert sorted(first.requests) == sorted(f"/{name}.gz" for name in PAYLOADS)
    assert not second.requests
    assert sorted(path.name for path in cache.iterdir()) == sorted(PAYLOADS)  # and no temporary files
    check(load_mnist())
    assert len(first.requests) == 4


@pytest.mark.parametrize("kind", BROKEN)
def test_uses_the_second_mirror_if_the_first_fails(cache, mirror, kind):
    first, second = mirror(BROKEN[kind], good)
    check(load_mnist())
    assert len(first.requests) == len(second.requests) == 4


def test_uses_the_second_mirror_if_the_first_does_not_answer(cache, mirror, monkeypatch):
    (server,) = mirror(good)
    monkeypatch.setattr(module, "MIRRORS", (DEAD, server.url))
    check(load_mnist())


@pytest.mark.parametrize("kind", BROKEN)
def test_a_damaged_download_never_stays_in_the_cache(cache, mirror, kind):
    mirror(lambda name: BROKEN[kind](name) if name.startswith("t10k-images") else good(name))
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    for path in cache.iterdir():
        assert path.read_bytes() == PAYLOADS[path.name]
    assert not (cache / "t10k-images-idx3-ubyte").exists()


def test_files_in_the_cache_are_not_downloaded_again(cache, mirror):
    cache.mkdir()
    (cache / "train-images-idx3-ubyte").write_bytes(PAYLOADS["train-images-idx3-ubyte"])
    (server,) = mirror(good)
    check(load_mnist())
    assert len(server.requests) == 3


@pytest.mark.parametrize("compressed", [False, True])
def test_files_put_into_the_cache_by_hand_are_used(cache, compressed):
    write_idx_folder(cache, TRAIN, TEST, compressed)
    check(load_mnist())


@pytest.mark.parametrize(
    "content", [b"", b"junk", gzip.compress(b"junk"), PAYLOADS["t10k-labels-idx1-ubyte"][:-1] + b"\x07"]
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_damaged_file_in_the_cache_is_replaced(cache, mirror, content, ending):
    write_idx_folder(cache, TRAIN, TEST, compressed=bool(ending))
    (cache / f"t10k-labels-idx1-ubyte{ending}").write_bytes(content)
    (server,) = mirror(good)
    check(load_mnist())
    assert server.requests == ["/t10k-labels-idx1-ubyte.gz"]
    check(load_mnist())
    assert len(server.requests) == 1


def test_without_network_and_cache_one_line_says_where_to_put_the_files(cache):
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    message = str(caught.value)
    assert "\n" not in message
    assert str(cache) in message
    assert "INKLING_MNIST_DIR" in message
    assert "cannot be reached" in message


def test_a_folder_that_lacks_a_file_is_named_if_nothing_can_be_downloaded(cache, tmp_path, monkeypatch):
    folder = write_idx_folder(tmp_path / "folder", TRAIN, TEST)
    (folder / "t10k-images-idx3-ubyte").unlink()
    monkeypatch.setenv("INKLING_MNIST_DIR", str(folder))
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert f"INKLING_MNIST_DIR is {folder}, and t10k-images-idx3-ubyte is missing there" in str(caught.value)


def test_a_cache_that_cannot_be_created_is_one_line(cache, mirror):
    cache.write_text("a file where the folder should be")
    mirror(good)
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)


def test_the_users_folder_comes_before_the_cache(cache, tmp_path, monkeypatch):
    write_idx_folder(cache, TRAIN, TEST)
    (cache / "train-images-idx3-ubyte").write_bytes(b"never read")
    folder = write_idx_folder(tmp_path / "folder", TRAIN, TEST, compressed=True)
    monkeypatch.setenv("INKLING_MNIST_DIR", str(folder))
    check(load_mnist())


@pytest.mark.parametrize("content", [b"junk", gzip.compress(b"junk"), PAYLOADS["t10k-images-idx3-ubyte"][:-1] + b"!"])
def test_a_damaged_file_in_the_users_folder_is_named_and_left_alone(cache, tmp_path, monkeypatch, content):
    write_idx_folder(cache, TRAIN, TEST)  # intact, but not the user's choice
    folder = write_idx_folder(tmp_path / "folder", TRAIN, TEST)
    bad = folder / "t10k-images-idx3-ubyte"
    bad.write_bytes(content)
    monkeypatch.setenv("INKLING_MNIST_DIR", str(folder))
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
    # LeCun's counts: 5,923 zeros and 6,742 ones in the training set, 980 and 1,135 in the test set
    assert np.bincount(train.labels)[:2].tolist() == [5923, 6742]
    assert np.bincount(test.labels)[:2].tolist() == [980, 1135]
    assert not train.images.flags.writeable
