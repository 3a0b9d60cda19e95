"""What the small network looks at: training images, or one's own drawing."""

from contextlib import suppress
from functools import cache

import numpy as np
import numpy.typing as npt

from engine import DataError, Dataset
from engine.data.mnist import local_folder
from engine.data.synthetic import draw_digits
from engine.step_by_step import shrink
from ui import current_drawing, datasets

NUM_DRAWN = 250  # digits to choose from, where MNIST is missing


def pick(count: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """The inputs (count, 49) and labels (count,) of training images with different labels."""
    train_set = _training_images()
    rng, labels = np.random.default_rng(seed), train_set.own_labels
    rows = np.array([rng.choice(np.flatnonzero(labels == digit)) for digit in rng.permutation(10)[:count]])
    images, labels = train_set.take(rows)
    return shrink(images), labels


def drawing() -> npt.NDArray[np.float64] | None:
    """The drawing of the Draw page as an input (1, 49); None without ink."""
    seen = current_drawing.network_input(current_drawing.current_image())
    return None if seen is None else shrink(seen[None])


def _training_images() -> Dataset:
    if local_folder() is not None:
        with suppress(DataError):  # a broken file is reported where it is needed
            return datasets.load("mnist")[0]
    return _drawn()


@cache
def _drawn() -> Dataset:
    return draw_digits(NUM_DRAWN)
