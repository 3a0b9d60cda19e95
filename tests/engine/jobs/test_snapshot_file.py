"""Snapshots as bytes and back: everything a viewer saw, for every kind of training, and nothing from a hostile file."""

import io
import json
import tracemalloc
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
from helpers import make_digits, make_noise
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoint import CheckpointError, save
from engine.config import Config
from engine.data import Dataset
from engine.jobs import JobState, Snapshot
from engine.jobs.health import LayerHealth, Problem
from engine.jobs.observer import Observer
from engine.jobs.snapshot_file import from_bytes, to_bytes
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten
from engine.metrics import evaluate
from engine.network import Network, dense_layers
from engine.training import Diverged, Finished, Trainer

TRAIN, TEST = make_digits(200), make_digits(60, 3)
SMALL = Config(layers=dense_layers((6,)), epochs=3, batch_size=20, validation_size=40)
MAX_MEMORY = 10e6  # bytes


def train(
    config=SMALL, steps=10_000, train_set=TRAIN, test_set: Dataset | None = TEST, follow=True, changes=None
) -> Snapshot:
    """The snapshot after so many steps, with all that an observer records; of the end if the training is over by then."""
    trainer = Trainer.from_config(config, train_set)
    observer = Observer(trainer.result, test_set)
    observer.follow(TEST.images[0] / 255 if follow else None)
    end, state = None, JobState.RUNNING
    while trainer.step < steps and not trainer.is_over:
        trainer.keep_gradient = True
        if changes and trainer.step == 5 and not trainer.changes:
            trainer.change(**changes)
        end = next(trainer, None)
        observer.look(trainer, trainer.result)
        observer.record(trainer)
        if type(end).__name__ == "EpochEnd":
            observer.record_epoch(trainer)
    network = trainer.result.copy()
    if trainer.is_over:
        state = JobState.DIVERGED if isinstance(end, Diverged) else JobState.FINISHED
    snapshot = Snapshot.of(trainer, state, network, observer)
    test = evaluate(network, test_set, trainer.loss) if test_set and trainer.is_over else None
    return replace(snapshot, end=end if isinstance(end, Finished | Diverged) else None, test=test)


def assert_same(one, other):
    """Whether two snapshots are equal in everything that a viewer can see."""
    for field in fields(Snapshot):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "network":
            assert (a.layers, a.input_shape, a.output, a.info) == (b.layers, b.input_shape, b.output, b.info)
            np.testing.assert_array_equal(a.state_vector, b.state_vector)
            assert a.state_vector.dtype == b.state_vector.dtype
        elif field.name in ("test", "samples"):
            assert (a is None) == (b is None)
            for name in vars(a) if field.name == "test" and a else getattr(a, "_fields", ()):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        elif field.name == "confusions":
            assert [epoch for epoch, _ in a] == [epoch for epoch, _ in b]
            np.testing.assert_array_equal([matrix for _, matrix in a], [matrix for _, matrix in b])
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        elif field.name == "health":
            np.testing.assert_equal([tuple(layer) for layer in a], [tuple(layer) for layer in b])  # NaN is equal to NaN
        elif field.name == "end" and a is not None:
            assert type(a) is type(b)
            np.testing.assert_equal(tuple(a), tuple(b))
        else:
            assert a == b, field.name
            assert type(a) is type(b) or field.name == "seconds_left"


