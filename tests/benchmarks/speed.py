"""How fast Inkling trains, compared with PyTorch, scikit-learn and the matrix products of the same shapes alone.

    python tests/benchmarks/speed.py [--rounds 5] [--json FILE]

In each round all of them take their turn, with two threads and shuffled batches of MNIST's 60,000 training images. The
results are medians of the rounds, and of the ratios within a round. Needs tests/peers.txt.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tracemalloc
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import sklearn
import torch
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data import load_mnist
from engine.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from engine.pen import draw_strokes

THREADS = 2
LENET = (
    *(Conv2D(8, 5), Activation("relu"), MaxPool2D()),
    *(Conv2D(16, 5), Activation("relu"), MaxPool2D()),
    *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
)
# name: (layers, batch size, optimizer, steps a round, wanted ratios to PyTorch, scikit-learn and the matrix products)
TRAININGS = {
    "784-128-10, batch 64, SGD": (engine.dense_layers((128,)), 64, "sgd", 400, (1.5, 2.3, 0.45)),
    "784-128-10, batch 64, Adam": (engine.dense_layers((128,)), 64, "adam", 400, (1.3, 3.0, None)),
    "784-512-512-10, batch 128, SGD": (engine.dense_layers((512, 512)), 128, "sgd", 80, (0.85, 2.0, 0.85)),
    "784-512-512-10, batch 128, Adam": (engine.dense_layers((512, 512)), 128, "adam", 80, (0.75, 2.0, None)),
    "LeNet-like, batch 64, SGD": (LENET, 64, "sgd", 60, (0.5, None, None)),
}


def inkling(train_set, layers, batch, optimizer, steps):
    """A function that takes ``steps`` steps and returns images per second."""
    config = engine.Config(
        layers=layers, batch_size=batch, optimizer=optimizer, learning_rate=0.001, epochs=1000, validation_size=0
    )
    trainer = engine.Trainer.from_config(config, train_set)

    def run():
        before, started = trainer.samples, perf_counter()
        while trainer.samples < before + steps * batch:
            next(trainer)
        return (trainer.samples - before) / (perf_counter() - started)

    return run


def pytorch(train_set, layers, batch, optimizer, steps):
    """The same in PyTorch, with its fused optimizer."""
    modules, channels, size = [], 1, 784
    for layer in layers:
        if layer.kind == "dense":
            modules.append(torch.nn.Linear(size, layer.units))
            size = layer.units
        elif layer.kind == "conv2d":
            modules.append(torch.nn.Conv2d(channels, layer.filters, layer.kernel))
            channels, size = layer.filters, 16 * 4 * 4
        else:
            others = {"activation": torch.nn.ReLU, "flatten": torch.nn.Flatten, "max_pool2d": partial(torch.nn.MaxPool2d, 2)}
            modules.append(others[layer.kind]())
    model = torch.nn.Sequential(*modules)
    optimizer_class = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    torch_optimizer = optimizer_class(model.parameters(), lr=0.001, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    shape = (-1, 1, 28, 28) if layers is LENET else (-1, 784)
    images = torch.from_numpy(train_set.images.reshape(-1, 784).copy())
    labels = torch.from_numpy(train_set.labels.astype(np.int64))

    def run():
        order = torch.randperm(len(labels))
        started = perf_counter()
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            x = images[rows].to(torch.float32).div_(255).view(shape)
            torch_optimizer.zero_grad(set_to_none=True)
            loss(model(x), labels[rows]).backward()
            torch_optimizer.step()
        return steps * batch / (perf_counter() - started)

    return run


def scikit_learn(train_set, layers, batch, optimizer, steps):
    """The same in scikit-learn; gathering and scaling its images is not counted."""
    hidden = [layer.units for layer in layers if layer.kind == "dense"][:-1]
    settings = {"momentum": 0, "nesterovs_momentum": False} if optimizer == "sgd" else {}
    model = MLPClassifier(hidden, solver=optimizer, alpha=0, batch_size=batch, learning_rate_init=0.001, **settings)
    rng = np.random.default_rng(0)

    def run():
        rows = rng.permutation(len(train_set))[: steps * batch]
        x, y = train_set.images[rows].reshape(-1, 784).astype(np.float32) / 255, train_set.labels[rows]
        started = perf_counter()
        model.partial_fit(x, y, classes=np.arange(10))
        return steps * batch / (perf_counter() - started)

    return run


def matrix_products(train_set, layers, batch, optimizer, steps):
    """Only the matrix products that a dense network needs."""
    sizes = [784] + [layer.units for layer in layers if layer.kind == "dense"]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.random(shape, np.float32)

    products = []
    for position, (inputs, units) in enumerate(pairwise(sizes)):
        x, W, dy = array(batch, inputs), array(inputs, units), array(batch, units)
        products += [(x, W, array(batch, units)), (x.T, dy, array(inputs, units))]
        if position:  # the gradient of the pixels is not needed
            products.append((dy, W.T, array(batch, inputs)))

    def run():
        started = perf_counter()
        for _ in range(steps):
            for a, b, out in products:
                np.matmul(a, b, out=out)
        return steps * batch / (perf_counter() - started)

    return run


def compare(train_set, rounds):
    """A row for each training: images per second of each library, and Inkling's ratios to the others."""
    rows = []
    for name, (layers, batch, optimizer, steps, aims) in TRAININGS.items():
        functions = [inkling, pytorch, *([] if layers is LENET else [scikit_learn, matrix_products])]
        runners = {function.__name__: function(train_set, layers, batch, optimizer, steps) for function in functions}
        speeds = {library: [] for library in runners}
        for lap in range(rounds + 1):
            for library, run in runners.items():
                speed = run()
                if lap:  # the first lap warms up
                    speeds[library].append(speed)
        row = {"work": name, "images_per_second": {library: statistics.median(laps) for library, laps in speeds.items()}}
        row["ratios"] = {
            library: statistics.median(own / other for own, other in zip(speeds["inkling"], laps, strict=True))
            for library, laps in speeds.items()
            if library != "inkling"
        }
        row["aims"] = dict(zip(("pytorch", "scikit_learn", "matrix_products"), aims, strict=True))
        rows.append(row)
        cells = [
            f"{row['ratios'][library]:.2f} ({aim or '-'})" if library in row["ratios"] else "-"
            for library, aim in row["aims"].items()
        ]
        print(f"| {name} | {row['images_per_second']['inkling']:,.0f} | {' | '.join(cells)} |", flush=True)
    return rows


