"""Drawn digits: how fast they are drawn, and how well a network trained on them alone reads people's digits.

    python tests/benchmarks/synthetic.py [--epochs 15] [--strokes FILE]

Trains the recipe ``mlp``, with strong augmentation, on the 60,000 drawn digits. Then measures it on MNIST's test images
and, if the file exists, on pen-drawn digits (upright, with a pen of 18 of 280 pixels), with the mean over their writers.
Neither is used in training or for early stopping.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data.augmentation import AUGMENTATIONS
from engine.data.synthetic.generator import draw_digits, load_synthetic
from engine.data.synthetic.strokes import read_strokes
from engine.pen import draw_strokes, fit_strokes
from engine.recipes import RECIPES

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"


def pen_digits(path):
    """The prepared images, labels and writers of all digits in a file of pen strokes."""
    digits = [digit for part in read_strokes(path).values() for digit in part]
    images = np.stack([engine.prepare(draw_strokes(fit_strokes(digit.strokes, 0.65))) for digit in digits])
    return images, np.array([digit.label for digit in digits]), np.array([digit.writer for digit in digits])


def report(name, predictions, labels):
    right = predictions == labels
    each = "  ".join(f"{digit}: {right[labels == digit].mean():.1%}" for digit in range(10))
    print(f"{name}: {right.mean():.2%} of {len(labels):,}\n    {each}")
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--strokes", type=Path, default=STROKES)
    options = parser.parse_args()

    for count in (6_000, 60_000):
        start = perf_counter()
        draw_digits(count, seed=count)
        print(f"{count:,} digits drawn in {perf_counter() - start:.1f} s")

    config = replace(RECIPES["mlp"].config, augmentation=AUGMENTATIONS["strong"], epochs=options.epochs)
    trainer = engine.Trainer.from_config(config, load_synthetic()[0])
    for _ in trainer:
        pass
    network = trainer.result
    print(f"trained in {trainer.seconds:.0f} s; on held-out drawn digits: {trainer.history[-1].validation_accuracy:.2%}")
    _, test_set = engine.load_mnist()
    report("MNIST's test images", network.predict(test_set.images), test_set.labels)
    if options.strokes.is_file():
        images, labels, writers = pen_digits(options.strokes)
        right = report("pen-drawn digits", network.predict(images), labels)
        means = [right[writers == writer].mean() for writer in np.unique(writers)]
        print(f"    mean over {len(means)} writers: {np.mean(means):.2%}; the lowest: {min(means):.1%}")


if __name__ == "__main__":
    main()
