"""Getting MNIST, tested with small fake files and a fake mirror on this machine."""

import gzip
import hashlib
import http.server
import threading
import tracemalloc
from contextlib import suppress

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
    "content", [b"", b"junk", gzip.compress(b"junk", mtime=0), PAYLOADS["t10k-labels-idx1-ubyte"][:-1] + b"\x07"]
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
    assert f"INKLING_MNIST_DIR: {folder} must hold t10k-images-idx3-ubyte or " in str(caught.value)
    assert "and has t10k-labels-idx1-ubyte, train-images-idx3-ubyte, train-labels-idx1-ubyte" in str(caught.value)


def test_a_damaged_file_in_the_cache_is_named_if_it_cannot_be_downloaded_again(cache):
    cache.mkdir(parents=True)
    (cache / "train-images-idx3-ubyte").write_bytes(b"damaged")
    with pytest.raises(DataNotFound, match=f"^{cache}/train-images-idx3-ubyte is damaged and could not be downloaded"):
        load_mnist()


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


@pytest.mark.parametrize(
    "content", [b"junk", gzip.compress(b"junk", mtime=0), PAYLOADS["t10k-images-idx3-ubyte"][:-1] + b"!"]
)
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


class Dripping(Mirror):
    """A mirror that sends ``start``, and then a byte at a time until it is closed."""

    def __init__(self, start):
        super().__init__(good)
        self.closed = closed = threading.Event()

        def drip(handler):
            with suppress(OSError):
                handler.wfile.write(start)
                while not closed.wait(0.01):
                    handler.wfile.write(b"\0")
                    handler.wfile.flush()

        self._server.RequestHandlerClass.do_GET = drip

    def close(self):
        self.closed.set()
        super().close()


SLOW = {
    "a slow body": b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "a body without an end": b"HTTP/1.0 200 OK\r\n\r\n",
    "a slow header": b"HTTP/1.0 200 OK\r\nX-Long: ",
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_mirror_that_sends_a_byte_now_and_then_is_given_up(cache, mirror, monkeypatch, kind):
    monkeypatch.setattr(module, "MIRROR_SECONDS", 0.3)
    slow = Dripping(SLOW[kind])
    try:
        monkeypatch.setattr(module, "MIRRORS", (slow.url,))
        with pytest.raises(DataNotFound, match=r"127\.0\.0\.1 was too slow: it did not send its files within 0\.3 s"):
            load_mnist()
        assert not list(cache.iterdir())
    finally:
        slow.close()


def test_the_second_mirror_has_its_own_time(cache, mirror, monkeypatch):
    fetch, seconds_left = module._fetch, []

    def slow_at_first(url, name, seconds, bar):
        seconds_left.append(seconds)
        if url.startswith(DEAD):
            raise DataError("was too slow")
        return fetch(url, name, 60, bar)

    times = iter(range(0, 100_000, 7))
    (server,) = mirror(good)
    monkeypatch.setattr(module, "MIRRORS", (DEAD, server.url))
    monkeypatch.setattr(module, "_fetch", slow_at_first)
    monkeypatch.setattr(module, "monotonic", lambda: next(times))
    check(load_mnist())
    first, second = seconds_left[::2], seconds_left[1::2]
    assert first == [300, 293, 286, 279]
    assert second[0] == 300
    assert second[3] < second[2] < second[1] < 300


def test_a_body_that_is_too_long_is_not_read_to_its_end(cache, mirror, monkeypatch):
    monkeypatch.setattr(module, "SIZES", dict.fromkeys(PAYLOADS, 1_000))
    (server,) = mirror(lambda name: (200, bytes(1 << 20), 1 << 40))
    with pytest.raises(DataNotFound, match="sent more than 1,000 bytes"):
        load_mnist()
    assert len(server.requests) == 1


def test_a_compressed_body_is_unpacked_no_further_than_its_file(cache, mirror, monkeypatch):
    monkeypatch.setattr(module, "SIZES", dict.fromkeys(PAYLOADS, 200_000))
    bomb = gzip.compress(bytes(100 << 20), 9)  # 100 MB in 102 KB
    mirror(lambda name: (200, bomb, len(bomb)))
    tracemalloc.start()
    with pytest.raises(DataNotFound, match="something else than MNIST's train-images"):
        load_mnist()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_a_folder_in_the_place_of_a_cache_file_is_one_sentence(cache, mirror):
    (cache / "t10k-images-idx3-ubyte").mkdir(parents=True)
    (server,) = mirror(good)
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    path = cache / "t10k-images-idx3-ubyte"
    assert str(caught.value).startswith(f"MNIST cannot be stored: {path} cannot be written: it is a folder; ")
    assert "/t10k-images-idx3-ubyte.gz" not in server.requests


def test_a_full_disk_is_one_sentence_and_asks_no_second_mirror(cache, mirror, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    first, second = mirror(good, good)
    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert str(caught.value).startswith("MNIST cannot be stored: ")
    assert "No space left on device" in str(caught.value)
    assert not list(cache.iterdir())
    assert not first.requests
    assert not second.requests


def test_a_progress_bar_is_shown_and_closed(cache, mirror):
    class Bar:
        total, unit, done, closed = 0, "", 0, False

        def update(self, n):
            self.done += n

        def reset(self):
            self.done = 0

        def close(self):
            self.closed = True

    bar = Bar()
    mirror(good)
    load_mnist(bar)
    assert bar.total == bar.done == len(gzip.compress(PAYLOADS["t10k-labels-idx1-ubyte"]))
    assert (bar.unit, bar.closed) == ("B", True)


def test_what_a_server_says_is_quoted_in_one_short_line(cache, monkeypatch):
    monkeypatch.setattr(module, "_fetch", lambda *_: (_ for _ in ()).throw(ValueError("no\nidea " * 10_000)))
    with pytest.raises(DataNotFound) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.mnist
def test_the_real_one_has_60000_and_10000_images(mnist):
    train, test = mnist
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.images.shape == (60_000, 28, 28)
    # LeCun's counts: 5,923 zeros and 6,742 ones in the training set, 980 and 1,135 in the test set
    assert np.bincount(train.labels)[:2].tolist() == [5923, 6742]
    assert np.bincount(test.labels)[:2].tolist() == [980, 1135]
    assert not train.images.flags.writeable
