import numpy as np
import pytest
from examples import READER
from helpers import make_digits

from engine.checks import InklingError
from engine.layer_outputs import activity, strongest_units, units
from engine.layers import Activation, BatchNorm, Dense, Dropout
from engine.network import Network, dense_layers

IMAGE = make_digits(3, 5).images[2] / np.float32(255)


def make_network(layers, dtype=np.float32):
    """A network without zeros, as after training."""
    rng = np.random.default_rng(3)
    network = Network(layers, rng=rng, dtype=dtype)
    network.state_vector[:] += rng.normal(0, 0.05, network.state_vector.size)
    return network


@pytest.mark.parametrize("layers", [dense_layers((30, 20)), READER], ids=["dense", "convolutional"])
def test_every_layer_has_its_output_in_order(layers):
    network = make_network(layers)
    outputs = activity(network, IMAGE)
    assert [output.name for output in outputs] == [layer.kind for layer in network.layers]
    shape = network.input_shape
    for layer, output in zip(network.layers, outputs, strict=True):
        shape = layer.output_shape(shape)
        assert output.shape == output.values.shape == shape
    np.testing.assert_array_equal(outputs[-1].values, network.forward(network.as_input(IMAGE[None]))[0])


def test_feature_maps_are_sums_over_windows():
    network = make_network(READER)
    first = network.layers[0]
    maps = activity(network, IMAGE)[0].values
    for channel, row, column in [(0, 0, 0), (3, 5, 7), (2, 11, 11)]:
        window = IMAGE[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]  # kernel 5, stride 2
        expected = (window * first.W[channel, 0]).sum() + first.b[channel]
        assert maps[channel, row, column] == pytest.approx(expected, rel=1e-4)


def test_the_strongest_units_come_first_with_their_incoming_weights():
    network = make_network(dense_layers((30, 20)))
    dense, relu = (strongest_units(network, IMAGE, position, count=5) for position in (0, 1))
    values = IMAGE.ravel() @ network.layers[0].W + network.layers[0].b
    assert [unit.index for unit in dense] == [unit.index for unit in relu] == np.argsort(-values)[:5].tolist()
    for unit in (*dense, *relu):
        assert unit.value == pytest.approx(values[unit.index], rel=1e-4)
        np.testing.assert_allclose(unit.weights.ravel(), network.layers[0].W[:, unit.index], rtol=1e-5)


def test_a_unit_at_zero_has_zero_weights():
    network = make_network(dense_layers((30,)))
    inactive = [unit for unit in strongest_units(network, IMAGE, 1, count=30) if unit.value == 0]
    assert inactive
    assert not any(unit.weights.any() for unit in inactive)


@pytest.mark.parametrize(
    "layers",
    [READER, (Dense(24), BatchNorm(), Activation("gelu"), Dropout(0.4), Dense(12), Activation("tanh"), Dense(10))],
    ids=["convolutional", "dense"],
)
def test_weights_in_later_layers_agree_with_finite_differences(layers):
    network = make_network(layers, np.float64)
    rng = np.random.default_rng(4)
    image = rng.random((28, 28))  # no two equal pixels, where pooling has a kink
    for position in range(len(layers)):
        if activity(network, image)[position].values.ndim != 1:
            continue
        for unit in strongest_units(network, image, position, count=3):
            direction = rng.normal(size=(28, 28))
            high, low = (activity(network, image + step * direction)[position].values[unit.index] for step in (1e-6, -1e-6))
            assert (high - low) / 2e-6 == pytest.approx((unit.weights * direction).sum(), rel=1e-4, abs=1e-6)


def test_small_layers_give_fewer_units():
    network = make_network(dense_layers((3,)))
    assert len(strongest_units(network, IMAGE, 0)) == 3
    assert len(strongest_units(network, IMAGE, 2)) == 8


def test_a_network_in_use_does_not_change():
    network = make_network(READER)
    before = network.state_vector.tobytes(), [set(vars(layer)) for layer in network.layers]
    activity(network, IMAGE)
    strongest_units(network, IMAGE, len(READER) - 1)
    assert (network.state_vector.tobytes(), [set(vars(layer)) for layer in network.layers]) == before


def test_feature_maps_have_no_units_to_rank():
    network = make_network(READER)
    with pytest.raises(InklingError, match=r"got layer 1 with feature maps of shape \(4, 12, 12\)"):
        strongest_units(network, IMAGE, 0)
    for position in (-1, len(READER), 1.5):
        with pytest.raises(InklingError, match="position must be"):
            strongest_units(network, IMAGE, position)


def test_the_pixels_of_feature_maps_are_units():
    network = make_network(READER, np.float64)
    values = activity(network, IMAGE)[0].values
    chosen = [0, 200, values.size - 1]
    for unit, index in zip(units(network, IMAGE, 0, chosen), chosen, strict=True):
        assert (unit.index, unit.value) == (index, values.flat[index])
        channel, row, column = np.unravel_index(index, values.shape)
        window = unit.weights[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]  # kernel 5, stride 2
        np.testing.assert_allclose(window, network.layers[0].W[channel, 0])
        assert np.count_nonzero(unit.weights) == np.count_nonzero(window)
    for index in (-1, values.size):
        with pytest.raises(InklingError, match="index must be"):
            units(network, IMAGE, 0, [index])
