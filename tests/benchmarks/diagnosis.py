"""How often a diagnosis is right: the twelve faults in varied trainings, and healthy trainings, which must get none.

    python tests/benchmarks/diagnosis.py [--broken 200] [--healthy 100] [--first-seed 20000] [--verbose]

With one thread, on the first 50,000 of MNIST's training images, or on digits that Inkling draws; the next 10,000 stand for
test images, so that MNIST's own are not looked at. The thresholds were chosen with the seeds from 0; those from 20,000 on
are for the figures.
"""

import argparse
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.data.mnist import local_folder
from engine.data.synthetic import draw_digits
from engine.diagnosis import diagnose, examine
from engine.faults import FAULTS, Setup
from engine.jobs import JobState, Snapshot
from engine.jobs.observer import Observer
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, summary
from engine.metrics import evaluate
from engine.optimizers import OPTIMIZERS
from engine.training import Diverged, Finished, StepEnd, Trainer

RIGHT = {  # the diagnosis that names a fault
    "shifted_labels": "shifted_labels",
    "unscaled_pixels": "unscaled_inputs",
    "large_rate": "large_rate",
    "unshuffled": "unshuffled",
    "equal_weights": "equal_weights",
    "dying_relu": "dead_units",
    "saturated_sigmoids": "saturation",
    "softmax_twice": "softmax_twice",
    "leaked_test": "leak",
    "large_decay": "large_decay",
    "single_images": "single_images",
    "transposed_prediction": "transposed_images",
}
NUM_TEST = 1_000
LEAST_STEPS = 200  # in which every healthy training learns something


def load_sets():
    """The images to train on, and others."""
    drawn = draw_digits(12_000, seed=1)
    sets = [(drawn.subset(slice(10_000)), drawn.subset(slice(10_000, None)))]
    if local_folder() is not None:
        train_set, _ = engine.load_mnist()
        sets.append((train_set.subset(slice(50_000)), train_set.subset(slice(50_000, None))))
    return sets