UNSTABLE = {
    "optimizer": "sgd",
    "loss": "mse",
    "learning_rate": 10.0,
    "layers": (Dense(6), Activation("identity"), Dense(10)),
}
KINDS = {
    "before the start": lambda: Snapshot.before_start(SMALL, Network(SMALL.layers, rng=np.random.default_rng(0))),
    "after one step": lambda: train(steps=1),
    "in the second epoch": lambda: train(steps=12),
    "paused": lambda: replace(train(steps=12), state=JobState.PAUSED, seconds_left=None),
    "finished": train,
    "of several batches a step": lambda: train(replace(SMALL, batch_size=None)),
    "stopped early": lambda: train(replace(SMALL, epochs=40, patience=1, learning_rate=0.1)),
    "averaged": lambda: train(replace(SMALL, ema_decay=0.9)),
    "diverged": lambda: train(replace(SMALL, **UNSTABLE)),
    "diverged with deep layers": lambda: train(replace(SMALL, **UNSTABLE | {"layers": dense_layers((20, 20, 20, 20))})),
    "changed": lambda: train(changes={"learning_rate": 0.5, "batch_size": 7}),
    "without validation": lambda: train(replace(SMALL, validation_size=0)),
    "without a test set": lambda: train(test_set=None),
    "without an image to follow": lambda: train(follow=False),
    "with a test set of one class": lambda: train(test_set=Dataset(TEST.images[:5], np.full(5, 3, np.uint8))),
    "on noise, with any layer": lambda: train(
        replace(SMALL, layers=(Conv2D(2, 5, 3), BatchNorm(frozen=True), Flatten(), Dropout(0.2), Dense(10)), epochs=1),
        train_set=make_noise(100),
    ),
    "failed": lambda: replace(train(steps=3), state=JobState.FAILED, error="ValueError: a `strange` <b>error</b> — ∞"),
    "of 60 epochs": lambda: train(replace(SMALL, epochs=60, batch_size=160)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_is_read_back_with_everything_that_a_viewer_saw(kind):
    snapshot = KINDS[kind]()
    assert_same(from_bytes(to_bytes(snapshot)), snapshot)


def test_the_kinds_above_are_what_their_names_say():
    diverged, changed, long = (KINDS[kind]() for kind in ("diverged", "changed", "of 60 epochs"))
    assert diverged.state is JobState.DIVERGED
    assert isinstance(diverged.end, Diverged)
    assert changed.changes
    assert changed.health
    assert changed.samples
    assert len(changed.followed) > 1
    assert 25 <= len(long.confusions) <= 50
    assert KINDS["stopped early"]().end.stopped_early


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_a_network_that_has_exploded_is_read_back(number):
    """It is shown as it is, and may still be a moment away from its divergence."""
    snapshot = train(steps=3)
    snapshot.network.state_vector[5:20] = number
    assert_same(from_bytes(to_bytes(snapshot)), snapshot)


numbers = st.floats(0, 1e14)
any_float = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None, max_examples=60)
@given(
    state=st.sampled_from(JobState),
    epoch=st.integers(1, 2**53),
    step=st.integers(0, 2**53),
    progress=st.floats(0, 1),
    samples_per_second=numbers,
    seconds=numbers,
    seconds_left=st.none() | numbers,
    health=st.lists(
        st.builds(
            LayerHealth, st.integers(0, 99), st.just("Dense"), any_float, any_float, st.sampled_from(Problem), st.just("d")
        ),
        max_size=3,
    ).map(tuple),
    end=st.none()
    | st.builds(Diverged, st.integers(1, 9), st.integers(0, 9), any_float, numbers)
    | st.builds(
        Finished, st.integers(1, 9), st.integers(0, 9), st.booleans(), st.none() | st.integers(1, 9), numbers, numbers
    ),
    error=st.none() | st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=50),
)
def test_any_values_are_read_back(**values):
    snapshot = replace(KINDS["before the start"](), **values)
    assert_same(from_bytes(to_bytes(snapshot)), snapshot)


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_header(content, change):
    """The file with its header changed by ``change``, which may return another one."""
    members = members_of(content)
    header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
    header = change(header) or header
    members["header.npy"] = as_npy(np.frombuffer(json.dumps(header).encode(), np.uint8))
    return archive_of(members)


def assert_refused(content, *words):
    tracemalloc.start()
    with pytest.raises(CheckpointError) as caught:
        from_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    message = str(caught.value)
    assert peak < MAX_MEMORY
    assert "\n" not in message
    assert len(message) < 700
    assert all(word in message for word in words)


@pytest.fixture(scope="module")
def whole():
    """The file of a training that is over, with everything in it."""
    return to_bytes(train(changes={"learning_rate": 0.5}))


