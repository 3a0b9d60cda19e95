"""The time that augmentation takes: microseconds per image, part by part, and relative to a training step.

    python tests/benchmarks/augmentation.py [--batch 128] [--rounds 200] [--json FILE]

With one thread. All parts take turns in each round; the figures are medians over the rounds, also of the ratios. The
images are MNIST's if it is on this machine, else noise: the time does not depend on what they show.
"""

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data.augmentation import AUGMENTATIONS, BLOCK_SIZE, Augmentation, thicken
from engine.data.mnist import local_folder
from engine.data.resample import pad, sample, scratch

TRAINING = "a training step without augmentation"


def load_training_images():
    if local_folder() is not None:
        return engine.load_mnist()[0]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
    return engine.Dataset(images, rng.integers(0, 10, len(images), dtype=np.uint8), "noise")


def make_tasks(batch):
    """The functions to measure, by name; each handles ``batch`` images."""
    train_set = load_training_images()
    rng, strong = np.random.default_rng(0), AUGMENTATIONS["strong"]
    images = train_set.take(slice(batch))[0]
    out = np.empty(images.shape, np.float32)
    moves = rng.random((7, batch), np.float32) * 2 - 1
    affine, pixels = strong._affine(moves[:6], 28, 28), strong.thickness * moves[6]
    plain = replace(strong, elastic=0)
    blocks = [slice(start, start + BLOCK_SIZE) for start in range(0, batch, BLOCK_SIZE)]
    prepared = [
        (block, pad(images[block]).copy(), plain._positions(affine[..., block], 28, 28, rng).copy()) for block in blocks
    ]

    def sample_all():
        for block, padded, positions in prepared:
            overwritten = scratch("positions", positions.shape, np.float32)
            np.copyto(overwritten, positions)
            sample(padded, overwritten, out[block])

    trainer = engine.Trainer.from_config(engine.Config(epochs=1000, batch_size=batch), train_set)

    def step():
        while not isinstance(next(trainer), engine.StepEnd):
            pass

    return {
        TRAINING: step,
        "affine maps": lambda: strong._affine(moves[:6], 28, 28),
        "positions, affine": lambda: [plain._positions(affine[..., block], 28, 28, rng) for block in blocks],
        "positions, affine and elastic": lambda: [strong._positions(affine[..., block], 28, 28, rng) for block in blocks],
        "border": lambda: [pad(images[block]) for block in blocks],
        "thickness": lambda: [thicken(padded, pixels[block]) for block, padded, _ in prepared],
        "look-up": sample_all,
        "noise alone": lambda: out + 0.1 * rng.standard_normal(out.shape, np.float32),
        "Augmentation()": lambda: Augmentation()(images, rng),
        **{f'"{name}"': lambda preset=preset: preset(images, rng) for name, preset in AUGMENTATIONS.items() if preset},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    with threadpool_limits(1):
        tasks = make_tasks(options.batch)
        times = {name: [] for name in tasks}
        for _ in range(options.rounds):
            for name, task in tasks.items():
                task()  # the task before has filled the cache with other data
                started = perf_counter()
                task()
                times[name].append((perf_counter() - started) / options.batch * 1e6)

    results = {
        name: {
            "microseconds": statistics.median(durations),
            "fastest_tenth": statistics.quantiles(durations, n=10)[0],
            "ratio": statistics.median(own / step for own, step in zip(durations, times[TRAINING], strict=True)),
        }
        for name, durations in times.items()
    }
    print(f"{'us/image, batch ' + str(options.batch):38}  median  fastest 10 %  of a training step")
    for name, result in results.items():
        print(f"{name:38}{result['microseconds']:8.2f}{result['fastest_tenth']:14.2f}{result['ratio']:20.2f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
