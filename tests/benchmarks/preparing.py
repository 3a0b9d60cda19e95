"""What each choice in ``prepare`` does for reading: filter, centring, size, stroke width; on the validation writers' digits.

    python tests/benchmarks/preparing.py [MODEL...] [--epochs 8] [--strokes FILE] [--only NAME...]

A given network has been trained on digits prepared as they are now, which speaks for leaving all as it is. So a small
network is trained anew for each way too, on the training writers' drawings prepared so, with MNIST's training images,
which are as they are. Accuracies are means over the validation writers; p is McNemar's, of the drawings, against the
present way. The drawings are 10, 18 and 28 pixels wide on a canvas of 280, at 40 to 90 % of its size, anywhere on it,
tilted by up to 15 degrees.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data.augmentation import AUGMENTATIONS
from engine.data.mnist import local_folder
from engine.data.strokes import drawings
from engine.metrics import compare
from engine.preprocessing import BOX, CENTRE, SIDE, centre, crop, find_ink, prepare, scale
from engine.recipes import RECIPES

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"
FILTERS = Image.Resampling
FINE = 80  # pixels of the longer side on which strokes are made wider or thinner
USUAL = 2.4  # pixels: the median width of MNIST's strokes in its 20 x 20, by ``stroke_width``


def filtered(ink, kind=FILTERS.BILINEAR, box=BOX):
    """``scale`` with another filter, or into another box."""
    height, width = ink.shape
    factor = box / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(ink).resize(size, kind)).clip(0)
    return small / small.max()


def middle(small):
    """The scaled ink in the middle of 28 x 28 by its sides, not its mass."""
    image = np.zeros((SIDE, SIDE), np.float32)
    top, left = ((SIDE - length) // 2 for length in small.shape)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def halfway(small):
    """Between the centre of mass and the middle of the sides."""
    by_mass, by_sides = centre(small), middle(small)
    corners = [np.array([np.flatnonzero(image.any(axis=axis))[0] for axis in (1, 0)]) for image in (by_mass, by_sides)]
    top, left = (corners[0] + corners[1]) // 2
    image = np.zeros((SIDE, SIDE), np.float32)
    ink = crop(small)
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return image


def exact(ink, kind=FILTERS.BILINEAR):
    """Scaled and centred by mass in one resampling, to parts of a pixel."""
    side = max(ink.shape) * SIDE / BOX
    padded = np.pad(ink, int(np.ceil(side)))
    centres = []
    for axis, length in enumerate(ink.shape):
        mass = (ink.sum(axis=1 - axis) @ (np.arange(length) + 0.5)) / ink.sum()
        # not so far that ink would be lost; the middle of pixel CENTRE is half a pixel past it
        mass = np.clip(mass - side / SIDE * (CENTRE + 0.5 - SIDE / 2), length - side / 2, side / 2)
        centres.append(mass + int(np.ceil(side)))
    y, x = centres
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    image = np.asarray(Image.fromarray(padded).resize((SIDE, SIDE), kind, box))
    return image / image.max()


def stroke_width(ink, longest=BOX):
    """The width of the lines, in pixels where the longer side has ``longest``: twice the ink by its outline's length."""
    across, down = np.diff(np.pad(ink, 1), axis=1)[1:], np.diff(np.pad(ink, 1), axis=0)[:, 1:]
    return 2 * ink.sum() / np.hypot(across, down).sum() * longest / max(ink.shape)


def usual_width(ink, share=1.0):
    """The ink with its lines widened or thinned by this share of what they lack of, or have over, MNIST's usual width."""
    large = filtered(ink, box=FINE)
    steps = round(share * (USUAL - stroke_width(large)) / 2 * FINE / BOX)
    if not steps:
        return large
    room = 2 * abs(steps)
    image = Image.fromarray(np.round(255 * np.pad(large, room)).astype(np.uint8))
    kind = ImageFilter.MaxFilter if steps > 0 else ImageFilter.MinFilter
    for _ in range(abs(steps)):
        image = image.filter(kind(3))
    changed = np.asarray(image).astype(np.float32) / 255
    return crop(changed) if changed.max() > 0.5 else large


