"""Where labelled images come from, by name: MNIST, digits that Inkling draws itself, both, or a folder of IDX files."""

from pathlib import Path

import numpy as np

from engine.data.dataset import Dataset
from engine.data.idx import read_folder
from engine.data.mnist import load_mnist, local_folder
from engine.data.scribbles import load_scribbles
from engine.data.strokes import load_strokes
from engine.data.synthetic import load_synthetic

SOURCES = {
    "mnist": "60,000 digits scanned from paper, by some 250 people (LeCun et al., 1998)",
    "synthetic": "60,000 digits that Inkling draws itself: they need no download",
    "mixed": "both, 120,000 digits; the test images are MNIST's",
}


def default_source():
    """MNIST where it is on this machine; else what needs no network."""
    return "synthetic" if local_folder() is None else "mnist"


def load_data(source="mnist", progressbar=False):
    """The train and test sets of a name in ``SOURCES``, of "scribbles", which are no digits, of a folder of IDX files, or of
    a file of pen strokes; several can be joined by "+".

    Joined training images are shuffled, the same way each time; the test images are the first source's. ``progressbar``
    shows a download or the drawing: True for tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset``
    and ``close``.
    """
    names = [source] if Path(source).exists() else source.split("+")
    names = [part for name in names for part in (("mnist", "synthetic") if name == "mixed" else (name,))]
    train_sets, test_sets = zip(*[_load(name, progressbar) for name in names], strict=True)
    if len(names) == 1:
        return train_sets[0], test_sets[0]
    images, labels = (np.concatenate([getattr(part, field) for part in train_sets]) for field in ("images", "labels"))
    order = np.random.default_rng(0).permutation(len(labels))
    sources = tuple(zip(names, map(len, train_sets), strict=True))
    return Dataset(images, labels, "+".join(part.name for part in train_sets), order, sources), test_sets[0]


def _load(source, progressbar):
    if source == "mnist":
        return load_mnist(progressbar)
    if source == "synthetic":
        return load_synthetic(progressbar)
    if source == "scribbles":
        return load_scribbles()
    if Path(source).is_file():
        return load_strokes(source)
    return read_folder(source)
