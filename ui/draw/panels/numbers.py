"""Several digits side by side: each is predicted by itself, and together they make a number."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network
from engine.reading import Digit
from ui import images
from ui.class_names import reads_digits
from ui.draw.prediction import Prediction, answer
from ui.translation import _

Image = npt.NDArray[np.uint8]


def show(network: Network, image: Image) -> None:
    """The panel."""
    if not reads_digits(network):
        st.caption(_("Only a network that has learned digits reads several of them. This one takes the drawing as one."))
        return
    reply = answer(network, image)
    if reply is None or reply.reading is None:
        return
    digits, predictions = reply.reading.digits, reply.predictions
    if len(digits) == 1:
        st.caption(_("This is one digit. Draw several next to each other, with a gap between them: each is read by itself."))
    boxes, rows = _boxes(image, digits, predictions), _each(digits, predictions)
    st.html(f'<div class="inkling-number-parts">{boxes}{rows}</div>')


def _boxes(image: Image, digits: list[Digit], predictions: list[Prediction]) -> str:
    """The drawing with a labelled box around each digit."""
    height, width = image.shape
    marks = ""
    for digit, prediction in zip(digits, predictions, strict=True):
        left, top, right, bottom = digit.box
        place = f"left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;"
        size = f"width:{100 * (right - left) / width:.2f}%;height:{100 * (bottom - top) / height:.2f}%"
        marks += f'<i style="{place}{size}"><b>{prediction.symbol}</b></i>'
    alt = _("The drawing with a box around each digit: {predictions}").format(
        predictions=", ".join(prediction.text for prediction in predictions)
    )
    return f'<div class="inkling-boxes"><img src="{images.url(image)}" alt="{alt}">{marks}</div>'


def _seen(number: int) -> str:
    return _("Digit {number} as the network sees it").format(number=number)


def _each(digits: list[Digit], predictions: list[Prediction]) -> str:
    """Each digit as the network sees it, with its prediction."""
    figures = "".join(
        f'<figure><img src="{images.url(digit.image)}" alt="{_seen(number)}"><div>'
        f"<p><b>{prediction.text}</b></p>{prediction.chart()}</div></figure>"
        for number, (digit, prediction) in enumerate(zip(digits, predictions, strict=True), start=1)
    )
    return f'<div class="inkling-each">{figures}</div>'
