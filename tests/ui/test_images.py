"""Pictures inside the page, and curves as figures."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ui import images


@pytest.mark.parametrize("smooth", [False, True])
def test_the_curves_can_be_downloaded_as_a_picture(snapshot, smooth):
    picture = Image.open(io.BytesIO(images.curves(snapshot, "Run 1", "png", smooth=smooth, log=smooth)))
    assert picture.width >= 1500
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
    assert ElementTree.fromstring(images.curves(snapshot, "Run 1", "svg", smooth=smooth)).tag.endswith("svg")


@pytest.mark.parametrize("name", ["$x$", r"$\frac$", "a_b^c", "50 %"])
def test_a_name_is_no_formula_in_a_figure(snapshot, name):
    assert ElementTree.fromstring(images.curves(snapshot, name, "svg")).tag.endswith("svg")


def test_the_first_layers_weights_become_tiles_red_for_and_blue_against():
    weights = np.zeros((3, 28, 28))
    weights[0], weights[1] = 1, -1
    sheet = images.tiles(weights)
    assert sheet.shape == (30, 8 * 30, 3)
    red, blue, nothing = (sheet[15, 30 * tile + 15].astype(int) for tile in range(3))
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100
    assert nothing.tolist() == [0, 0, 0]
