"""Pictures brought to the canvas, and taken from it, through ``AppTest``."""

import io

import numpy as np
import pytest
from pages import SEVEN, answer, button, draw, open_app
from PIL import Image

from engine.data import mnist as mnist_module
from engine.pen import draw_strokes
from ui import data, ways_in
from ui.canvas import Drawing

INK = draw_strokes([[(60, 60), (200, 60), (120, 220)]])
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"]


@pytest.fixture(autouse=True)
def _no_pool():
    data._pool.clear()
    yield
    data._pool.clear()


def encoded(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, form, **options)
    return file.getvalue()


def opened():
    app = open_app()
    app.session_state[ways_in.POPOVER] = True
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
    assert not app.session_state[ways_in.POPOVER]


def test_a_picture_is_turned_as_its_camera_was_held():
    sideways = np.rot90(255 - INK)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    assert is_read(upload(opened(), "phone.jpg", encoded(sideways, "JPEG", exif=exif)), 7)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("fake.png", b"this is text", "fake.png must be an image"),
        ("cut.jpg", encoded(255 - INK, "JPEG")[:900], "cut.jpg must be an image"),
        ("white.png", encoded(np.full((90, 90), 255, np.uint8), "PNG"), "white.png must show ink, and none was found"),
        ("empty.png", b"", "empty.png must be an image"),
    ],
)
def test_what_is_no_picture_of_a_digit_is_said_in_one_line_and_the_drawing_stays(name, content, words):
    app = draw(opened(), SEVEN)
    before = answer(app)
    upload(app, name, content)
    (error,) = app.error
    assert words in error.value
    assert "\n" not in error.value
    assert answer(app) == before
    app.run()
    assert not app.error


def test_a_photo_from_the_camera_goes_on_the_canvas():
    app = opened()
    app.session_state["kept:picture from"] = ways_in.CAMERA
    app.run()
    light = np.linspace(120, 240, 280)[:, None] * np.linspace(0.7, 1, 280)  # uneven, on paper
    photo = (light * (1 - 0.8 * INK / 255)).astype(np.uint8)
    app.camera_input(key="photo").upload("photo.jpg", encoded(photo, "JPEG")).run()
    assert not app.exception
    assert is_read(app, 7)


def test_the_drawing_and_what_the_network_sees_can_be_kept():
    app = opened()
    assert all(one.disabled for one in app.get("download_button"))
    draw(app, SEVEN)
    assert not any(one.disabled for one in app.get("download_button"))


def test_a_sample_is_read_as_what_it_is():
    app = open_app()
    samples = [one for one in app.button if one.label.startswith("![")]
    assert len(samples) == 10
    right = 0
    for digit in range(10):
        app.button(key=f"sample {digit}").click().run()
        right += is_read(app, digit)
    assert right >= 9
    before = [one.label for one in app.button if one.label.startswith("![")]
    button(app, "Others").click().run()
    assert [one.label for one in app.button if one.label.startswith("![")] != before


def test_without_mnist_the_samples_are_drawn_and_nothing_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "local_folder", lambda: None)
    drawn = data.samples(0)
    assert len(drawn) == 10
    assert all(image.shape == (28, 28) and image.max() > 200 for image in drawn)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"broken")
    monkeypatch.setattr(data, "local_folder", lambda: tmp_path)
    data._pool.clear()
    np.testing.assert_array_equal(data.samples(0), drawn)


@pytest.mark.mnist
def test_with_mnist_the_samples_are_test_images(mnist, monkeypatch):
    test_set = mnist[1]
    images = {image.tobytes(): label for image, label in zip(*test_set.take(slice(None)), strict=True)}
    assert mnist_module.local_folder() is not None
    assert [images[image.tobytes()] for image in data.samples(3)] == list(range(10))


def test_what_is_brought_can_be_drawn_on():
    drawing = Drawing()
    drawing.bring(Image.fromarray(255 - INK))
    assert drawing.image().shape == (280, 280)
    assert drawing.image().max() > 200
