"""Attribution: which pixels of an image count for a class, from gradients of the network's raw outputs by its input.

The network is used as outside training (batch normalisation by its running statistics, no dropout), and does not change.
"""

import numpy as np
import numpy.typing as npt

from engine.checks import check_integer
from engine.layers import Dropout
from engine.network import Network

STEPS, MAX_STEPS = 48, 500  # on the path from a blank image; tripled until the sum is accurate enough
TOLERANCE = 0.01  # of the change in the output
MIN_SCALE = 0.1  # if pixels cancel out, the tolerance refers to this fraction of the sum of all absolute values
MAX_BATCH = 48  # images; larger batches do not fit into the processor's cache


def gradient_times_input(network: Network, image: npt.ArrayLike, target: int) -> npt.NDArray:
    """For each pixel of an image (28, 28) in [0, 1]: its brightness times the gradient of the output for class ``target``.

    It is fast, and shows the effect of a small change of a pixel. The sum of the map has no meaning.
    """
    inputs = network.as_input(np.asarray(image)[None])
    gradients = input_gradients(differentiable(network), inputs, _class_weights(network, (target, 1)))
    return (gradients * inputs).reshape(np.shape(image))


def integrated_gradients(network: Network, image: npt.ArrayLike, target: int, steps: int = STEPS) -> npt.NDArray:
    """How much each pixel of an image (28, 28) in [0, 1] adds to the output for class ``target``, (28, 28).

    The gradient is averaged over images on the straight line from a blank image to this one. The map then sums to the
    difference of the outputs for both (Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", 2017). It is
    accurate to 1 % of that difference or, if pixels cancel out, of a tenth of the sum of absolute values. ``steps`` is the
    number of images to begin with; up to 500 are used if the accuracy needs them.
    """
    return _integrated(network, image, _class_weights(network, (target, 1)), steps)


def contrast(network: Network, image: npt.ArrayLike, target: int, other: int, steps: int = STEPS) -> npt.NDArray:
    """How much each pixel counts for class ``target`` and against class ``other``, (28, 28).

    These are the integrated gradients of the difference of the two outputs: negative for pixels that count for ``other``.
    """
    return _integrated(network, image, _class_weights(network, (target, 1), (other, -1)), steps)


def missing(network: Network, image: npt.ArrayLike, target: int, other: int) -> npt.NDArray:
    """How much more ink on each pixel would move the prediction from class ``target`` towards ``other``, (28, 28) from 0.

    The gradient of the difference of the two outputs is averaged over 3 x 3 pixels, because a pen marks more than one, and
    multiplied by how much darker the pixel can become ("pertinent negatives"; Dhurandhar et al., "Explanations based on
    the missing", 2018).
    """
    from scipy.ndimage import uniform_filter  # slow to import

    inputs = network.as_input(np.asarray(image)[None])
    gradients = input_gradients(differentiable(network), inputs, _class_weights(network, (other, 1), (target, -1)))
    smooth = uniform_filter(gradients.reshape(np.shape(image)), size=3, mode="constant")
    return np.maximum(smooth, 0) * (1 - inputs.reshape(np.shape(image)))


def differentiable(network: Network, depth: int | None = None) -> Network:
    """A copy of the network, or of its first ``depth`` layers, for ``input_gradients``.

    It stores what ``backward`` needs, but computes the same outputs as the network outside training.
    """
    twin = network.copy()
    twin.layers = [layer for layer in twin.layers[:depth] if not isinstance(layer, Dropout)]
    for layer in twin.layers:
        layer.frozen = True  # batch normalisation then uses its running statistics
    return twin


def input_gradients(twin: Network, inputs: npt.NDArray, weights: npt.NDArray) -> npt.NDArray:
    """The gradients (N, *input_shape) of the sums of outputs with ``weights`` (N or 1, K), by each of the inputs."""
    outputs = twin.forward(inputs.astype(twin.state_vector.dtype, copy=False), training=True)
    return twin.backward(np.broadcast_to(weights, outputs.shape).astype(outputs.dtype), input_gradient=True)


def _integrated(network: Network, image: npt.ArrayLike, weights: npt.NDArray, steps: int) -> npt.NDArray:
    full = network.as_input(np.asarray(image)[None]).astype(network.state_vector.dtype, copy=False)
    blank_output, full_output = network.forward(np.concatenate([np.zeros_like(full), full])) @ weights[0]
    change = full_output - blank_output
    twin, batch_size = differentiable(network), min(network.max_batch_size, MAX_BATCH)
    points, total = (np.arange(steps) + 0.5) / steps, np.zeros_like(full[0])  # the middle of each step
    while True:
        for batch in np.split(points.astype(full.dtype), range(batch_size, len(points), batch_size)):
            total += input_gradients(twin, np.multiply.outer(batch, full[0]), weights).sum(axis=0)
        attribution = total * full[0] / steps
        bound = TOLERANCE * max(abs(change), MIN_SCALE * np.abs(attribution).sum())
        if not abs(attribution.sum() - change) > bound or 3 * steps > MAX_STEPS:  # also true for NaN
            return attribution.reshape(np.shape(image))
        # each step becomes three: the middle of the second is known already
        points = np.add.outer([1 / 6, 5 / 6], np.arange(steps)).ravel() / steps
        steps *= 3


def _class_weights(network: Network, *weights: tuple[int, float]) -> npt.NDArray:
    """A row (1, K) with the weight of each of these classes, and 0 for all others."""
    (K,) = network.output_shape
    row = np.zeros((1, K), network.state_vector.dtype)
    for target, weight in weights:
        row[0, check_integer("a class", target, 0, K - 1)] += weight
    return row
