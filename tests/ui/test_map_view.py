"""The map of images: its colours, its message to the browser, and its picture of all images."""

import io
from itertools import combinations

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

from engine.layers import Conv2D, Dense, Flatten
from engine.network import Network
from engine.projection import num_features
from ui import map_view
from ui.map_view import (
    COLOURS,
    LARGEST,
    MAX_FEATURES,
    MAX_IMAGES,
    TILES_PER_ROW,
    Frame,
    MapImages,
    choose_layer,
    describe,
    sheet,
)

BACKGROUNDS = ("#ffffff", "#12131a")  # of the light and the dark theme
MIN_CONTRAST = 3  # WCAG 2.2, 1.4.11
MIN_DIFFERENCE = 0.09  # in Oklab
# How people without one of the three kinds of cones see linear RGB: Machado, Oliveira and Fernandes, 2009, severity 1.
SIGHTS = {
    "all": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
# https://bottosson.github.io/posts/oklab/
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
]


def linear(colour):
    """A colour, as #rrggbb, in linear RGB."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return linear(colour) @ [0.2126, 0.7152, 0.0722]


def oklab(rgb):
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_LMS) @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_everybody_can_tell_the_colours_apart(sight, theme):
    seen = [oklab(np.array(SIGHTS[sight]) @ linear(pair[theme])) for pair in COLOURS]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) >= MIN_DIFFERENCE


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_each_colour_stands_out_from_its_background(theme):
    for pair in COLOURS:
        low, high = sorted((luminance(pair[theme]), luminance(BACKGROUNDS[theme])))
        assert (high + 0.05) / (low + 0.05) >= MIN_CONTRAST


def test_the_browser_gets_whole_numbers_with_room_for_a_drawing():
    points = np.array([[-3, 0], [1, 0.5], [2, -0.5]])
    frame = Frame.around(points)
    fitted = frame.fit(points)
    assert fitted.dtype == np.int16
    np.testing.assert_allclose(fitted / fitted[0, 0] * -3, points, atol=1e-3)
    assert np.abs(fitted).max() < LARGEST / 1.4
    assert frame.fit(np.array([[1e9, np.nan]])).tolist() == [[LARGEST, 0]]
    assert Frame.around(np.zeros((3, 2))).fit(np.zeros((3, 2))).tolist() == [[0, 0]] * 3


def test_a_large_set_is_sampled_evenly_and_the_sheet_has_every_image(monkeypatch):
    monkeypatch.setattr(map_view, "MAX_IMAGES", MAX_IMAGES)
    digits = make_digits(2500, 6)
    shown = MapImages(digits)
    assert len(shown.images) == len(shown.labels) == MAX_IMAGES
    rows = np.linspace(0, 2499, MAX_IMAGES).astype(int)
    np.testing.assert_array_equal(shown.images, digits.images[rows])
    assert MapImages(digits).key == shown.key
    picture = np.asarray(Image.open(io.BytesIO(sheet(shown))))
    for number in (0, 49, 50, 1999):
        top, left = (28 * place for place in divmod(number, TILES_PER_ROW))
        np.testing.assert_array_equal(picture[top : top + 28, left : left + 28], shown.images[number])


@pytest.mark.parametrize(("num_filters", "expected"), [(6, 1), (7, 2)])
def test_a_layer_that_is_too_large_is_not_offered_even_if_it_is_the_last_hidden_one(monkeypatch, num_filters, expected):
    asked = {}
    monkeypatch.setattr(map_view.st, "selectbox", lambda label, options, **others: asked.update(options=options, **others))
    monkeypatch.setattr(map_view.state, "keep", lambda key, default: {"default": default})
    network = Network((Conv2D(num_filters, 3), Flatten(), Dense(10)))
    choose_layer(network)
    assert all(num_features(network, position) <= MAX_FEATURES for position in asked["options"])
    assert asked["default"] == expected
    assert asked["default"] in asked["options"]


def test_a_small_set_is_shown_whole(monkeypatch):
    monkeypatch.setattr(map_view, "MAX_IMAGES", MAX_IMAGES)
    shown = MapImages(make_digits(70, 6))
    assert len(shown.images) == 70
    assert Image.open(io.BytesIO(sheet(shown))).size == (50 * 28, 2 * 28)
    text = describe(shown, shown.labels[:, None] * np.array([[1.0, -2.0]]))
    assert text == "Each dot is one of 70 test images. 100.0\u00a0% of them lie nearest to the middle of their own class."
