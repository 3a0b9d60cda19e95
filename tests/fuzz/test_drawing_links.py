"""Any text in a link is a small drawing, or an error of one line."""

import base64
import zlib

from fuzz.conftest import examples
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from ui.draw import share, strokes


def packed(content):
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


small = st.integers(0, 255)
sizes = st.integers(0, 40) | st.sampled_from([127, 128, 2**14, 2**28, 2**35])
steps = st.integers(0, 600) | st.sampled_from([2**14, 2**28 - 1])
one_stroke = st.builds(
    lambda erases, width, count, points: [erases, width, len(points) // 2 if count is None else count, *points],
    st.integers(0, 2), sizes, st.none() | sizes, st.lists(steps, max_size=20),
)  # fmt: skip
contents = st.lists(one_stroke, max_size=5).map(lambda parts: b"".join(share._varint(n) for part in parts for n in part))
bombs = st.builds(lambda byte, times: packed(bytes([byte]) * times), small, st.sampled_from([100, 10_001, 10**6]))
texts = st.text(max_size=40) | st.binary(max_size=200).map(packed) | contents.map(packed) | bombs


@settings(deadline=None, max_examples=examples(1_000))
@given(texts)
def test_any_text_is_a_small_drawing_or_one_line(text):
    objects, message = outcome(InklingError, share.from_text, text)
    if message is not None:
        assert "\n" not in message
        return
    assert 0 < len(objects) <= share.MAX_STROKES
    assert sum(len(shape["path"]) for shape in objects) <= share.MAX_POINTS + share.MAX_STROKES
    assert strokes.valid_objects(objects) == objects
    assert strokes.render(objects).shape == (280, 280)
    assert share.to_text(objects) is None or len(share.to_text(objects)) <= share.MAX_LENGTH
