"""A ``Snapshot`` as bytes and back, so that what viewers saw of a training can be stored."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.archive import Archive, one_line_errors, read_header, write_archive
from engine.checkpoint import architecture, empty_network
from engine.checks import InklingError, check_integer, check_number, shorten
from engine.config import Config
from engine.jobs.health import LayerHealth, Problem
from engine.jobs.observer import NUM_SAMPLES, SamplePredictions
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.metrics import Evaluation
from engine.training import Change, Diverged, EpochEnd, Finished
from engine.training.history import History

MAX_POINTS = 400  # of a curve
MAX_CONFUSIONS = 50
MAX_TEST_IMAGES = 1_000_000
MAX_CLASSES = 1_000
MAX_ERROR = 500  # characters


def to_bytes(snapshot: Snapshot) -> bytes:
    """The snapshot as the bytes of an ``.npz`` file."""
    values = {
        "state": snapshot.state,
        "config": snapshot.config.to_json(),
        "epoch": snapshot.epoch,
        "step": snapshot.step,
        "progress": snapshot.progress,
        "changes": snapshot.changes,
        "health": snapshot.health,
        "confusion_epochs": [epoch for epoch, _ in snapshot.confusions],
        "end": snapshot.end and [type(snapshot.end).__name__, snapshot.end],
        "samples_per_second": snapshot.samples_per_second,
        "seconds": snapshot.seconds,
        "seconds_left": snapshot.seconds_left,
        "error": snapshot.error,
    }
    arrays = {
        "values": snapshot.network.state_vector,
        "curve": snapshot.curve,
        "history": np.array(list(snapshot.history), float).reshape(-1, len(EpochEnd._fields)),
        "followed": snapshot.followed,
    }
    if snapshot.confusions:
        arrays["confusions"] = np.array([confusion for _, confusion in snapshot.confusions], np.uint32)
    if snapshot.samples:
        samples = snapshot.samples
        arrays |= {"images": samples.images, "labels": samples.labels, "probabilities": samples.probabilities}
    if test := snapshot.test:
        values["test"] = [test.loss, test.accuracy, test.errors, test.images]
        arrays |= {"test_confusion": test.confusion.astype(np.uint32), "test_probabilities": test.probabilities}
    file = BytesIO()
    header = architecture(snapshot.network) | {"info": snapshot.network.info, "snapshot": values}
    write_archive(file, header, arrays, compress=False)
    return file.getvalue()


def from_bytes(content: bytes) -> Snapshot:
    """The snapshot that ``to_bytes`` wrote; raises ``CheckpointError`` for anything else."""
    with one_line_errors(BytesIO(content), "snapshot"), Archive(BytesIO(content)) as archive:
        header = read_header(archive)
        values = header["snapshot"]
        network = empty_network(header)
        (classes,) = network.output_shape
        check_integer("classes", classes, 1, MAX_CLASSES)
        network.state_vector[:] = _array(
            archive, "values", "f4", network.state_vector.shape
        )  # NaN, too: it may be exploding
        state = JobState(values["state"])
        config = Config.from_json(values["config"])
        check_integer("confusion matrices", len(values["confusion_epochs"]), 0, MAX_CONFUSIONS)
        epochs = [check_integer("epoch of a confusion matrix", epoch, 1, 2**53) for epoch in values["confusion_epochs"]]
        confusions = _array(archive, "confusions", "u4", (len(epochs), classes, classes)) if epochs else ()
        return Snapshot(
            state=state,
            network=network,
            config=config,
            epoch=check_integer("epoch", values["epoch"], 1, 2**53),
            step=check_integer("step", values["step"], 0, 2**53),
            progress=check_number("progress", values["progress"], 0, 1),
            curve=_rows(archive, "curve", MAX_POINTS, 4),
            history=_history(_rows(archive, "history", config.epochs, len(EpochEnd._fields), finite=False)),
            changes=tuple(_change(config, *change) for change in values["changes"]),
            health=tuple(_health(*layer) for layer in values["health"]),
            samples=_samples(archive, classes) if "images" in archive else None,
            followed=_rows(archive, "followed", MAX_POINTS, 2 + classes),
            confusions=tuple(zip(epochs, confusions, strict=True)),
            end=_end(*values["end"]) if values["end"] else None,
            test=_test(archive, values["test"], classes) if "test" in values else None,
            samples_per_second=check_number("samples_per_second", values["samples_per_second"], 0, 1e15),
            seconds=check_number("seconds", values["seconds"], 0, 1e15),
            seconds_left=None if values["seconds_left"] is None else check_number("left", values["seconds_left"], 0, 1e15),
            error=None if values["error"] is None else shorten(values["error"], MAX_ERROR),
        )


def _array(archive: Archive, name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    archive.expect(name, [dtype], shape)
    return archive[name]


def _rows(archive: Archive, name: str, limit: int, columns: int, finite: bool = True) -> npt.NDArray[np.float64]:
    """At most ``limit`` rows of numbers."""
    archive.expect(name, ["f8"], max_bytes=8 * limit * columns)
    rows = archive[name]
    if rows.ndim != 2 or rows.shape[1] != columns or len(rows) > limit or (finite and not np.isfinite(rows).all()):
        raise InklingError(f"{name} must be at most {limit:,} rows of {columns} finite numbers, got {rows.shape}")
    return rows


def _history(rows: npt.NDArray[np.float64]) -> History:
    optional = [position for position, name in enumerate(EpochEnd._fields) if name.startswith("validation")]
    if np.isinf(rows).any() or np.isnan(np.delete(rows, optional, axis=1)).any():
        raise InklingError("history must be finite numbers, got NaN or infinity")
    return History(EpochEnd, map(tuple, rows))


def _change(config: Config, step: Any, epoch: Any, values: Mapping[str, Any]) -> Change:
    config.changed(**values)
    return Change(check_integer("step", step, 0, 2**53), check_number("epoch", epoch, 0, config.epochs), dict(values))


def _health(position: Any, label: Any, gradient: Any, ratio: Any, problem: Any, details: Any) -> LayerHealth:
    numbers = (float(gradient), float(ratio))  # which may be infinite or NaN: that is what they are for
    return LayerHealth(
        check_integer("layer", position, 0, 1_000),
        shorten(label, 100),
        *numbers,
        Problem(problem),
        shorten(details, MAX_ERROR),
    )


def _samples(archive: Archive, classes: int) -> SamplePredictions:
    number = archive.describe("labels")[0][0]
    check_integer("samples", number, 0, NUM_SAMPLES)
    images = _array(archive, "images", "u1", (number, 28, 28))
    labels = _array(archive, "labels", "u1", (number,))
    return SamplePredictions(images, labels, _array(archive, "probabilities", "f4", (number, classes)))


def _end(kind: Any, fields: Any) -> Finished | Diverged:
    if kind == "Diverged":
        epoch, step, loss, seconds = fields
        return Diverged(int(epoch), int(step), float(loss), float(seconds))
    epoch, step, stopped_early, best_epoch, speed, seconds = fields
    best_epoch = None if best_epoch is None else int(best_epoch)
    return Finished(int(epoch), int(step), bool(stopped_early), best_epoch, float(speed), float(seconds))


def _test(archive: Archive, numbers: Any, classes: int) -> Evaluation:
    loss, accuracy, errors, images = numbers
    check_integer("images", images, 0, MAX_TEST_IMAGES)
    return Evaluation(
        float(loss),  # NaN and infinity, after a divergence
        check_number("accuracy", accuracy, 0, 1),
        check_integer("errors", errors, 0, images),
        images,
        _array(archive, "test_confusion", "u4", (classes, classes)).astype(np.int64),
        _array(archive, "test_probabilities", "f4", (images, classes)),
    )
