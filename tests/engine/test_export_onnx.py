"""ONNX models, run by onnxruntime, give the probabilities of the network."""

import json
import os
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import ROOT, make_digits, need

from engine.activations import ACTIVATIONS
from engine.checkpoint import load
from engine.checks import InklingError
from engine.export_onnx import ACTIVATION_NODES, LAYER_NODES, OLDEST_OPSET, OPSET, OUTPUT_NODES, save_onnx, to_onnx
from engine.layers import LAYERS, Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.losses import OUTPUTS
from engine.network import Network, as_pixels, dense_layers

TOLERANCE = 1e-5
SHIPPED = sorted((ROOT / "pretrained").glob("*.npz"))
IMAGE = (2, 9, 11)  # channels, height, width: all different, so that swapped axes are noticed

# For each kind of layer: networks that contain it, as (layers, input_shape).
EXAMPLES = {
    "dense": [([Dense(10)], (20,)), ([Dense(7), Dense(5)], (20,))],
    "activation": [([Dense(16), Activation("tanh"), Dense(10)], (20,)), ([Activation("relu"), Flatten(), Dense(10)], IMAGE)],
    "conv2d": [
        ([Conv2D(3, kernel, stride, padding), Flatten(), Dense(10)], IMAGE)
        for kernel, stride, padding in ((1, 1, 0), (3, 1, 1), (3, 2, 0), (4, 3, 2), (5, 2, 4))
    ],
    "max_pool2d": [
        ([Conv2D(3), MaxPool2D(size, stride), Flatten(), Dense(10)], IMAGE)
        for size, stride in ((2, None), (3, None), (3, 2), (2, 3))
    ],
    "avg_pool2d": [
        ([Conv2D(3), AvgPool2D(size, stride), Flatten(), Dense(10)], IMAGE)
        for size, stride in ((2, None), (3, None), (3, 2), (2, 3))
    ],
    "flatten": [([Flatten(), Dense(10)], IMAGE), ([Flatten(), Dense(10)], (20,))],
    "batch_norm": [
        ([BatchNorm(), Dense(10)], (20,)),
        ([Dense(16), BatchNorm(epsilon=0.3, frozen=True), Dense(10)], (20,)),
        ([Conv2D(3), BatchNorm(), Flatten(), Dense(10)], IMAGE),
    ],
    "dropout": [([Dropout(0.5), Dense(10)], (20,)), ([Dropout(0.9)], (10,))],
}


