"""Bring data of unknown origin to MNIST's conventions: labels from 0, white on black, upright; and say what was changed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np
import numpy.typing as npt

from engine.checks import shorten
from engine.data.dataset import DIGITS, MAX_CLASSES, DataError, Dataset

MERGED_LETTERS = "abdefghnqrt"  # the small letters that EMNIST's balanced set keeps apart from the capitals
USUAL_NAMES = {  # of this many classes, as EMNIST numbers them (Cohen et al., 2017, arXiv:1702.05373)
    26: ascii_uppercase,
    36: digits + ascii_uppercase,
    47: digits + ascii_uppercase + MERGED_LETTERS,
    62: digits + ascii_uppercase + ascii_lowercase,
}
NAMES_FILE = "classes.txt"  # a name a line
MAX_NAMES_BYTES, MAX_NAME_LENGTH = 10_000, 30
TALL = {"1", "I", "i", "l"}  # classes whose images are higher than wide in any handwriting
SAMPLE_SIZE = 5_000  # images that are looked at
DARK = 128
WIDE = 1.25  # times as wide as high: a tall class lies on its side
NARROW = 0.6  # a class that is so much narrower than the ones is rather the ones


def conform(train_set: Dataset, test_set: Dataset, class_names: Sequence[str] = ()) -> tuple[Dataset, Dataset]:
    """The same sets with labels from 0, white on black and upright, and with ``class_names`` and ``notices``.

    Without ``class_names``, the classes have the names that are usual for their number. Raises ``DataError`` if nothing
    can be learned from the images or labels.
    """
    notices: list[str] = []
    changed = [(part.images, part.labels) for part in (train_set, test_set)]
    all_labels = np.concatenate([labels for _, labels in changed])
    if all_labels.min() == 1 and all_labels.max() >= len(DIGITS):
        notices.append("The labels start at 1. Each was made one smaller, so that they start at 0.")
        changed = [(images, labels - 1) for images, labels in changed]
    num_classes = max(int(labels.max()) for _, labels in changed) + 1
    if num_classes > MAX_CLASSES:
        raise DataError(f"{train_set.name} must have at most {MAX_CLASSES} classes, got {num_classes}")
    names = _names(num_classes, class_names, train_set.name)
    images, labels = (array[:SAMPLE_SIZE] for array in changed[0])
    if not (images.max(axis=(1, 2)) > images.min(axis=(1, 2))).any():
        raise DataError(f"{train_set.name} must show something, and its images have one colour each: check the images")
    border = np.concatenate([images[:, [0, -1], :].reshape(-1), images[:, :, [0, -1]].reshape(-1)])
    if np.median(border) >= DARK:
        notices.append("The images are dark on light. They were inverted, because networks expect white on black.")
        changed = [(255 - images, labels) for images, labels in changed]
    aspects = _aspects(changed[0][0][:SAMPLE_SIZE], labels, len(names))
    tall = [aspects[label] for label, name in enumerate(names) if name in TALL and not np.isnan(aspects[label])]
    if tall and np.mean(tall) > WIDE:
        notices.append("The images lie on their side, as EMNIST's do. Rows and columns were exchanged.")
        changed = [(np.ascontiguousarray(images.swapaxes(1, 2)), labels) for images, labels in changed]
        aspects = 1 / aspects
    notices += _doubts(changed[0][1], aspects, names)
    notices += _empty(*(images for images, _ in changed))
    parts = zip((train_set, test_set), changed, strict=True)
    train_set, test_set = (
        replace(part, images=images, labels=labels, class_names=names, notices=part.notices + tuple(notices))
        for part, (images, labels) in parts
    )
    return train_set, test_set


def read_names(folder: Path) -> tuple[str, ...]:
    """The classes' names in a folder: in ``classes.txt``, or in EMNIST's ``...mapping.txt``; () if there is neither."""
    files = [path for path in sorted(folder.glob("*.txt")) if path.name.lower().endswith((NAMES_FILE, "mapping.txt"))]
    if not files:
        return ()
    try:
        with open(files[0], "rb") as file:
            text = file.read(MAX_NAMES_BYTES + 1).decode()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if files[0].name.lower().endswith("mapping.txt"):  # a label and the codes of its characters
            lines = [chr(int(line.split()[1])) for line in lines]
    except (OSError, ValueError, IndexError, OverflowError):
        raise DataError(f"{files[0]} must hold a class's name in each line, and cannot be read as that") from None
    if len(text) > MAX_NAMES_BYTES or not 2 <= len(lines) <= MAX_CLASSES or len(set(lines)) < len(lines):
        raise DataError(f"{files[0]} must hold 2 to {MAX_CLASSES} different names, one in each line, got {len(lines)} lines")
    return tuple(shorten(line, MAX_NAME_LENGTH) for line in lines)


def _names(num_classes: int, class_names: Sequence[str], source: str) -> tuple[str, ...]:
    if class_names:
        if len(class_names) < num_classes:
            raise DataError(f"{source} must have a name for each of its {num_classes} classes, got {len(class_names)} names")
        return tuple(class_names)
    if num_classes <= len(DIGITS):
        return DIGITS
    return tuple(USUAL_NAMES.get(num_classes) or map(str, range(num_classes)))


def _aspects(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], num_classes: int) -> npt.NDArray[np.float64]:
    """The width of the ink as a multiple of its height, (K,), the median of each class; NaN where a class has no image."""
    ink = images >= DARK
    width, height = (ink.any(axis=axis).sum(axis=1) for axis in (1, 2))
    aspects = np.full(num_classes, np.nan)
    for label in range(num_classes):
        chosen = (labels == label) & (height > 0)
        if chosen.any():
            aspects[label] = np.median(width[chosen] / height[chosen])
    return aspects


def _doubts(labels: npt.NDArray[np.uint8], aspects: npt.NDArray[np.float64], names: tuple[str, ...]) -> list[str]:
    """Sentences on labels that look wrong."""
    if labels.min() == labels.max():
        return [f"Every label is {names[labels[0]]}, so there is nothing to learn. Check the labels."]
    if names != DIGITS or np.isnan(aspects).all():
        return []
    narrowest = int(np.nanargmin(aspects))
    if narrowest != 1 and aspects[narrowest] < NARROW * aspects[1]:
        return [
            f"The images labelled {narrowest} are the narrowest, as ones usually are. "
            "If these are digits, check whether the labels are shifted."
        ]
    return []


def _empty(*sets: npt.NDArray[np.uint8]) -> list[str]:
    num_empty = sum(int((images.max(axis=(1, 2)) == images.min(axis=(1, 2))).sum()) for images in sets)
    total = sum(map(len, sets))
    return [f"{num_empty:,} of {total:,} images are empty. Check the images."] if num_empty else []