def network_file():
    file = io.BytesIO()
    save(file, Network(dense_layers((3,))))
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken", network_file()])
def test_other_files_are_refused(content):
    assert_refused(content, "snapshot")


def test_a_file_that_ends_too_early_or_lacks_a_part_is_refused(whole):
    for length in range(0, len(whole), len(whole) // 20):
        assert_refused(whole[:length])
    for name in members_of(whole).keys() - {"images.npy"}:  # without images there are no samples
        members = members_of(whole)
        del members[name]
        assert_refused(archive_of(members))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "strange"),
        ("config", {"epochs": -1}),
        ("config", None),
        ("epoch", 0),
        ("step", -1),
        ("step", 10**400),
        ("progress", 1.5),
        ("progress", float("nan")),
        ("seconds", float("inf")),
        ("seconds_left", -1),
        ("samples_per_second", "fast"),
        ("changes", [[1, 1.0, {"layers": []}]]),
        ("changes", [[1, float("inf"), {"learning_rate": 1}]]),
        ("changes", [{}] * 30_000),
        ("health", [[0, "Dense", "a", 1, "", ""]]),
        ("health", [[0, "Dense", 1, 1, "strange", ""]]),
        ("health", 5),
        ("confusion_epochs", [1, 2, 3, 4]),
        ("confusion_epochs", list(range(1, 100))),
        ("confusion_epochs", [1] * 200_000),
        ("end", ["Finished", [1]]),
        ("end", ["Strange", [1, 2, 3, 4]]),
        ("test", [0.1, 2.0, 1, 60]),
        ("test", [0.1, 0.9, 1, 10**9]),
        ("test", [0.1, 0.9, 70, 60]),
    ],
)
def test_a_wrong_value_is_refused(whole, name, value):
    assert_refused(with_header(whole, lambda header: header["snapshot"].update({name: value})))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("curve", np.zeros((401, 4))),
        ("curve", np.zeros((3, 5))),
        ("curve", np.full((3, 4), np.nan)),
        ("curve", np.zeros((2, 4), np.float32)),
        ("history", np.zeros((4, 8))),  # of 3 epochs
        ("history", np.full((1, 8), np.inf)),
        ("history", np.full((1, 8), np.nan)),
        ("followed", np.zeros((3, 11))),
        ("followed", np.full((3, 12), np.inf)),
        ("confusions", np.zeros((3, 9, 10), np.uint32)),
        ("confusions", np.zeros((3, 10, 10), np.int64)),
        ("images", np.zeros((12, 28, 27), np.uint8)),
        ("labels", np.zeros(13, np.uint8)),
        ("labels", np.zeros((), np.uint8)),
        ("probabilities", np.zeros((12, 9), np.float32)),
        ("test_confusion", np.zeros((3, 3), np.uint32)),
        ("test_probabilities", np.zeros((61, 10), np.float32)),
        ("values", np.zeros(5, np.float32)),
        ("values", np.array(["text"])),
    ],
)
def test_an_array_of_the_wrong_kind_is_refused(whole, name, array):
    assert_refused(archive_of(members_of(whole) | {f"{name}.npy": as_npy(array)}))


@pytest.mark.parametrize("name", ["curve", "followed", "images", "test_probabilities", "values", "history"])
def test_an_array_that_announces_gigabytes_is_refused_before_it_is_read(whole, name):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 4)})
    content = archive_of(members_of(whole) | {f"{name}.npy": header.getvalue() + bytes(5_000_000)})
    assert_refused(content)


def test_a_huge_network_is_refused_before_it_is_made(whole):
    layers = [{"layer": "dense", "units": 50_000}, {"layer": "dense", "units": 50_000}]
    assert_refused(with_header(whole, lambda header: header.update(layers=layers)))


def test_text_is_shortened_to_a_line(whole):
    snapshot = from_bytes(with_header(whole, lambda header: header["snapshot"].update(error="a\nb " * 10_000)))
    assert snapshot.error is not None
    assert snapshot.error.startswith("a b a b")
    assert len(snapshot.error) <= 500