def one_drawing():
    """Milliseconds that ``prepare`` and ``predict_proba`` take for a drawing on a 280 x 280 canvas, with the shipped MLP."""
    network = engine.load(Path(__file__).parents[2] / "pretrained" / "mlp.npz")
    grey = draw_strokes([[(60, 60), (200, 60), (120, 230)]])
    drawing = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    times = []
    for _ in range(200):
        started = perf_counter()
        network.predict_proba(engine.prepare(drawing)[None])
        times.append(perf_counter() - started)
    return 1000 * statistics.median(times)


def training_memory():
    """Peak megabytes that a training of the default network on 60,000 images allocates, above the loaded data."""
    train_set, _ = load_mnist()
    tracemalloc.start()
    for _ in engine.Trainer.from_config(engine.Config(epochs=1), train_set):
        pass
    return tracemalloc.get_traced_memory()[1] / 1e6


ALONE = {"drawing": one_drawing, "memory": training_memory}


def _in_a_new_process(name):
    """The result of a measurement in ``ALONE``, without the threads and the memory of the others."""
    return float(subprocess.check_output([sys.executable, __file__, "--alone", name], text=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--alone", choices=ALONE, help="measure only this")
    options = parser.parse_args()
    if options.alone:
        print(ALONE[options.alone]())
        return
    threadpool_limits(THREADS)
    torch.set_num_threads(THREADS)
    train_set, _ = load_mnist()
    versions = {"numpy": np.__version__, "torch": torch.__version__, "scikit-learn": sklearn.__version__}
    machine = {"processor": _processor(), "threads": THREADS, "python": platform.python_version(), **versions}
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print("| training | images/s | PyTorch (aim) | scikit-learn (aim) | products alone (aim) |\n|---|---|---|---|---|")
    rows = compare(train_set, options.rounds)
    drawing, memory = (_in_a_new_process(name) for name in ALONE)
    print(f"one drawing, prepare and predict_proba: {drawing:.2f} ms (aim: at most 1.5)")
    print(f"memory of training above the data: {memory:.0f} MB (aim: at most 60)")
    if options.json:
        report = {"machine": machine, "training": rows, "one_drawing_ms": drawing, "training_memory_mb": memory}
        options.json.write_text(json.dumps(report, indent=1))


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
