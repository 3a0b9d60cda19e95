import pytest
from examples import LAYER_EXAMPLES, filled, windows_by_hand


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("layer", "input_shape"), LAYER_EXAMPLES["conv2d"], ids=str)
def test_convolution_is_the_sum_over_each_window(layer, input_shape, training):
    network, x, _ = filled((layer,), input_shape)
    bound = network.layers[0]
    y = network.forward(x, training)
    assert y.shape[2:] == tuple((size + 2 * layer.padding - layer.kernel) // layer.stride + 1 for size in input_shape[1:])
    for n, row, column, window in windows_by_hand(x, layer.kernel, layer.stride, layer.padding):
        for k in range(layer.filters):
            assert y[n, k, row, column] == pytest.approx((window * bound.W[k]).sum() + bound.b[k], rel=1e-12)