def way(*stages):
    """``prepare`` with these stages after the ink has been found and cropped."""

    def run(drawing):
        image = crop(find_ink(drawing))
        for stage in stages:
            image = stage(image)
        return image

    return run


WAYS = {
    "as it is": prepare,
    "filter: box": way(partial(filtered, kind=FILTERS.BOX), centre),
    "filter: hamming": way(partial(filtered, kind=FILTERS.HAMMING), centre),
    "filter: bicubic": way(partial(filtered, kind=FILTERS.BICUBIC), centre),
    "filter: lanczos": way(partial(filtered, kind=FILTERS.LANCZOS), centre),
    "centre: sides": way(scale, middle),
    "centre: halfway": way(scale, halfway),
    "centre: exact": way(exact),
    "size: 18": way(partial(filtered, box=18), centre),
    "size: 22": way(partial(filtered, box=22), centre),
    "width: usual": way(usual_width, scale, centre),
    "width: half way": way(partial(usual_width, share=0.5), scale, centre),
}


def prepared(strokes, part, widths, names):
    """Every drawing of the part in each way: images (M, 28, 28) by name, and labels and writers (M,)."""
    images, labels, writers = {name: [] for name in names}, [], []
    for digit, _, drawing in drawings(strokes, part, widths):
        for name in names:
            images[name].append(np.round(255 * WAYS[name](drawing)).astype(np.uint8))
        labels.append(digit.label)
        writers.append(digit.writer)
    return {name: np.array(own) for name, own in images.items()}, np.array(labels, np.uint8), np.array(writers)


def trained(images, labels, epochs, seed):
    """A small network that learnt from these images, and MNIST's where it is."""
    if local_folder() is not None:
        mnist = engine.load_mnist()[0]
        part = mnist.take(slice(20_000))
        images, labels = (np.concatenate(pair) for pair in zip((images, labels), part, strict=True))
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


def milliseconds(run, canvases):
    times = []
    for canvas in canvases:
        started = perf_counter()
        run(canvas)
        times.append(1e3 * (perf_counter() - started))
    return median(times)


def tell(title, readings, labels, writers):
    print(f"\n{title}\n{'':18}mean over writers   lowest   only this / only now right      p")
    now = readings["as it is"]
    for name, own in readings.items():
        right = own == labels
        means = [right[writers == writer].mean() for writer in np.unique(writers)]
        found = compare(labels, own, now)
        figures = f"{np.mean(means):17.2%}{min(means):9.1%}{found.only_a_right:14} / {found.only_b_right:<12}{found.p:7.3f}"
        print(f"{name:18}{figures}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="networks to read with, as they are")
    parser.add_argument("--epochs", type=int, default=8, help="of each small network; 0 trains none")
    parser.add_argument("--seeds", type=int, default=1, help="small networks of each way, their readings taken together")
    parser.add_argument("--strokes", type=Path, default=STROKES)
    parser.add_argument("--only", nargs="+", choices=WAYS, metavar="NAME", help=f"ways: {', '.join(WAYS)}")
    options = parser.parse_args()

    names = list(dict.fromkeys(["as it is", *(options.only or WAYS)]))
    images, labels, writers = prepared(options.strokes, "validation", (10, 18, 28), names)
    canvases = [drawing for (_, _, drawing), _ in zip(drawings(options.strokes, "validation"), range(60), strict=False)]
    print("milliseconds for a canvas of 280 x 280 (at most 2)")
    for name in names:
        print(f"{name:18}{milliseconds(WAYS[name], canvases):8.2f}")
    for path in options.models:
        network = engine.load(path)
        tell(f"{path}, as it is", {name: network.predict(own) for name, own in images.items()}, labels, writers)
    if options.epochs:
        to_learn, their_labels, _ = prepared(options.strokes, "training", (9, 18, 30), names)
        readings = {name: [] for name in names}
        for name in names:
            for seed in range(options.seeds):
                network = trained(to_learn[name], their_labels, options.epochs, seed)
                readings[name].append(network.predict(images[name]))
        readings = {name: np.concatenate(own) for name, own in readings.items()}
        again = np.tile(labels, options.seeds), np.tile(writers, options.seeds)
        tell(f"a small network trained for each way, {options.seeds} of each", readings, *again)


if __name__ == "__main__":
    main()
