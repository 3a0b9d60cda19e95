import io

import numpy as np
import pytest
from examples import LAYER_EXAMPLES, READER

from engine.checkpoint import CheckpointError, load, save
from engine.network import Network, dense_layers


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
