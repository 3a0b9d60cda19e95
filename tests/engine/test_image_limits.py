"""Image files made to take much memory or time: each takes at most 200 MB, or is refused in one line."""

import io
import json
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

from engine import image_file, preprocessing
from engine.checks import InklingError
from engine.image_file import MAX_PIXELS, MAX_SIDE, UnsuitableImage, pixels_of, read_image
from engine.pen import draw_strokes
from engine.preprocessing import prepare

INK = draw_strokes([[(80, 90), (150, 95), (110, 190)], [(95, 145), (140, 140)]], width=14)
MEASURE = """
import json, resource, sys, warnings
warnings.simplefilter("ignore")
from PIL import Image
from scipy import ndimage
from engine.image_file import _formats, read_image
from engine.preprocessing import prepare
_formats()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    prepare(read_image(sys.argv[1]))
    message = ""
except ValueError as error:
    message = str(error)
print(json.dumps([(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, message]))
"""


def measure(path):
    """How many MiB reading the file takes in a new process, and the message of its error."""
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, path], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(result.stdout)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def seven(width, height, mode="L"):
    return Image.fromarray(255 - INK).resize((width, height), Image.Resampling.NEAREST).convert(mode)


def tiny_gif(width, height):
    """A GIF of 51 bytes that says how large it is and has hardly any pixels."""
    size = struct.pack("<HH", width, height)
    palette = b"\x00\x00\x00\xff\xff\xff"
    return b"GIF89a" + size + b"\x80\x00\x00" + palette + b"\x2c" + bytes(4) + size + b"\x00\x02\x02\x4c\x01\x00;"


def tags_tiff(count):
    """A TIFF whose tags all share the same ``count`` numbers."""
    tags = [256, 257, 258, 259, 262, 273, 277, 278, 279, 320, 323, 324, 325, 338, 339]
    single = {256: 100, 257: 100, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1}
    end = 8 + 2 + 12 * len(tags) + 4
    entries = [(tag, 3, 1, single[tag]) if tag in single else (tag, 4, count, end) for tag in tags]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + bytes(4 * count)


@pytest.mark.parametrize("kind", ["GIF", "16-bit PNG", "float TIFF", "PNG with alpha", "progressive JPEG", "WebP", "tags"])
def test_small_files_take_at_most_200_mb(tmp_path, kind):
    path = tmp_path / "image"
    if kind == "GIF":
        path.write_bytes(tiny_gif(7_000, 7_000))
    elif kind == "16-bit PNG":
        saved(path, Image.new("I;16", (7_000, 7_000), 5), format="PNG")
    elif kind == "float TIFF":
        saved(path, Image.new("F", (4_800, 4_800), 5), format="TIFF", compression="tiff_deflate")
    elif kind == "PNG with alpha":
        saved(path, Image.new("RGBA", (7_000, 7_000)), format="PNG", compress_level=1)
    elif kind == "progressive JPEG":
        saved(path, seven(7_000, 7_000, "RGB"), format="JPEG", progressive=True)
    elif kind == "WebP":
        saved(path, seven(3_500, 3_500, "RGB"), format="WEBP", method=0)
    else:
        path.write_bytes(tags_tiff(200_000))
    megabytes, message = measure(path)
    assert megabytes < 205
    assert "\n" not in message


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("form", "mode", "size", "options"),
    [
        ("GIF", "L", (13_000, 13_000), None),
        ("PNG", "1", (7_100, 7_100), {}),
        ("TIFF", "F", (5_100, 5_100), {"compression": "tiff_deflate"}),
        ("WEBP", "RGB", (3_600, 3_600), {"method": 0}),
        ("JPEG", "RGB", (6_000, 6_000), {"subsampling": 0}),
    ],
)
def test_what_is_too_large_for_its_format_is_refused_with_the_numbers(tmp_path, form, mode, size, options):
    path = tmp_path / "large"
    if options is None:
        path.write_bytes(tiny_gif(*size))
    else:
        saved(path, Image.new(mode, size), format=form, **options)
    with pytest.raises(UnsuitableImage, match=rf"must have at most .* million pixels, got {size[0]:,} x {size[1]:,}: make"):
        read_image(path)


