"""Image files: common formats and open files are read, damaged ones give an error of one line."""

import io
import struct
import zlib

import numpy as np
import pytest
from helpers import need, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import image_file
from engine.checks import InklingError
from engine.image_file import read_image
from engine.pen import draw_strokes
from engine.preprocessing import prepare

INK = draw_strokes([[(80, 90), (150, 95), (110, 190)], [(95, 145), (140, 140)]], width=14)  # a seven, bright on black
EXPECTED = prepare(INK)


def encoded(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"]
FILES = {kind: encoded(Image.fromarray(INK).convert("RGB"), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ICO"])
def test_common_files_give_the_drawing(tmp_path, kind):
    path = tmp_path / "seven.file"
    path.write_bytes(FILES[kind])
    assert abs(prepare(read_image(path)) - EXPECTED).mean() < 0.02


def test_photos_are_turned_upright(tmp_path):
    path = tmp_path / "turned.jpg"
    image = Image.fromarray(np.rot90(INK))
    exif = image.getexif()
    exif[0x0112] = 6  # "rotate clockwise"
    image.save(path, exif=exif, quality=95)
    assert abs(prepare(read_image(path)) - EXPECTED).mean() < 0.02


def test_a_heic_photo_says_which_package_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "_formats", lambda: ["PNG"])
    path = tmp_path / "five.heic"
    path.write_bytes(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(InklingError, match=r"five\.heic: .* pip install pillow-heif"):
        read_image(path)


def test_heic_photos_are_read_if_the_package_for_them_is_installed(tmp_path):
    try:
        import pillow_heif
    except ImportError:
        need("peers", "pillow-heif is not installed (tests/peers.txt)")
    path = tmp_path / "five.heic"
    pillow_heif.from_pillow(Image.fromarray(INK).convert("RGB")).save(path, quality=95)
    assert abs(prepare(read_image(path)) - EXPECTED).mean() < 0.02


def check_refused(path):
    with pytest.raises(InklingError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_open_files_are_read_like_those_on_disk():
    file = io.BytesIO(FILES["PNG"])
    assert prepare(read_image(file)).tobytes() == EXPECTED.tobytes()
    for damaged, name in ((io.BytesIO(b"no image"), "the file"), (io.BytesIO(FILES["PNG"][:90]), "five.png")):
        if name != "the file":
            damaged.name = name  # as an uploaded file has
        with pytest.raises(InklingError, match=f"^{name} must be an image file") as caught:
            read_image(damaged)
        assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_in_its_place(tmp_path):
    check_refused(tmp_path / "missing.png")
    check_refused(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"a seven", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff", b"II*\0", b"<svg/>"]
)
def test_files_that_are_not_images(tmp_path, content):
    path = tmp_path / "no.png"
    path.write_bytes(content)
    check_refused(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6])
def test_truncated_images(tmp_path, kind, fraction):
    path = tmp_path / "truncated"
    path.write_bytes(FILES[kind][: int(len(FILES[kind]) * fraction)])
    check_refused(path)


def test_huge_images_are_refused_before_memory_is_allocated(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    check_refused(path)


damages = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=300)
@given(st.sampled_from(KINDS), damages, st.booleans())
def test_damaged_files_give_an_image_or_an_error_of_one_line(tmp_path_factory, kind, damage, early):
    content = bytearray(FILES[kind])
    for place, value in damage:
        content[int(place * (min(len(content), 200 if early else len(content)) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    result, message = outcome(InklingError, lambda: prepare(read_image(path)))
    if message:
        assert "\n" not in message
    else:
        assert result.shape == (28, 28)
        assert result.dtype == np.float32
        assert result.min() == 0
        assert result.max() == pytest.approx(1)
