"""Load labelled images by the name of their source, or from a path; several sources can be joined with "+"."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.data.array_file import SUFFIXES, read_arrays
from engine.data.conventions import conform, read_names
from engine.data.dataset import DataError, Dataset
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

    ``source`` is a name in ``SOURCES``, "scribbles" (images that are not digits), the path of a folder of IDX files, of an
    ``.npz`` or CSV file of images, or of a file of pen strokes, or several of these joined by "+". Data of unknown origin
    are brought to MNIST's conventions; ``notices`` say what was changed. Joined training images are shuffled, always in the
    same way; the test images are those of the first source. ``progressbar`` shows the progress of a download or of drawing:
    True for tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset`` and ``close``.
    """
    # os.path and not Path, which raises for a name that is too long
    names = [str(source)] if os.path.exists(source) else str(source).split("+")
    names = [part for name in names for part in (("mnist", "synthetic") if name == "mixed" else (name,))]
    sets = [_load(name, progressbar) for name in names]
    if len(sets) == 1:
        return sets[0]
    train_sets = [train_set for train_set, _ in sets]
    if len({train_set.class_names for train_set in train_sets}) > 1:
        counts = " and ".join(str(len(train_set.class_names)) for train_set in train_sets)
        raise DataError(f"data that are joined must have the same classes, got {counts} classes with different names")
    images = np.concatenate([train_set.images for train_set in train_sets])
    labels = np.concatenate([train_set.labels for train_set in train_sets])
    order = np.random.default_rng(0).permutation(len(labels))
    sources = tuple(zip(names, map(len, train_sets), strict=True))
    joined = Dataset(images, labels, "+".join(train_set.name for train_set in train_sets), order, sources)
    notices = tuple(dict.fromkeys(notice for train_set in train_sets for notice in train_set.notices))
    return replace(joined, class_names=train_sets[0].class_names, notices=notices), sets[0][1]


def _load(source: str, progressbar: bool | ProgressBar) -> tuple[Dataset, Dataset]:
    if source == "mnist":
        return load_mnist(progressbar)
    if source == "synthetic":
        return load_synthetic(progressbar)
    if source == "scribbles":
        return load_scribbles()
    if os.path.isfile(source):
        return conform(*read_arrays(source)) if source.lower().endswith(SUFFIXES) else load_strokes(source)
    return conform(*read_folder(source), read_names(Path(source)))
