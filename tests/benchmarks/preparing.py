"""How each choice in ``prepare`` affects accuracy on the validation writers' digits: filter, centring, size, line width.

    python tests/benchmarks/preparing.py [MODEL...] [--epochs 8] [--strokes FILE] [--only NAME...]

A given network was trained on digits prepared in the present way, which favours this way. So a small network is also
trained for each variant, on the training writers' drawings prepared in this variant and on MNIST's training images, which
cannot be varied. Accuracies are means over the validation writers; p is that of McNemar's test against the present way.
The pens are 10, 18 and 28 pixels wide, on a canvas of 280 pixels; see ``engine.data.synthetic.strokes.canvases``.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data.augmentation import AUGMENTATIONS
from engine.data.mnist import local_folder
from engine.data.synthetic.strokes import canvases
from engine.metrics import compare
from engine.preprocessing import BOX, CENTRE, SIDE, centre, crop, find_ink, prepare, scale
from engine.recipes import RECIPES

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"
FILTERS = Image.Resampling
LARGE_SIDE = 80  # pixels: the longer side while strokes are made wider or thinner
USUAL_WIDTH = 2.4  # pixels: the median width of MNIST's strokes in 20 x 20 pixels, by ``stroke_width``
PRESENT = "present way"


def filtered(ink, kind=FILTERS.BILINEAR, box=BOX):
    """``scale`` with another filter, or to another size."""
    height, width = ink.shape
    factor = box / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(ink).resize(size, kind)).clip(0)
    return small / small.max()


def centre_by_sides(small):
    """Place the scaled ink with its bounding box in the middle of 28 x 28 pixels."""
    image = np.zeros((SIDE, SIDE), np.float32)
    top, left = ((SIDE - length) // 2 for length in small.shape)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def centre_halfway(small):
    """Place the scaled ink halfway between ``centre`` and ``centre_by_sides``."""
    by_mass, by_sides = centre(small), centre_by_sides(small)
    corners = [np.array([np.flatnonzero(image.any(axis=axis))[0] for axis in (1, 0)]) for image in (by_mass, by_sides)]
    top, left = (corners[0] + corners[1]) // 2
    image = np.zeros((SIDE, SIDE), np.float32)
    ink = crop(small)
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return image


def scale_and_centre(ink, kind=FILTERS.BILINEAR):
    """Scale the ink and centre it by mass in one resampling, without rounding to whole pixels."""
    side = max(ink.shape) * SIDE / BOX
    padded = np.pad(ink, int(np.ceil(side)))
    centres = []
    for axis, length in enumerate(ink.shape):
        mass = (ink.sum(axis=1 - axis) @ (np.arange(length) + 0.5)) / ink.sum()
        # not so far that ink would be lost; the middle of pixel CENTRE is at CENTRE + 0.5
        mass = np.clip(mass - side / SIDE * (CENTRE + 0.5 - SIDE / 2), length - side / 2, side / 2)
        centres.append(mass + int(np.ceil(side)))
    y, x = centres
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    image = np.asarray(Image.fromarray(padded).resize((SIDE, SIDE), kind, box))
    return image / image.max()


def stroke_width(ink, longest=BOX):
    """Twice the ink divided by the length of its outline, in pixels, if the longer side has ``longest`` pixels."""
    across, down = np.diff(np.pad(ink, 1), axis=1)[1:], np.diff(np.pad(ink, 1), axis=0)[:, 1:]
    return 2 * ink.sum() / np.hypot(across, down).sum() * longest / max(ink.shape)


def normalize_width(ink, fraction=1.0):
    """Make the lines wider or thinner: by this fraction of the difference from MNIST's usual width."""
    large = filtered(ink, box=LARGE_SIDE)
    steps = round(fraction * (USUAL_WIDTH - stroke_width(large)) / 2 * LARGE_SIDE / BOX)
    if not steps:
        return large
    room = 2 * abs(steps)
    image = Image.fromarray(np.round(255 * np.pad(large, room)).astype(np.uint8))
    kind = ImageFilter.MaxFilter if steps > 0 else ImageFilter.MinFilter
    for _ in range(abs(steps)):
        image = image.filter(kind(3))
    changed = np.asarray(image).astype(np.float32) / 255
    return crop(changed) if changed.max() > 0.5 else large


def variant(*stages):
    """``prepare`` with these stages instead of those after ``crop``."""

    def run(drawing):
        image = crop(find_ink(drawing))
        for stage in stages:
            image = stage(image)
        return image

    return run


