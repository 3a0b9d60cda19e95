"""A data set of one's own: brought as a file, trained on, and drawn with."""

import io
import re
import zipfile

import numpy as np
import pytest
from helpers import idx_bytes, make_digits

from browser.test_train import control, panel, set_number, unfold

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

NAMES = ("Apple", "Long banana split", "<i>Cherry</i>")
ONE = [(140, 50), (140, 230)]
TIMEOUT = 90_000  # milliseconds: trainings share the machine with browser and server


def answers_zip():
    """The digits 0, 1 and 2 as classes with names, as four IDX files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, count, seed in (("train", 3000, 1), ("t10k", 900, 2)):
            digits = make_digits(count, seed)
            rows = np.flatnonzero(digits.labels < 3)
            archive.writestr(f"fruit/{part}-images-idx3-ubyte", idx_bytes(digits.images[rows]))
            archive.writestr(f"fruit/{part}-labels-idx1-ubyte", idx_bytes(digits.labels[rows]))
        archive.writestr("fruit/classes.txt", "\n".join(NAMES))
    return file.getvalue()


def test_own_classes_from_the_file_to_the_bars(visit):
    visitor = visit("/train")
    page = visitor.page
    page.set_default_timeout(TIMEOUT)
    unfold(visitor, "My own data")
    upload = page.locator("input[type=file]").first
    upload.set_input_files({"name": "fruit.zip", "mimeType": "application/zip", "buffer": answers_zip()})
    expect(page.get_by_text("3 classes: Apple, Long banana split, <i>Cherry</i>")).to_be_visible(timeout=TIMEOUT)
    visitor.picture("own data chosen")
    set_number(visitor, "Epochs", 4)
    control(visitor, "Start").click()
    expect(page.get_by_text(re.compile("of .* test images right"))).to_be_visible(timeout=TIMEOUT)
    panel(visitor, "Mistakes")
    matrix = page.get_by_test_id("stVegaLiteChart").first
    expect(matrix).to_be_visible()
    expect(page.get_by_text("Errors by class")).to_be_visible()
    expect(page.get_by_text(re.compile("images of .* that it reads as"))).to_be_visible()
    visitor.picture("own data mistakes")
    panel(visitor, "Predictions")
    expect(page.locator(".inkling-digits figure").first).to_be_visible()
    visitor.picture("own data predictions")
    visitor.button("Draw with this network").click()
    bars = page.locator(".inkling-bars .digit")
    expect(bars).to_have_text(["Apple", "Long banana...", "<i>Cherry</i>"])
    visitor.picture("own data to draw with")
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("Long banana...")
    for name, size, scheme in (("desktop", (1280, 900), "light"), ("phone", (390, 844), "dark")):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme)
        visitor.idle()
        page.wait_for_timeout(800)
        visitor.picture(f"own data bars {name} {scheme}")
    assert visitor.errors == []
