"""How well networks read: every figure of the model card, for any checkpoint.

    python tests/benchmarks/reading.py MODEL... --validation
    python tests/benchmarks/reading.py MODEL... --test

``--validation`` measures on what was held back from the training to choose by: the validation images that the
checkpoint's own configuration splits off, and the pen-drawn digits of the validation writers. ``--test`` reads the test
images and the test writers, which no choice may rest on. Pen-drawn digits are 10, 18 and 28 pixels wide on a canvas of
280, at 40 to 90 % of its size, anywhere on it, tilted by up to 15 degrees. What is no digit is measured both ways: of the
kinds that networks can train on, drawn anew, and of the kinds that are held out. MNIST and the strokes are measured where
they are.
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
from engine.data.scribbles import HELD_OUT, TRAINED, draw_scribbles
from engine.data.strokes import held_out
from engine.data.synthetic import draw_digits
from engine.metrics import class_scores, confusion_matrix, expected_calibration_error
from engine.training import streams

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"
NO_DIGITS = 200  # images of each kind


def validation_sets(network, options):
    """The digits that were held back from the network's training, by where they come from."""
    if not {"config", "data"} <= network.info.keys():
        raise engine.InklingError("a checkpoint must say how it was trained to be measured with --validation")
    config, names = engine.Config.from_json(network.info["config"]), network.info["data"]["name"].split("+")
    here = [str(options.strokes) if Path(name).name == options.strokes.name else name for name in names]
    source = options.data or "+".join(here)
    train_set, validation_set = config.split(loaded(source)[0], streams(config.seed)["split"])
    if train_set.fingerprint()["sha256"] != network.info["data"]["sha256"]:
        raise engine.InklingError(f"--data must be what the network was trained on, got {source}")
    parts = validation_set.by_source()
    digits = {name: part.subset(np.flatnonzero(part.own_labels != NO_DIGIT)) for name, part in parts.items()}
    return {name: part for name, part in digits.items() if len(part) and not Path(name).is_file()}


@cache
def loaded(source):
    return load_data(source, progressbar=True)


def test_sets():
    here = {"synthetic": loaded("synthetic")[1]}
    return ({"mnist": loaded("mnist")[1]} if local_folder() else {}) | here


def speed(path):
    """Milliseconds for loading with the first prediction, the first time and usually, and for one prediction."""
    image = draw_digits(1).images
    starts, once = [], []
    for _ in range(9):
        started = perf_counter()
        network = engine.load(path)
        network.predict_proba(image)
        starts.append(1e3 * (perf_counter() - started))
    for _ in range(300):
        started = perf_counter()
        network.predict_proba(image)
        once.append(1e3 * (perf_counter() - started))
    return {"first start ms": starts[0], "start ms": median(starts), "prediction ms": median(once)}


def reading(network, dataset):
    """What there is to say of the network on these digits, and its readings."""
    images, labels = dataset.take(slice(None))
    probabilities = network.predict_proba(images)
    readings = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, readings, 10)
    return readings == labels, {
        "digits": len(labels),
        "errors": int((readings != labels).sum()),
        "accuracy": float((readings == labels).mean()),
        "calibration error": expected_calibration_error(labels, probabilities),
        "under the threshold": float((probabilities.max(axis=1) < threshold(network)).mean()),
        "of each digit": class_scores(confusion).recall.tolist(),
        "confusion": confusion.tolist(),
    }


def by_writer(right, writers):
    """The accuracy of each writer, the lowest first."""
    each = [(float(right[writers == writer].mean()), str(writer), int((writers == writer).sum())) for writer in set(writers)]
    return sorted(each)


def measure(path, options, drawn, none):
    network = engine.load(path)
    figures = {"bytes": Path(path).stat().st_size, "parameters": network.parameters.size, "threshold": threshold(network)}
    figures |= {"temperature": network.info.get("temperature")} | speed(path) | {"sets": {}, "no digits": {}}
    sets = test_sets() if options.test else validation_sets(network, options)
    for name, dataset in sets.items():
        figures["sets"][name] = reading(network, dataset)[1]
    if drawn:
        right, found = reading(network, drawn.dataset)
        writers = by_writer(right, drawn.writers)
        found["mean over writers"] = float(np.mean([accuracy for accuracy, _, _ in writers]))
        found["lowest writers"] = writers[:5]
        found["writers"] = len(writers)
        found["mean over writers by width"] = {
            int(width): float(np.mean([row[0] for row in by_writer(right[rows], drawn.writers[rows])]))
            for width, rows in ((width, drawn.widths == width) for width in np.unique(drawn.widths))
        }
        figures["sets"]["pen-drawn"] = found
    for family, kinds in none.items():
        rejected = {
            kind: float((network.predict_proba(images).max(axis=1) < threshold(network)).mean())
            for kind, images in kinds.items()
        }
        figures["no digits"][family] = {"all": float(np.mean(list(rejected.values())))} | rejected
    return figures


def tell(path, figures):
    print(f"\n{path}: {figures['bytes'] / 1e6:.2f} MB, {figures['parameters']:,} parameters")
    print(
        f"  load and first prediction {figures['start ms']:.0f} ms (the first time {figures['first start ms']:.0f}), "
        f"one prediction {figures['prediction ms']:.2f} ms"
    )
    print(f"  temperature {figures['temperature'] or 1:.3f}, threshold {figures['threshold']:.3f}")
    for name, found in figures["sets"].items():
        print(f"\n  {name}: {found['accuracy']:.2%}, {found['errors']:,} errors of {found['digits']:,}")
        print(
            f"    calibration error {found['calibration error']:.2%}, under the threshold {found['under the threshold']:.2%}"
        )
        print("    of each digit  " + "  ".join(f"{digit}: {part:.1%}" for digit, part in enumerate(found["of each digit"])))
        if "writers" in found:
            widths = ", ".join(f"{width} px {part:.2%}" for width, part in found["mean over writers by width"].items())
            print(f"    mean over {found['writers']} writers {found['mean over writers']:.2%} ({widths})")
            lowest = ", ".join(f"{writer} {part:.1%} of {count}" for part, writer, count in found["lowest writers"])
            print(f"    lowest writers: {lowest}")
        for digit, row in enumerate(found["confusion"]):
            print(f"    {digit} read as" + "".join(f"{count:7,}" for count in row))
    for family, found in figures["no digits"].items():
        print(f"\n  no digits, {family}: {found['all']:.1%} under the threshold")
        print("    " + ", ".join(f"{kind} {part:.0%}" for kind, part in found.items() if kind != "all"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a network's .npz file")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--validation", action="store_true", help="measure on what is there to choose by")
    which.add_argument("--test", action="store_true", help="read the test images and the test writers")
    parser.add_argument("--data", help="the data that the network was trained on, if not what it says")
    parser.add_argument("--strokes", type=Path, default=STROKES, help="a file of pen strokes")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    options = parser.parse_args()

    part = "test" if options.test else "validation"
    drawn = held_out(options.strokes, part) if options.strokes.is_file() else None
    families = {"trained kinds, drawn anew": TRAINED, "held-out kinds": HELD_OUT}
    none = {
        family: {kind: draw_scribbles({kind: maker}, NO_DIGITS, 100 + options.test).images for kind, maker in kinds.items()}
        for family, kinds in families.items()
    }
    found = {path: measure(path, options, drawn, none) for path in options.models}
    if options.json:
        options.json.write_text(json.dumps({"measured on": part} | found, indent=1))
    print(f"Measured on {part} data.")
    for path, figures in found.items():
        tell(path, figures)


if __name__ == "__main__":
    try:
        main()
    except engine.InklingError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