@pytest.fixture(scope="module")
def run():
    """A function that runs a model (bytes) on inputs in onnxruntime."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        need("peers", f"{error.name} is not installed (tests/peers.txt)")

    def run(model, inputs):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (probabilities,) = session.run(["probabilities"], {"images": inputs})
        return probabilities

    return run


def trained(layers, input_shape=None, output="softmax", dtype=np.float32):
    """A network as after training: no parameter is 0 or 1, and no buffer has its initial value."""
    rng = np.random.default_rng(0)
    network = Network(layers, input_shape, output=output, rng=rng, dtype=dtype)
    network.parameters += rng.normal(0, 0.1, network.parameters.size)
    buffers = network.state_vector[network.parameters.size :]
    buffers[:] = rng.uniform(0.2, 3, buffers.size)
    return network


def check_agreement(run, network, count=7):
    """Compare the probabilities of the network and of its model for random inputs."""
    inputs = np.random.default_rng(1).random((count, *network.input_shape), np.float32)
    ours, theirs = network.probabilities(inputs), run(to_onnx(network), inputs)
    assert theirs.dtype == np.float32
    assert theirs.shape == ours.shape
    assert np.abs(ours - theirs).max() < TOLERANCE
    assert np.sort(ours)[:, -2].mean() > 0.02, "if one class always has probability 1, there is little to compare"


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer(kind, count, run):
    assert EXAMPLES.get(kind), f"give {kind} an example"
    for layers, input_shape in EXAMPLES[kind]:
        assert kind in {layer.kind for layer in layers}
        check_agreement(run, trained(layers, input_shape), count)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_activation(function, run):
    network = trained([Dense(40), Activation(function), Dense(10)], (20,))
    assert (network.layers[0].forward(np.ones((1, 20), np.float32)) < -0.5).any()  # negative inputs are tested, too
    check_agreement(run, network)


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output(output, run):
    check_agreement(run, trained([Dense(10)], (20,), output))


def test_normalised_outputs_without_positive_values_are_equal_probabilities(run):
    network = Network([Dense(10)], (10,), output="normalised")
    network.layers[0].W[:] = np.eye(10)
    network.layers[0].b[:] = -0.5
    inputs = np.array([[0.25] * 10, [1, 1] + [0] * 8], np.float32)
    expected = [[0.1] * 10, [0.5, 0.5] + [0] * 8]
    assert np.abs(network.probabilities(inputs) - expected).max() < TOLERANCE
    assert np.abs(run(to_onnx(network), inputs) - expected).max() < TOLERANCE


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_whole_convolutional_network(output, count, run):
    block = (BatchNorm(), Activation("gelu"), MaxPool2D())
    layers = (Conv2D(8, 5), *block, Conv2D(16, 5, padding=2), *block, Flatten(), Dense(128), Dropout(), Dense(10))
    check_agreement(run, trained(layers, output=output), count)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_networks(path, run):
    network = load(path)
    images = make_digits(50).images
    inputs = as_pixels(images).reshape(50, *network.input_shape)
    assert np.abs(network.predict_proba(images) - run(to_onnx(network), inputs)).max() < TOLERANCE


def test_a_float64_network_becomes_a_float32_model(run):
    check_agreement(run, trained([Dense(16), BatchNorm(), Activation("gelu"), Dense(10)], (20,), "normalised", np.float64))


def test_the_model_describes_itself(run):
    import onnx

    model = onnx.load_from_string(to_onnx(trained([Conv2D(3), Flatten(), Dense(10)])))
    shapes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [["batch", 1, 28, 28], ["batch", 10]]
    assert model.producer_name == "Inkling"
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert model.ir_version == 9  # of onnx 1.15, the first with this opset


def test_the_metadata_say_what_a_program_needs_to_know(run):
    import onnx

    def metadata(network):
        return {prop.key: json.loads(prop.value) for prop in onnx.load_from_string(to_onnx(network)).metadata_props}

    network = trained(dense_layers((8,)))
    network.info["threshold"] = 0.625
    digits = [str(digit) for digit in range(10)]
    assert metadata(network) == {"class_names": digits, "input_range": [0, 1], "threshold": 0.625}
    letters = Network(dense_layers((8,), classes=2), info={"class_names": ["A", "é"]})
    assert metadata(letters) == {"class_names": ["A", "é"], "input_range": [0, 1], "threshold": 0.0}


@pytest.mark.parametrize("opset", [*range(OLDEST_OPSET, OPSET + 1), 22])
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_older_or_newer_opset_gives_the_same(opset, output, run):
    layers = (Conv2D(4, 5), BatchNorm(), Activation("leaky_relu"), MaxPool2D(), AvgPool2D(), Flatten(), Dropout(), Dense(10))
    network = trained(layers, output=output)
    inputs = np.random.default_rng(1).random((3, *network.input_shape), np.float32)
    assert np.abs(network.probabilities(inputs) - run(to_onnx(network, opset), inputs)).max() < TOLERANCE


def test_an_opset_that_cannot_be_is_refused(run):
    network = trained([Dense(10), Activation("gelu"), Dense(10)], (20,))
    for opset, message in (
        (19, "opset must be 20 or newer for gelu, got 19"),
        (12, "opset must be a whole number from 13 to "),
    ):
        with pytest.raises(InklingError, match=message):
            to_onnx(network, opset)


def test_a_saved_file_has_the_same_bytes_and_replaces_the_previous_one(run, tmp_path):
    network, path = trained(dense_layers((8,))), tmp_path / "network.onnx"
    path.write_bytes(b"before")
    save_onnx(path, network)
    assert path.read_bytes() == to_onnx(network)
    assert os.listdir(tmp_path) == ["network.onnx"]


def test_every_entry_of_the_registries_has_nodes():
    assert LAYER_NODES.keys() == LAYERS.keys()
    assert ACTIVATION_NODES.keys() == ACTIVATIONS.keys()
    assert OUTPUT_NODES.keys() == OUTPUTS.keys()


def refused(path, network):
    """Check that saving fails and leaves the folder unchanged; return the error message."""
    before = {entry: entry.read_bytes() for entry in path.parent.glob("*") if entry.is_file()}
    with pytest.raises(InklingError) as caught:
        save_onnx(path, network)
    assert {entry: entry.read_bytes() for entry in path.parent.glob("*") if entry.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_the_package_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    message = refused(tmp_path / "network.onnx", trained(dense_layers((8,))))
    assert message == "an ONNX model needs the package onnx: pip install onnx"


def test_a_layer_without_nodes_is_named(run, tmp_path):
    @dataclass
    class Doubling(Dropout):
        kind = "doubling"

    assert "'doubling'" in refused(tmp_path / "network.onnx", trained([Doubling(), Dense(10)], (20,)))


def test_an_activation_without_nodes_is_named(run, tmp_path, monkeypatch):
    monkeypatch.delitem(ACTIVATION_NODES, "tanh")
    assert "'tanh'" in refused(tmp_path / "network.onnx", trained(dense_layers((8,), "tanh")))


def test_an_output_without_nodes_is_named(run, tmp_path, monkeypatch):
    monkeypatch.delitem(OUTPUT_NODES, "normalised")
    assert "'normalised'" in refused(tmp_path / "network.onnx", trained([Dense(10)], (20,), "normalised"))


def test_a_failed_save_leaves_nothing_behind(run, tmp_path):
    network = trained(dense_layers((8,)))
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "absent" / "network.onnx", tmp_path / "folder"):
        assert refused(path, network).startswith(f"{path} cannot be written: ")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_half_way_leaves_the_previous_file(step, run, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    path = tmp_path / "network.onnx"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, step, full)
    assert refused(path, trained(dense_layers((8,)))) == f"{path} cannot be written: No space left on device"
