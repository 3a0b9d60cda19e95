"""Pictures put on the canvas, and downloaded from it, through ``AppTest``."""

import io
import struct
from urllib.parse import urlsplit

import numpy as np
import pytest
from pages import SEVEN, answer, button, draw, open_app
from PIL import Image

from engine.data import mnist as mnist_module
from engine.pen import draw_strokes
from ui import datasets
from ui.draw import image_input
from ui.draw.drawing import Drawing

INK = draw_strokes([[(60, 60), (200, 60), (120, 220)]])
NO_WRITING = "No writing found. Photograph dark ink on white paper, close up."
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"]


@pytest.fixture(autouse=True)
def _no_sample_pool():
    datasets._sample_pool.cache_clear()
    yield
    datasets._sample_pool.cache_clear()


def encoded(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, form, **options)
    return file.getvalue()


def tiny_gif(width, height):
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + bytes(3) + b"\x2c" + bytes(4) + size + b"\x80" + bytes(6) + b"\x02\x02\x4c\x01\x00;"


def opened():
    app = open_app()
    app.session_state[image_input.MENU.format(0)] = True
    return app.run()


def upload(app, name, content):
    app.file_uploader(key="picture").upload(name, content).run()
    assert not app.exception
    return app


def is_read(app, digit):
    return f'data-sure="True">{digit}</div>' in answer(app)


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_of_any_common_format_goes_on_the_canvas(form):
    app = upload(opened(), f"seven.{form.lower()}", encoded(255 - INK, form))
    assert is_read(app, 7)
    assert not app.get("file_uploader")  # the menu has closed


def test_a_picture_is_turned_upright():
    sideways = np.rot90(255 - INK)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    assert is_read(upload(opened(), "phone.jpg", encoded(sideways, "JPEG", exif=exif)), 7)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("fake.png", b"this is text", "fake.png is not an image"),
        ("cut.jpg", encoded(255 - INK, "JPEG")[:900], "cut.jpg is not an image"),
        (
            "white.png",
            encoded(np.full((90, 90), 255, np.uint8), "PNG"),
            NO_WRITING,
        ),
        ("empty.png", b"", "empty.png is not an image"),
    ],
)
def test_a_file_without_a_digit_is_refused_in_one_line_and_the_drawing_stays(name, content, text):
    app = draw(opened(), SEVEN)
    before = answer(app)
    upload(app, name, content)
    (error,) = app.error
    assert text in error.value.replace("\\", "")  # without Markdown's escapes
    assert "\n" not in error.value
    assert answer(app) == before
    app.run()
    assert not app.error


def test_of_a_picture_that_is_too_large_the_error_names_the_numbers():
    app = upload(opened(), "vast.gif", tiny_gif(13_000, 13_000))
    (error,) = app.error
    text = error.value.replace("\\", "")
    assert "vast.gif: the image must have at most 50 million pixels, got 13,000 x 13,000: make it smaller." in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("address", "is_secure"),
    [
        ("http://192.168.1.20:8501/", False),
        ("https://inkling.example/", True),
        ("http://localhost:8501/", True),
        (None, True),
    ],
)
def test_the_camera_is_offered_only_where_the_browser_allows_it(monkeypatch, address, is_secure):
    monkeypatch.setattr(image_input, "urlsplit", lambda _: urlsplit(address or ""))
    app = open_app()
    app.session_state["picture from"] = image_input.CAMERA
    app.session_state[image_input.MENU.format(0)] = True
    app.run()
    assert len(app.camera_input) == is_secure
    assert any("https" in info.value for info in app.info) is not is_secure


def test_a_photo_from_the_camera_goes_on_the_canvas():
    app = opened()
    app.session_state["picture from"] = image_input.CAMERA
    app.run()
    light = np.linspace(120, 240, 280)[:, None] * np.linspace(0.7, 1, 280)  # uneven, on paper
    photo = (light * (1 - 0.8 * INK / 255)).astype(np.uint8)
    app.camera_input(key="photo").upload("photo.jpg", encoded(photo, "JPEG")).run()
    assert not app.exception
    assert is_read(app, 7)


def test_the_drawing_and_its_28_x_28_version_can_be_downloaded():
    app = opened()
    assert all(element.proto.disabled for element in app.get("download_button"))
    draw(app, SEVEN)
    assert not any(element.proto.disabled for element in app.get("download_button"))


def test_a_sample_is_read_as_its_digit():
    app = open_app()
    samples = [sample.label for sample in app.button if sample.label.startswith("![")]
    assert len(samples) == 10
    right = 0
    for digit in range(10):
        app.button(key=f"sample {digit}").click().run()
        right += is_read(app, digit)
    assert right >= 9
    button(app, "More examples").click().run()
    assert [sample.label for sample in app.button if sample.label.startswith("![")] != samples


def test_without_mnist_the_samples_are_drawn_and_nothing_is_downloaded(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "local_folder", lambda: None)
    drawn = datasets.sample_digits(0)
    assert len(drawn) == 10
    assert all(image.shape == (28, 28) and image.max() > 200 for image in drawn)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"broken")
    monkeypatch.setattr(datasets, "local_folder", lambda: tmp_path)
    datasets._sample_pool.cache_clear()
    np.testing.assert_array_equal(datasets.sample_digits(0), drawn)


@pytest.mark.mnist
def test_with_mnist_the_samples_are_test_images(mnist, monkeypatch):
    test_set = mnist[1]
    images = {image.tobytes(): label for image, label in zip(*test_set.take(slice(None)), strict=True)}
    assert mnist_module.local_folder() is not None
    assert [images[image.tobytes()] for image in datasets.sample_digits(3)] == list(range(10))


def test_a_picture_becomes_a_drawing():
    drawing = Drawing()
    drawing.replace_with_picture(Image.fromarray(255 - INK))
    image = np.asarray(drawing.image())
    assert image.shape == (280, 280)
    assert image.max() > 200
