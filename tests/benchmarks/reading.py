"""Accuracy, calibration and speed of networks: every figure of the model card, for any checkpoint.

    python tests/benchmarks/reading.py MODEL... --validation
    python tests/benchmarks/reading.py MODEL... --test

``--validation`` measures on data for making choices: the validation images that the checkpoint's own configuration splits
off, and the pen-drawn digits of the validation writers. ``--test`` measures on the test images and the test writers, which
may not influence any choice. The pens are 10, 18 and 28 pixels wide, on a canvas of 280 pixels. Images that are not digits
are of both families: the kinds that networks can be trained on, drawn anew, and the held-out kinds. MNIST and the pen
strokes are left out if they are not on this machine.
"""

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.calibration import threshold
from engine.data import load_data
from engine.data.dataset import NO_DIGIT
from engine.data.mnist import local_folder
from engine.data.synthetic.generator import draw_digits
from engine.data.synthetic.scribbles import HELD_OUT_KINDS, TRAINING_KINDS, draw_scribbles
from engine.data.synthetic.strokes import held_out_drawings
from engine.metrics import class_scores, confusion_matrix, expected_calibration_error
from engine.seeding import random_streams

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"
SCRIBBLES_PER_KIND = 200


def validation_sets(network, options):
    """The digits that were held back from the network's training, by their source."""
    if not {"config", "data"} <= network.info.keys():
        raise engine.InklingError("a checkpoint must say how it was trained to be measured with --validation")
    config, names = engine.Config.from_json(network.info["config"]), network.info["data"]["name"].split("+")
    sources = [str(options.strokes) if Path(name).name == options.strokes.name else name for name in names]
    source = options.data or "+".join(sources)
    train_set, validation_set = config.split(load(source)[0], random_streams(config.seed)["split"])
    if train_set.fingerprint()["sha256"] != network.info["data"]["sha256"]:
        raise engine.InklingError(f"--data must be what the network was trained on, got {source}")
    by_source = validation_set.by_source().items()
    digits = {name: part.subset(np.flatnonzero(part.own_labels != NO_DIGIT)) for name, part in by_source}
    return {name: part for name, part in digits.items() if len(part) and not Path(name).is_file()}


@cache
def load(source):
    return load_data(source, progressbar=True)


def test_sets():
    names = ["mnist", "synthetic"] if local_folder() else ["synthetic"]
    return {name: load(name)[1] for name in names}


def speed(path):
    """Milliseconds for loading with a prediction, the first time and in the median, and for one prediction."""
    image = draw_digits(1).images
    starts, predictions = [], []
    for _ in range(9):
        started = perf_counter()
        network = engine.load(path)
        network.predict_proba(image)
        starts.append(1e3 * (perf_counter() - started))
    for _ in range(300):
        started = perf_counter()
        network.predict_proba(image)
        predictions.append(1e3 * (perf_counter() - started))
    return {"first start ms": starts[0], "start ms": median(starts), "prediction ms": median(predictions)}


def measure_digits(network, dataset):
    """Which of the digits the network predicts correctly, and the figures about them."""
    images, labels = dataset.take(slice(None))
    probabilities = network.predict_proba(images)
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, 10)
    return predicted == labels, {
        "digits": len(labels),
        "errors": int((predicted != labels).sum()),
        "accuracy": float((predicted == labels).mean()),
        "calibration error": expected_calibration_error(labels, probabilities),
        "under the threshold": float((probabilities.max(axis=1) < threshold(network)).mean()),
        "of each digit": class_scores(confusion).recall.tolist(),
        "confusion": confusion.tolist(),
    }


def by_writer(right, writers):
    """(accuracy, writer, number of digits) for each writer, the lowest accuracy first."""
    return sorted(
        (float(right[writers == writer].mean()), str(writer), int((writers == writer).sum())) for writer in set(writers)
    )


