"""Load labelled images by the name of their source, or from a path; several sources can be joined with "+"."""

import os

import numpy as np

from engine.data.dataset import Dataset
from engine.data.idx import FilePath, read_folder
from engine.data.mnist import ProgressBar, load_mnist, local_folder
from engine.data.synthetic.generator import load_synthetic
from engine.data.synthetic.scribbles import load_scribbles
from engine.data.synthetic.strokes import load_strokes

SOURCES = {
    "mnist": "60,000 digits scanned from paper, by some 250 people (LeCun et al., 1998)",
    "synthetic": "60,000 digits that Inkling draws itself: nothing to download",
    "mixed": "both, 120,000 digits; the test images are MNIST's",
}


def default_source() -> str:
    """ "mnist" if it is on this machine, else "synthetic", which needs no download."""
    return "synthetic" if local_folder() is None else "mnist"


def load_data(source: FilePath = "mnist", progressbar: bool | ProgressBar = False) -> tuple[Dataset, Dataset]:
    """The train and test sets of a source.

    ``source`` is a name in ``SOURCES``, "scribbles" (images that are not digits), the path of a folder of IDX files or of a
    file of pen strokes, or several of these joined by "+". Joined training images are shuffled, always in the same way; the
    test images are those of the first source. ``progressbar`` shows the progress of a download or of drawing: True for
    tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset`` and ``close``.
    """
    # os.path and not Path, which raises for a name that is too long
    names = [str(source)] if os.path.exists(source) else str(source).split("+")
    names = [part for name in names for part in (("mnist", "synthetic") if name == "mixed" else (name,))]
    sets = [_load(name, progressbar) for name in names]
    if len(sets) == 1:
        return sets[0]
    train_sets = [train_set for train_set, _ in sets]
    images = np.concatenate([train_set.images for train_set in train_sets])
    labels = np.concatenate([train_set.labels for train_set in train_sets])
    order = np.random.default_rng(0).permutation(len(labels))
    sources = tuple(zip(names, map(len, train_sets), strict=True))
    return Dataset(images, labels, "+".join(train_set.name for train_set in train_sets), order, sources), sets[0][1]


def _load(source: str, progressbar: bool | ProgressBar) -> tuple[Dataset, Dataset]:
    if source == "mnist":
        return load_mnist(progressbar)
    if source == "synthetic":
        return load_synthetic(progressbar)
    if source == "scribbles":
        return load_scribbles()
    return load_strokes(source) if os.path.isfile(source) else read_folder(source)