def healthy_setup(rng, sets):
    """A training that nothing is wrong with: layers, optimizer, rate and data vary."""
    train_set, test_set = sets[rng.integers(len(sets))]
    start = int(rng.integers(len(train_set) - 5_000))
    train_set = train_set.subset(slice(start, start + 5_000))
    test_set = test_set.subset(rng.permutation(len(test_set))[:NUM_TEST])
    activation = str(rng.choice(["relu", "relu", "relu", "leaky_relu", "gelu", "tanh", "sigmoid"]))
    optimizer = str(rng.choice(list(OPTIMIZERS)))
    usual = OPTIMIZERS[optimizer].usual_learning_rate
    batch_size, train_size = int(rng.choice([16, 32, 64])), int(rng.choice([1_000, 2_000, 3_000]))
    config = Config(
        layers=healthy_layers(rng, activation),
        optimizer=optimizer,
        learning_rate=float(usual * rng.choice([0.5, 0.7, 1.0, 1.0, 1.4])),
        schedule=str(rng.choice(["constant", "one_cycle", "cosine", "step"])),
        weight_decay=float(rng.choice([0.0, 0.0, 1e-5, 1e-4])),
        label_smoothing=float(rng.choice([0.0, 0.0, 0.0, 0.1])),
        max_grad_norm=float(rng.choice([1.0, 5.0])) if rng.random() < 0.2 else None,
        ema_decay=0.99 if rng.random() < 0.2 else None,
        augmentation=AUGMENTATIONS["light"] if rng.random() < 0.2 else None,
        batch_size=batch_size,
        train_size=train_size,
        epochs=max(int(rng.choice([3, 4])), -(-LEAST_STEPS * batch_size // train_size)),
        seed=int(rng.integers(2**31)),
    )
    return Setup(config, train_set, test_set)


def healthy_layers(rng, activation):
    """Up to three hidden layers, or a small convolutional network."""
    initializer = "he_normal" if activation in ("relu", "leaky_relu", "gelu") else "glorot_uniform"
    if rng.random() < 0.1:
        return (
            Conv2D(8, 5, 2, initializer=initializer),
            Activation(activation),
            MaxPool2D(2),
            Flatten(),
            Dense(10, initializer),
        )
    layers = []
    norm, drop = rng.random() < 0.15, rng.random() < 0.15
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        layers += [Dense(int(rng.choice([32, 64, 96])), initializer), *[BatchNorm()] * norm, Activation(activation)]
        layers += [Dropout(0.2)] * drop
    return (*layers, Dense(10, initializer))


def train(setup):
    """The last snapshot of a training, with looks as a worker takes them."""
    trainer = Trainer.from_config(setup.config, setup.train_set, setup.start)
    observer = Observer(trainer.result, setup.test_set)
    total = setup.config.epochs * -(-len(trainer.train_set) // trainer.batch_size)
    event = None
    for event in trainer:
        step = trainer.step
        if isinstance(event, StepEnd) and trainer.gradient is not None:
            observer.look(trainer, trainer.result)
        trainer.keep_gradient = (step + 1) & step == 0 or step + 2 >= total
    network = trainer.result.copy()
    snapshot = Snapshot.of(trainer, JobState.FINISHED, network, observer)
    with np.errstate(all="ignore"):
        test = evaluate(network, setup.test_set, trainer.loss)
    state = JobState.DIVERGED if isinstance(event, Diverged) else JobState.FINISHED
    return replace(snapshot, state=state, end=event if isinstance(event, Finished | Diverged) else None, test=test)


def judge(setup):
    """The names of what is found, the whole texts, and the test accuracy."""
    snapshot = train(setup)
    found = diagnose(snapshot, examine(snapshot.network, setup.config, setup.train_set, setup.test_set))
    return [diagnosis.name for diagnosis in found], found, snapshot


def show(setup, found, snapshot):
    config = setup.config
    print(
        f"    {config.optimizer} {config.learning_rate:.3g} batch {config.batch_size} x {config.epochs} of "
        f"{config.train_size}, {config.schedule}, decay {config.weight_decay}, {summary(config.layers)}; "
        f"test {snapshot.test.accuracy:.1%}, loss {snapshot.curve[0, 2]:.3g} to {snapshot.curve[-1, 2]:.3g}"
    )
    for diagnosis in found:
        print("     ", diagnosis)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broken", type=int, default=200)
    parser.add_argument("--healthy", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=20_000)
    parser.add_argument("--only", choices=FAULTS, help="this fault alone")
    parser.add_argument("--verbose", action="store_true", help="show each training that is judged wrongly")
    options = parser.parse_args()
    sets, began = load_sets(), perf_counter()
    outcomes = defaultdict(Counter)
    names = [options.only] if options.only else list(FAULTS)
    for number in range(options.broken):
        name, rng = names[number % len(names)], np.random.default_rng(options.first_seed + number)
        healthy = FAULTS[name].mended(healthy_setup(rng, sets))
        setup = FAULTS[name].break_(healthy, rng)
        found, texts, snapshot = judge(setup)
        outcome = "none" if not found else "right" if found[0] == RIGHT[name] else "wrong"
        outcomes[name][outcome] += 1
        if options.verbose and outcome != "right":
            print(f"{name}, seed {options.first_seed + number}: {outcome}", flush=True)
            show(setup, texts, snapshot)
    alarms = 0
    for number in range(options.healthy):
        seed = options.first_seed + options.broken + number
        setup = healthy_setup(np.random.default_rng(seed), sets)
        found, texts, snapshot = judge(setup)
        alarms += bool(found)
        if options.verbose and found:
            print(f"healthy, seed {seed}", flush=True)
            show(setup, texts, snapshot)
    print(f"{'fault':24}{'right':>8}{'wrong':>8}{'none':>8}")
    for name, counts in outcomes.items():
        print(f"{name:24}{counts['right']:8}{counts['wrong']:8}{counts['none']:8}")
    total = sum(outcomes.values(), Counter())
    print(f"{'all':24}{total['right']:8}{total['wrong']:8}{total['none']:8}")
    if options.broken:
        print(f"{total['right'] / options.broken:.1%} of {options.broken} broken trainings get the right diagnosis first")
    print(f"{alarms} of {options.healthy} healthy trainings get one; {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