def test_a_progressive_jpeg_of_many_scans_is_refused():
    file = io.BytesIO()
    seven(600, 600).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    scan = content[content.rfind(b"\xff\xda") : -2]
    read_image(io.BytesIO(content))
    with pytest.raises(UnsuitableImage, match="at most 40 scans"):
        read_image(io.BytesIO(content[:-2] + 100 * scan + b"\xff\xd9"))


def test_tags_that_say_that_they_are_longer_than_the_file_are_refused():
    numbers = struct.pack("<HHII", 0x9000, 4, 15_000, 8)
    directory = b"".join(struct.pack("<H", tag) + numbers[2:] for tag in range(40_000, 40_900))
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 900) + directory + bytes(4)
    for form in ("JPEG", "PNG", "WEBP"):
        file = io.BytesIO()
        seven(60, 60).save(file, form, exif=exif)
        with pytest.raises(UnsuitableImage, match="tags"):
            read_image(file)
    with pytest.raises(UnsuitableImage, match="tags"):
        read_image(io.BytesIO(tags_tiff(70_000)))


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(tmp_path):
    path = saved(tmp_path / "large.jpg", seven(5_600, 5_600, "RGB"), format="JPEG")
    image = read_image(path)
    assert MAX_SIDE // 2 <= max(image.size) <= MAX_SIDE
    assert abs(prepare(image) - prepare(INK)).mean() < 0.02


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(form):
    file = io.BytesIO()
    frames = [Image.new("L", (280, 280), 200) for _ in range(3)]
    options = {"lossless": True} if form == "WEBP" else {}
    Image.fromarray(INK).save(file, form, save_all=True, append_images=frames, **options)
    assert abs(prepare(read_image(file)) - prepare(INK)).mean() < 0.02


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(280, 280), (2_051, 1_301), (1_031, 2_060)])
def test_every_orientation_is_turned_as_pillow_does_and_then_made_smaller(orientation, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    methods = dict(enumerate(Image.Transpose(k) for k in (0, 3, 1, 5, 4, 6, 2)))  # from orientation 2 on
    upright = Image.fromarray(pixels)
    if orientation > 1:
        upright = upright.transpose(methods[orientation - 2])
    expected = np.asarray(upright.reduce(-(-max(size) // MAX_SIDE)))
    np.testing.assert_array_equal(np.asarray(read_image(file)), expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I", "F", "I;16"])
def test_making_smaller_in_tiles_gives_the_pixels_of_the_whole(mode, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (1_333, 2_777), dtype=np.uint8)
    grey = Image.fromarray(pixels)
    image = Image.fromarray(pixels.astype(np.uint16) * 200) if mode == "I;16" else grey.convert(mode)
    in_tiles = pixels_of(image)
    monkeypatch.setattr(image_file, "TILE_SIDE", 10_000)
    np.testing.assert_array_equal(pixels_of(image), in_tiles)
    assert in_tiles.shape[:2] == (667, 1389)


@pytest.mark.parametrize("shape", [(8_000, 7_000), (1, MAX_PIXELS + 1), (5_000, 4_000, 3)])
def test_arrays_and_images_given_directly_are_limited(shape):
    array = np.broadcast_to(np.uint8(0), shape)
    if shape[0] * shape[1] > MAX_PIXELS:
        with pytest.raises(InklingError, match="at most 50 million pixels, got"):
            prepare(array)
    else:
        with pytest.raises(preprocessing.BlankDrawing):
            prepare(array)
    with pytest.raises(InklingError, match="at most 50 million pixels, got 8,000 x 7,000"):
        prepare(Image.new("1", (8_000, 7_000)))


def test_one_image_is_decoded_at_a_time(monkeypatch):
    at_once, highest, original = [], [], Image.Image.getexif

    def watched(image):
        at_once.append(1)
        highest.append(len(at_once))
        threading.Event().wait(0.01)
        at_once.pop()
        return original(image)

    monkeypatch.setattr(Image.Image, "getexif", watched)
    file = io.BytesIO()
    seven(60, 60).save(file, "PNG")
    threads = [threading.Thread(target=lambda: read_image(io.BytesIO(file.getvalue()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(highest) == 1


def test_an_error_without_a_text_is_named(monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", no_memory)
    with pytest.raises(InklingError, match=r"failed: MemoryError$"):
        read_image(io.BytesIO(b"x"))
