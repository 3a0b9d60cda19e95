"""What fine-tuning gains for the people who are read worst, and what it forgets.

    python tests/benchmarks/finetuning.py pretrained/mlp.npz pretrained/cnn.npz
    python tests/benchmarks/finetuning.py pretrained/cnn.npz --tuning-writers

The pen writers whom the shipped networks never saw are split by a hash of their names, as everywhere in this project: with
``--tuning-writers`` those for making choices (all default settings were chosen on them), otherwise those for judging, who
may not influence any choice.

A writer takes part who has at least 30 drawings. All are drawn with the usual pen. Of these writers, those count whom the
network reads worst before: a quarter of them, rounded up. Each gives 20 drawings to learn from, about two of each digit; the
others are for judging. This is repeated with other splits (seeds 0, 1, ...). A writer's error is the mean over the splits.
The median error falls by chance, too, because these writers were chosen by their errors. So ``--others`` does the same with
20 drawings by other writers: what the own drawings give is the difference.

MNIST's test images are measured before and after. Seconds are those of the whole fine-tuning with all its measurements, on
one core: processor time with one BLAS thread.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import mean, median
from time import process_time

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before NumPy is imported

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data.collection import Collection, LabelledDrawing
from engine.data.synthetic.strokes import held_out_drawings
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings
from engine.metrics import score
from engine.pen import PEN

STROKES = Path(__file__).resolve().parents[3] / "shared" / "strokes" / "pen_digits.jsonl.gz"
LEARNED, MIN_JUDGED = 20, 10  # drawings of a writer


def drawings_by_writer(path, part):
    """The drawings of each writer of the part who has enough."""
    drawn = held_out_drawings(path, part, (PEN,))
    images, labels = drawn.dataset.take(slice(None))
    rows = zip(labels, images, drawn.writers, strict=True)
    everything = Collection(tuple(LabelledDrawing(int(label), image, (), str(writer)) for label, image, writer in rows))
    by_writer = everything.by_writer().items()
    return {writer: drawings for writer, drawings in by_writer if len(drawings) >= LEARNED + MIN_JUDGED}


def measure(network, writers, options):
    """The figures of one network."""
    errors = {writer: 1 - score(network, drawings.dataset).accuracy for writer, drawings in writers.items()}
    worst = sorted(errors, key=lambda writer: (-errors[writer], writer))[: -(-len(writers) // 4)]
    rows = []
    for writer in worst:
        runs = [tune(network, writers, writer, seed, options) for seed in range(options.splits)]
        rows.append({"writer": writer, "drawings": len(writers[writer]), "runs": runs})
        row = {name: mean(run[name] for run in runs) for name in ("error before", "error after")}
        print(f"  {writer}: {row['error before']:.2%} to {row['error after']:.2%}", file=sys.stderr)
    runs = [run for row in rows for run in row["runs"]]
    return {
        "writers": rows,
        "median error before": median(mean(run["error before"] for run in row["runs"]) for row in rows),
        "median error after": median(mean(run["error after"] for run in row["runs"]) for row in rows),
        "MNIST before": runs[0]["MNIST before"],
        "MNIST after, mean": mean(run["MNIST after"] for run in runs),
        "MNIST after, lowest": min(run["MNIST after"] for run in runs),
        "seconds, mean": mean(run["seconds"] for run in runs),
        "seconds, longest": max(run["seconds"] for run in runs),
    }


def tune(network, writers, writer, seed, options):
    """Fine-tune on some of the writer's drawings, or of the others', and judge by the rest."""
    rng = np.random.default_rng(seed)
    judged, learned = writers[writer].split(LEARNED, rng)
    if options.others:
        others = tuple(drawing for name, drawings in writers.items() if name != writer for drawing in drawings)
        learned = Collection(others).split(LEARNED, rng)[1]
    started = process_time()
    tuning = FineTuning(network, learned, FineTuningSettings(held_back=0, seed=seed), *options.mnist)
    *_, end = tuning
    seconds = process_time() - started
    if not isinstance(end, FineTuned):
        raise engine.InklingError(f"the training on drawings by {writer} diverged")
    return {
        "error before": 1 - score(network, judged.dataset).accuracy,
        "error after": 1 - score(tuning.network, judged.dataset).accuracy,
        "judged": len(judged),
        "MNIST before": end.before.overall.accuracy,
        "MNIST after": end.after.overall.accuracy,
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a network's .npz file")
    parser.add_argument("--tuning-writers", action="store_true", help="measure on the writers for making choices")
    parser.add_argument("--others", action="store_true", help="learn from 20 drawings by other writers, for comparison")
    parser.add_argument("--splits", type=int, default=3, metavar="N", help="how often each writer's drawings are split")
    parser.add_argument("--strokes", type=Path, default=STROKES, help="a file of pen strokes")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    options = parser.parse_args()
    options.mnist = engine.load_mnist()
    writers = drawings_by_writer(options.strokes, "validation" if options.tuning_writers else "test")
    results = {path: measure(engine.load(path), writers, options) for path in options.models}
    print(f"{len(writers)} writers with at least {LEARNED + MIN_JUDGED} drawings; {options.splits} splits each")
    for path, figures in results.items():
        fall = 1 - figures["median error after"] / figures["median error before"] if figures["median error before"] else 0
        print(f"\n{path}")
        print(
            f"  median error of the {len(figures['writers'])} writers read worst: {figures['median error before']:.2%}, "
            f"then {figures['median error after']:.2%}: it falls by {fall:.0%} (target: at least 50 %)"
        )
        lost = [100 * (figures["MNIST before"] - figures[f"MNIST after, {which}"]) for which in ("mean", "lowest")]
        print(
            f"  MNIST's test images: {figures['MNIST before']:.2%} before, {figures['MNIST after, mean']:.2%} after: "
            f"it falls by {lost[0]:.2f} points (at most {lost[1]:.2f}; target: at most 0.1)"
        )
        print(
            f"  {figures['seconds, mean']:.1f} s on one core (at most {figures['seconds, longest']:.1f}; target: at most 20)"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    try:
        main()
    except engine.InklingError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