def measure(path, options, pen_drawn, scribbles):
    network = engine.load(path)
    figures = {"bytes": Path(path).stat().st_size, "parameters": network.parameters.size, "threshold": threshold(network)}
    figures |= {"temperature": network.info.get("temperature")} | speed(path) | {"sets": {}, "no digits": {}}
    sets = test_sets() if options.test else validation_sets(network, options)
    for name, dataset in sets.items():
        figures["sets"][name] = measure_digits(network, dataset)[1]
    if pen_drawn:
        right, scores = measure_digits(network, pen_drawn.dataset)
        writers = by_writer(right, pen_drawn.writers)
        scores["mean over writers"] = float(np.mean([accuracy for accuracy, _, _ in writers]))
        scores["lowest writers"] = writers[:5]
        scores["writers"] = len(writers)
        scores["mean over writers by width"] = {
            int(width): float(np.mean([row[0] for row in by_writer(right[rows], pen_drawn.writers[rows])]))
            for width, rows in ((width, pen_drawn.widths == width) for width in np.unique(pen_drawn.widths))
        }
        figures["sets"]["pen-drawn"] = scores
    for family, kinds in scribbles.items():
        rejected = {
            kind: float((network.predict_proba(images).max(axis=1) < threshold(network)).mean())
            for kind, images in kinds.items()
        }
        figures["no digits"][family] = {"all": float(np.mean(list(rejected.values())))} | rejected
    return figures


def report(path, figures):
    print(f"\n{path}: {figures['bytes'] / 1e6:.2f} MB, {figures['parameters']:,} parameters")
    print(
        f"  load and first prediction {figures['start ms']:.0f} ms (the first time {figures['first start ms']:.0f}), "
        f"one prediction {figures['prediction ms']:.2f} ms"
    )
    print(f"  temperature {figures['temperature'] or 1:.3f}, threshold {figures['threshold']:.3f}")
    for name, scores in figures["sets"].items():
        print(f"\n  {name}: {scores['accuracy']:.2%}, {scores['errors']:,} errors of {scores['digits']:,}")
        below = f"under the threshold {scores['under the threshold']:.2%}"
        print(f"    calibration error {scores['calibration error']:.2%}, {below}")
        recalls = enumerate(scores["of each digit"])
        print("    of each digit  " + "  ".join(f"{digit}: {recall:.1%}" for digit, recall in recalls))
        if "writers" in scores:
            widths = ", ".join(f"{width} px {mean:.2%}" for width, mean in scores["mean over writers by width"].items())
            print(f"    mean over {scores['writers']} writers {scores['mean over writers']:.2%} ({widths})")
            lowest = ", ".join(f"{writer} {accuracy:.1%} of {count}" for accuracy, writer, count in scores["lowest writers"])
            print(f"    lowest writers: {lowest}")
        for digit, row in enumerate(scores["confusion"]):
            print(f"    {digit} read as" + "".join(f"{count:7,}" for count in row))
    for family, rejected in figures["no digits"].items():
        print(f"\n  no digits, {family}: {rejected['all']:.1%} under the threshold")
        print("    " + ", ".join(f"{kind} {fraction:.0%}" for kind, fraction in rejected.items() if kind != "all"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a network's .npz file")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--validation", action="store_true", help="measure on the data for making choices")
    which.add_argument("--test", action="store_true", help="measure on the test images and the test writers")
    parser.add_argument(
        "--data", help="the data that the network was trained on, if it is no longer where the checkpoint says"
    )
    parser.add_argument("--strokes", type=Path, default=STROKES, help="a file of pen strokes")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    options = parser.parse_args()

    part = "test" if options.test else "validation"
    pen_drawn = held_out_drawings(options.strokes, part) if options.strokes.is_file() else None
    families = {"trained kinds, drawn anew": TRAINING_KINDS, "held-out kinds": HELD_OUT_KINDS}
    scribbles = {
        family: {
            kind: draw_scribbles({kind: maker}, SCRIBBLES_PER_KIND, 100 + options.test).images
            for kind, maker in kinds.items()
        }
        for family, kinds in families.items()
    }
    results = {path: measure(path, options, pen_drawn, scribbles) for path in options.models}
    if options.json:
        options.json.write_text(json.dumps({"measured on": part} | results, indent=1))
    print(f"Measured on {part} data.")
    for path, figures in results.items():
        report(path, figures)


if __name__ == "__main__":
    try:
        main()
    except engine.InklingError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
