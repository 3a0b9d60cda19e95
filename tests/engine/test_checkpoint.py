import io
import json
import tracemalloc

import numpy as np
import pytest
from examples import LAYER_EXAMPLES, READER
from helpers import make_noise

from engine.checkpoint import CheckpointError, load, load_training, save, save_training
from engine.config import Config
from engine.layers import Activation, BatchNorm, Dense
from engine.network import Network, dense_layers
from engine.training import EpochEnd, Trainer


@pytest.fixture
def network():
    return Network(dense_layers((16, 8), "tanh"), output="normalised", rng=np.random.default_rng(0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.npz"


def test_float16_halves_the_file_and_rounds_the_numbers(path):
    network = Network(dense_layers((100,)), rng=np.random.default_rng(0))
    save(path, network)
    size = path.stat().st_size
    save(path, network, dtype=np.float16)
    assert path.stat().st_size < 0.6 * size
    loaded = load(path)
    assert loaded.state_vector.dtype == np.float32
    np.testing.assert_array_equal(loaded.state_vector, network.state_vector.astype(np.float16))
    np.testing.assert_allclose(loaded.state_vector, network.state_vector, rtol=2**-10, atol=2**-24)


def test_numbers_too_large_for_float16_are_refused_and_the_file_stays(network, path):
    save(path, network)
    before = path.read_bytes()
    network.state_vector[3] = 70_000
    with pytest.raises(CheckpointError, match=r"below 65,504 to be saved as float16"):
        save(path, network, dtype=np.float16)
    assert path.read_bytes() == before


def test_round_trip_keeps_every_bit_and_the_info(network, path):
    network.state_vector[:3] = [1e-45, -0.0, 3e38]
    save(path, network, metrics={"test_accuracy": 0.98}, note="grüße")
    got = load(path)
    assert got.state_vector.tobytes() == network.state_vector.tobytes()
    assert got.state_vector.dtype == np.float32
    assert got.layers == network.layers
    assert (got.input_shape, got.output_shape, got.output) == ((784,), (10,), "normalised")
    assert got.info == {"metrics": {"test_accuracy": 0.98}, "note": "grüße"}


def test_saving_a_loaded_network_keeps_its_info_and_adds_more(network, path):
    save(path, network, a=1, b=2)
    save(path, load(path), b=3)
    assert load(path).info == {"a": 1, "b": 3}


@pytest.mark.parametrize(("layer", "input_shape"), [row for rows in LAYER_EXAMPLES.values() for row in rows], ids=str)
def test_every_layer_is_loaded_with_all_its_arrays(layer, input_shape, path):
    rng = np.random.default_rng(1)
    network = Network((layer,), input_shape, rng=rng)
    network.state_vector[:] = rng.uniform(0.5, 2, network.state_vector.size)  # parameters and buffers
    x = rng.random((5, *input_shape), np.float32)
    save(path, network)
    got = load(path)
    assert got.layers == [layer]
    assert got.input_shape == input_shape
    np.testing.assert_array_equal(got.state_vector, network.state_vector)
    np.testing.assert_array_equal(got.forward(x), network.forward(x))


def test_the_buffers_of_batch_norm_are_saved(path):
    network = Network(READER, rng=np.random.default_rng(0))
    for layer in network.layers:
        layer.rng = np.random.default_rng(1)
    images = np.random.default_rng(2).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    fresh = network.predict_proba(images)
    network.forward(network.as_input(images), training=True)
    save(path, network)
    got = load(path)
    assert got.layers == network.layers
    assert got.input_shape == (1, 28, 28)
    assert (got.layers[1].mean != 0).all()
    assert (got.layers[1].variance != 1).all()
    np.testing.assert_array_equal(got.predict_proba(images), network.predict_proba(images))
    assert np.abs(got.predict_proba(images) - fresh).max() > 1e-3


def test_a_loaded_network_can_be_trained(network, path):
    save(path, network)
    got = load(path)
    got.forward(np.ones((2, 784), np.float32), training=True)
    got.backward(np.ones((2, 10), np.float32))
    assert got.gradients.any()


def test_an_open_file_and_a_string_can_be_loaded(network, path):
    save(str(path), network)
    for source in (str(path), io.BytesIO(path.read_bytes()), open(path, "rb")):  # noqa: SIM115
        assert load(source).state_vector.tobytes() == network.state_vector.tobytes()


# --- plain files of W1, b1, W2, b2 ---


def plain(rng, hidden=12, dtype=np.float32):
    arrays = {
        "W1": rng.normal(size=(784, hidden)),
        "b1": rng.normal(size=hidden),
        "W2": rng.normal(size=(hidden, 10)),
        "b2": rng.normal(size=10),
    }
    return {name: array.astype(dtype) for name, array in arrays.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("bias_shape", [(-1,), (1, -1), (-1, 1)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("fortran", [False, True])
def test_plain_files_compute_the_right_outputs(path, dtype, bias_shape, transposed, fortran):
    arrays = plain(np.random.default_rng(2), dtype=dtype)
    x = np.random.default_rng(3).random((5, 784))
    hidden = np.maximum(x @ arrays["W1"].astype(float) + arrays["b1"], 0)
    logits = hidden @ arrays["W2"].astype(float) + arrays["b2"]
    stored = {name: array.T if transposed and name[0] == "W" else array for name, array in arrays.items()}
    stored = {name: array.reshape(bias_shape) if name[0] == "b" else array for name, array in stored.items()}
    np.savez(path, **{name: np.array(array, order="F" if fortran else "C") for name, array in stored.items()})
    got = load(path)
    assert got.state_vector.dtype == np.float32
    np.testing.assert_allclose(got.forward(x.astype(np.float32)), logits, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("layers", [1, 3])
def test_plain_files_of_other_depths(path, layers):
    rng = np.random.default_rng(4)
    sizes = [784, 9, 9, 10] if layers == 3 else [784, 10]
    arrays, x = {}, rng.random((4, 784))
    y = x
    for i in range(1, layers + 1):
        arrays[f"W{i}"], arrays[f"b{i}"] = rng.normal(size=(sizes[i - 1], sizes[i])), rng.normal(size=sizes[i])
        y = y @ arrays[f"W{i}"] + arrays[f"b{i}"]
        y = np.maximum(y, 0) if i < layers else y
    np.savez(path, **arrays)
    np.testing.assert_allclose(load(path).forward(x.astype(np.float32)), y, rtol=1e-3, atol=1e-3)


# --- writing ---


def test_a_failure_in_the_middle_leaves_the_old_file(network, path, monkeypatch):
    save(path, network)
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(CheckpointError) as caught:
        save(path, network.copy())
    assert str(path) in str(caught.value)
    assert "No space left" in str(caught.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_interruption_in_the_middle_leaves_the_old_file(network, path, monkeypatch):
    save(path, network)
    before = path.read_bytes()

    def interrupted(file, **arrays):
        file.write(b"half of")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(path, network)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_paths_that_cannot_be_written_are_refused_in_one_line(network, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "no" / "network.npz", tmp_path / "folder", tmp_path / "file" / "network.npz", "/", "", "."):
        with pytest.raises(CheckpointError) as caught:
            save(place, network)
        assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


# --- outputs that overflow ---


def spoiled(layers, position, name, value):
    """A network in which one array has this value everywhere."""
    network = Network(layers, rng=np.random.default_rng(0))
    getattr(network.layers[position], name)[:] = value
    return network


@pytest.mark.parametrize(
    "network",
    [
        spoiled(dense_layers((8,)), 0, "W", 3e38),  # for a full image
        spoiled((Dense(8), Dense(8), Dense(10)), 0, "b", 3e38),  # for a blank image, and infinity - infinity is NaN
        spoiled((Dense(10), BatchNorm()), 1, "variance", -1),
        spoiled((Dense(10), Activation("relu"), Dense(10)), 2, "b", 1e20),  # the squared error overflows
    ],
    ids=["full", "blank", "variance", "loss"],
)
def test_a_network_whose_outputs_overflow_is_refused(network, path):
    save(path, network)
    with pytest.raises(
        CheckpointError, match=r"outputs for a blank and a full image must be below .* learning rate"
    ) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_plain_file_whose_outputs_overflow_is_refused(path):
    np.savez(path, **(plain(np.random.default_rng(5)) | {"W1": np.full((784, 12), 1e38)}))
    with pytest.raises(CheckpointError, match="outputs for a blank and a full image"):
        load(path)


# --- limits of paused trainings; more in training/ ---


@pytest.fixture
def trainer():
    trainer = Trainer.from_config(Config(layers=dense_layers((8,)), batch_size=16, patience=3), make_noise(100))
    for _ in range(8):
        next(trainer)
    return trainer


def saved_with(trainer, **changes):
    """A paused training as a file in which some arrays are replaced."""
    file, other = io.BytesIO(), io.BytesIO()
    save_training(file, trainer)
    np.savez_compressed(other, **(dict(np.load(io.BytesIO(file.getvalue()))) | changes))
    return other


def changed_header(trainer, **changes):
    file = io.BytesIO()
    save_training(file, trainer)
    header = json.loads(np.load(io.BytesIO(file.getvalue()))["header"].tobytes()) | changes
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": np.zeros(5_000_000, np.float32)}, r"values must be 6,370 numbers .* \(5000000,\)"),
        ({"values": np.zeros(6_370)}, "values must be numbers of the type f4, got float64"),
        ({"last_finite": np.zeros(6_371, np.float32)}, "last_finite must be 6,370 numbers"),
        ({"best_values": np.zeros(5_000_000, np.float32)}, "best_values must be 6,370 numbers"),
        ({"optimizer.sum": np.zeros((1, 6_370), np.float32)}, "optimizer.sum must be 6,370 numbers"),
        ({"order": np.zeros(5_000_000, np.uint32)}, "order must be"),
        ({"order": np.arange(90, dtype=np.uint64)}, "order must be numbers of the type u4"),
        ({"curve": np.zeros((1_250_000, 4))}, "curve must have at most 12,800 bytes"),
        ({"header": np.zeros(20_000_001, np.uint8)}, "header must have at most 20,000,000 bytes"),
    ],
    ids=range(9),
)
def test_each_array_of_a_training_is_judged_before_it_is_unpacked(trainer, changes, words):
    file = saved_with(trainer, **changes)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=words):
        load_training(file, make_noise(100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_other_arrays_in_a_training_are_not_read(trainer):
    assert load_training(saved_with(trainer, more=np.zeros(3)), make_noise(100)).step == trainer.step


def test_the_network_of_a_training_must_be_that_of_its_configuration(trainer):
    layers = [{"layer": "dense", "units": 60_000}, {"layer": "dense", "units": 10}]
    with pytest.raises(CheckpointError, match="the layers in its configuration"):
        load_training(saved_with(trainer, header=changed_header(trainer, layers=layers)), make_noise(100))


def test_a_training_that_takes_more_memory_than_there_is_is_refused(trainer, monkeypatch):
    file = saved_with(trainer)
    monkeypatch.setattr("engine.config.available_memory", lambda: 100e3)
    with pytest.raises(CheckpointError, match=r"this training needs about \d+ MB of memory, and 0 MB are available"):
        load_training(file, make_noise(100))


def test_the_history_of_100_000_epochs_has_room_in_a_file():
    trainer = Trainer.from_config(Config(layers=dense_layers((2,)), batch_size=None, epochs=100_000), make_noise(20))
    next(trainer)
    for epoch, row in enumerate(np.random.default_rng(0).random((100_000, 8)).tolist(), 1):
        trainer.history.append(EpochEnd(epoch, 100_000 * epoch, *row[:4], 1e6 * row[4], 1e6 * row[5]))
    trainer.epoch, file = 100_000, io.BytesIO()
    save_training(file, trainer)
    assert np.load(io.BytesIO(file.getvalue()))["header"].size > 14e6
    np.testing.assert_array_equal(load(file).state_vector, trainer.network.state_vector)  # the same limits as a training


def test_an_info_that_could_not_be_loaded_is_not_saved(network, path):
    with pytest.raises(CheckpointError, match="header, with the info and the history, must have at most 20,000,000 bytes"):
        save(path, network, note="x" * 20_000_000)
    with pytest.raises(CheckpointError, match="header, with the info and the history, must have at most"):
        save(path, network, note=[0] * 1_300_000)
    assert not path.exists()
