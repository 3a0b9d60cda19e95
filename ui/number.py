"""Several digits beside each other: found, read one by one, and put together to a number."""

import streamlit as st

from engine.segmentation import find_digits
from ui import pictures
from ui.reading import read


def read_number(network, image):
    """The ``Digit``s of an image with ink, from left to right, and the ``Reading`` of each."""
    digits = find_digits(image)
    return digits, read(network, [digit.image for digit in digits])


def hint(network, image):
    """That a drawing seems to be of several digits, in one line; empty where it is not."""
    _, readings = read_number(network, image)
    if len(readings) < 2:
        return ""
    number = "".join(reading.sign for reading in readings)
    return f"This looks like {len(readings)} digits: <b>{number}</b> <small>each by itself under “Number”</small>"


def spoken(network, image):
    """The same in words alone, digit by digit."""
    _, readings = read_number(network, image)
    if len(readings) < 2:
        return ""
    return f"This looks like {len(readings)} digits: {'; '.join(reading.words for reading in readings)}"


def number_panel(network, image):
    """The panel."""
    digits, readings = read_number(network, image)
    if len(digits) == 1:
        st.caption(
            "There is one digit here. Draw several beside each other, with some room between them: each is then read."
        )
    st.html(f'<div class="inkling-number-parts">{_boxes(image, digits, readings)}{_digits(digits, readings)}</div>')


def _boxes(image, digits, readings):
    height, width = image.shape
    marks = ""
    for digit, reading in zip(digits, readings, strict=True):
        left, top, right, bottom = digit.box
        place = f"left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;"
        size = f"width:{100 * (right - left) / width:.2f}%;height:{100 * (bottom - top) / height:.2f}%"
        marks += f'<i style="{place}{size}"><b>{reading.sign}</b></i>'
    alt = f"The drawing with a box around each digit: {', '.join(reading.words for reading in readings)}"
    return f'<div class="inkling-boxes"><img src="{pictures.url(image)}" alt="{alt}">{marks}</div>'


def _digits(digits, readings):
    cells = "".join(
        f'<figure><img src="{pictures.url(digit.image)}" alt="What the network sees of digit {place}"><div>'
        f"<p><b>{reading.words}</b></p>{reading.chart()}</div></figure>"
        for place, (digit, reading) in enumerate(zip(digits, readings, strict=True), start=1)
    )
    return f'<div class="inkling-each">{cells}</div>'
