"""Any bytes in an image file, and any array, give a picture of a digit or an error of one line."""

import io
import struct

import numpy as np
import pytest
from fuzz.conftest import examples
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from engine.checks import InklingError
from engine.image_file import read_image
from engine.pen import draw_strokes
from engine.preprocessing import prepare

INK = draw_strokes([[(8, 9), (15, 9), (11, 19)], [(9, 14), (14, 14)]], 28, width=2)
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"],
    "GIF": ["L", "P"],
    "BMP": ["1", "L", "P", "RGB"],
    "PPM": ["1", "L", "RGB"],
    "WEBP": ["RGB", "RGBA"],
    "JPEG2000": ["L", "RGB"],
}
EXIF = Image.Exif()
EXIF[0x0112] = 6


def encoded(form, mode):
    file = io.BytesIO()
    image = Image.fromarray(INK.astype(np.uint16) * 200) if mode == "I;16" else Image.fromarray(INK).convert(mode)
    image.save(file, form, **({"exif": EXIF} if form in ("PNG", "JPEG", "TIFF", "WEBP") else {}))
    return file.getvalue()


FILES = [encoded(form, mode) for form, modes in MODES.items() for mode in modes]
sizes = st.sampled_from([0, 1, 2, 255, 256, 7_000, 13_000, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1])
new_bytes = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.builds(struct.pack, st.sampled_from(["<H", ">H"]), sizes.map(lambda size: size % 65_536)),
    st.builds(struct.pack, st.sampled_from(["<I", ">I"]), sizes),
)
places = st.integers(0, 199) | st.integers(0, 5_000)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=examples(500))
@given(st.sampled_from(FILES), st.lists(st.tuples(places, new_bytes), max_size=5), st.integers(0, 4_000))
def test_changed_files(content, changes, end):
    content = bytearray(content)
    for place, values in changes:
        place %= len(content)
        content[place : place + len(values)] = values
    if end % 4 == 0:
        del content[end:]
    check(lambda: prepare(read_image(io.BytesIO(content))))


@settings(deadline=None, max_examples=examples(200))
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.float32, np.int32, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40)
        | st.sampled_from([(9, 9, 4), (9, 9, 3), (1, 3_000)]),
        fill=st.just(0),
    )
)
def test_arrays(array):
    check(lambda: prepare(array))


@settings(deadline=None, max_examples=examples(200))
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_images_of_any_numbers(array):
    check(lambda: prepare(Image.fromarray(array)))


def check(action):
    result, message = outcome(InklingError, action)
    if message is not None:
        assert message
        assert "\n" not in message
    else:
        assert result.shape == (28, 28)
        assert np.isfinite(result).all()
        assert result.max() == pytest.approx(1)