VARIANTS = {
    PRESENT: prepare,
    "filter: box": variant(partial(filtered, kind=FILTERS.BOX), centre),
    "filter: hamming": variant(partial(filtered, kind=FILTERS.HAMMING), centre),
    "filter: bicubic": variant(partial(filtered, kind=FILTERS.BICUBIC), centre),
    "filter: lanczos": variant(partial(filtered, kind=FILTERS.LANCZOS), centre),
    "centre: sides": variant(scale, centre_by_sides),
    "centre: halfway": variant(scale, centre_halfway),
    "centre: exact": variant(scale_and_centre),
    "size: 18": variant(partial(filtered, box=18), centre),
    "size: 22": variant(partial(filtered, box=22), centre),
    "width: usual": variant(normalize_width, scale, centre),
    "width: half way": variant(partial(normalize_width, fraction=0.5), scale, centre),
}


def prepare_all(strokes, part, widths, names):
    """Every drawing of a part in each variant: images (M, 28, 28) by name, labels (M,) and writers (M,)."""
    images, labels, writers = {name: [] for name in names}, [], []
    for digit, _, canvas in canvases(strokes, part, widths):
        for name in names:
            images[name].append(np.round(255 * VARIANTS[name](canvas)).astype(np.uint8))
        labels.append(digit.label)
        writers.append(digit.writer)
    return {name: np.array(images[name]) for name in names}, np.array(labels, np.uint8), np.array(writers)


def train(images, labels, epochs, seed):
    """A small network trained on these images and, if it is on this machine, on MNIST."""
    if local_folder() is not None:
        mnist = engine.load_mnist()[0]
        subset = mnist.take(slice(20_000))
        images, labels = (np.concatenate(pair) for pair in zip((images, labels), subset, strict=True))
    config = replace(
        RECIPES["mlp"].config,
        layers=engine.dense_layers((256,)),
        augmentation=AUGMENTATIONS["strong"],
        epochs=epochs,
        validation_size=0,
        seed=seed,
    )
    trainer = engine.Trainer.from_config(config, engine.Dataset(images, labels, "drawings"))
    for _ in trainer:
        pass
    return trainer.network


def median_milliseconds(function, drawings):
    times = []
    for drawing in drawings:
        started = perf_counter()
        function(drawing)
        times.append(1e3 * (perf_counter() - started))
    return median(times)


def report(title, predictions, labels, writers):
    print(f"\n{title}\n{'':18}mean over writers   lowest   only this / only present right  p")
    for name, predicted in predictions.items():
        right = predicted == labels
        means = [right[writers == writer].mean() for writer in np.unique(writers)]
        result = compare(labels, predicted, predictions[PRESENT])
        figures = (
            f"{np.mean(means):17.2%}{min(means):9.1%}{result.only_a_right:14} / {result.only_b_right:<12}{result.p:7.3f}"
        )
        print(f"{name:18}{figures}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="networks to measure without training")
    parser.add_argument("--epochs", type=int, default=8, help="of each small network's training; 0 trains none")
    parser.add_argument("--seeds", type=int, default=1, help="small networks for each variant, whose predictions are pooled")
    parser.add_argument("--strokes", type=Path, default=STROKES)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, metavar="NAME", help=f"variants: {', '.join(VARIANTS)}")
    options = parser.parse_args()

    names = list(dict.fromkeys([PRESENT, *(options.only or VARIANTS)]))
    images, labels, writers = prepare_all(options.strokes, "validation", (10, 18, 28), names)
    drawings = [canvas for _, _, canvas in islice(canvases(options.strokes, "validation"), 60)]
    print("milliseconds for a canvas of 280 x 280 (at most 2)")
    for name in names:
        print(f"{name:18}{median_milliseconds(VARIANTS[name], drawings):8.2f}")
    for path in options.models:
        network = engine.load(path)
        report(path, {name: network.predict(images[name]) for name in names}, labels, writers)
    if options.epochs:
        train_images, train_labels, _ = prepare_all(options.strokes, "training", (9, 18, 30), names)
        predictions = {}
        for name in names:
            networks = [train(train_images[name], train_labels, options.epochs, seed) for seed in range(options.seeds)]
            predictions[name] = np.concatenate([network.predict(images[name]) for network in networks])
        pooled = np.tile(labels, options.seeds), np.tile(writers, options.seeds)
        report(f"small networks trained for each variant, {options.seeds} of each", predictions, *pooled)


if __name__ == "__main__":
    main()
