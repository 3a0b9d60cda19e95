"""A drawing and its answer as a picture and as a link."""

import io

import numpy as np
import pytest
from helpers import ROOT
from pages import ONE, SEVEN, answer, draw, drawing, open_app
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine import InklingError
from ui import networks
from ui.draw import prediction, share, strokes
from ui.draw.strokes import PAPER_COLOUR


def curve(num_points, seed=0, **look):
    rng, t = np.random.default_rng(seed), np.linspace(0, 6, num_points)
    wobble = rng.normal(0, 0.5, num_points)
    points = np.c_[140 + 90 * np.sin(3 * t) + wobble, 140 + 90 * np.cos(2 * t)].round(1).tolist()
    return strokes.make_path(points, 18, **look)


def as_object(path, width=18):
    return {"type": "Path", "path": path, "strokeWidth": width, "stroke": "#FFFFFF"}


DRAWINGS = [
    [as_object(SEVEN)],
    [as_object(SEVEN, 8), as_object(ONE, 32)],
    [curve(1)],
    [curve(2), curve(60, 1), curve(400, 2)],
    [curve(50), curve(20, 3, colour=PAPER_COLOUR)],
    [strokes.make_path([(-500, 100), (900, 100)], 18)],
]


@pytest.mark.parametrize("objects", DRAWINGS)
def test_a_link_brings_the_strokes_back(objects):
    text = share.to_text(objects)
    assert text is not None
    assert len(text) <= share.MAX_LENGTH
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    again = share.from_text(text)
    assert len(again) == len(objects)
    difference = np.abs(strokes.render(objects).astype(int) - strokes.render(again))
    assert difference.mean() < 3  # of 255: the edge of a stroke may be half a pixel off
    assert share.to_text(again) is not None


def test_what_is_no_stroke_or_too_long_has_no_link():
    picture = strokes.make_picture(np.pad(np.full((40, 10), 255, np.uint8), 100))
    long = [curve(800, seed) for seed in range(40)]
    assert share.to_text([]) is None
    assert share.to_text([as_object(SEVEN), picture]) is None
    assert share.to_text(long) is None
    assert share.to_text([as_object(ONE)] * (share.MAX_STROKES + 1)) is None


@pytest.mark.parametrize("text", ["", "x", "%%%", "eJwDAAAAAAE", "a" * 2_000, share.to_text(DRAWINGS[0])[:-4]])
def test_a_damaged_link_is_refused(text):
    with pytest.raises(InklingError, match="ask for the link again"):
        share.from_text(text)


def open_link(text):
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20)
    app.query_params[share.PARAMETER] = text
    return app.run()


def test_a_link_shows_the_drawing_and_its_reading_and_can_be_undone():
    app = open_link(share.to_text([as_object(SEVEN)]))
    assert not app.exception
    assert len(drawing(app).objects) == 1
    assert ">7<" in answer(app)
    assert share.PARAMETER not in app.query_params
    drawing(app).undo()
    assert drawing(app).objects == []


def test_a_link_replaces_a_drawing_as_one_step_of_its_history():
    app = draw(open_app(), SEVEN, ONE)
    before = drawing(app).objects
    app.query_params[share.PARAMETER] = share.to_text([as_object(ONE)])
    app.run()
    assert len(drawing(app).objects) == 1
    drawing(app).undo()
    assert drawing(app).objects == before


def test_a_damaged_link_changes_nothing_and_says_so():
    app = open_link("damaged")
    assert not app.exception
    assert drawing(app).objects == []
    assert "damaged" in app.toast[0].value


@pytest.mark.parametrize("objects", [[as_object(SEVEN)], [as_object(ONE), curve(60)]])
def test_the_picture_has_the_drawing_in_it(objects):
    network = next(iter(networks.shipped_networks()[0].values()))
    image = strokes.render(objects)
    answered = prediction.answer(network, image)
    picture = Image.open(io.BytesIO(share.png(answered, image)))
    assert picture.size == (share.WIDTH, share.HEIGHT)
    side = share.HEIGHT - 2 * share.MARGIN
    part = (
        picture.crop((share.MARGIN, share.MARGIN, share.MARGIN + side, share.MARGIN + side)).convert("L").resize((280, 280))
    )
    assert np.abs(np.asarray(part, int) - image).mean() < 5
