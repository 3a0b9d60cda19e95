"""Which pixels speak for a class: maps over one image, from the gradient of a network's raw output by its input.

The network is used as it reads: batch normalisation by its statistics, no dropout; and it never changes.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.checks import check_integer
from engine.layers import Dropout

STEPS, MOST_STEPS = 48, 500  # on the way from a blank image: cut in three until the sum is right
WITHIN = 0.01  # of the change in the output
CANCELLED = 0.1  # where pixels cancel out, this part of all that they add and take away counts instead of the change
AT_ONCE = 48  # images: what more of them take is too much for the processor's cache


def gradient_times_input(network, image, target):
    """For each pixel of an image (28, 28) in [0, 1], its brightness times the slope of the output for class ``target``.

    The quick look: it tells what a slightly brighter pixel would do, and sums to nothing in particular. (28, 28).
    """
    inputs = network.as_input(np.asarray(image)[None])
    slopes = input_gradients(differentiable(network), inputs, _weights(network, (target, 1)))
    return (slopes * inputs).reshape(np.shape(image))


def integrated_gradients(network, image, target, steps=STEPS):
    """How much each pixel of an image (28, 28) in [0, 1] adds to the output for class ``target``, (28, 28).

    The slopes are averaged on the straight way from a blank image to this one, so that the map sums to the difference of
    the two outputs (Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", 2017): within 1 % of it or, where
    pixels cancel out, of a tenth of all that they add and take away. From ``steps`` on, in up to 500 as that needs.
    """
    return _integrated(network, image, _weights(network, (target, 1)), steps)


def contrast(network, image, one, other, steps=STEPS):
    """How much each pixel speaks for class ``one`` and against class ``other``, (28, 28): the integrated gradients of the
    difference of the two outputs. Negative where the ink speaks for ``other``."""
    return _integrated(network, image, _weights(network, (one, 1), (other, -1)), steps)


def missing(network, image, one, other):
    """How much new ink on each pixel would bring the image from class ``one`` towards ``other``, (28, 28), none below 0.

    The slopes of the difference of the two outputs, each averaged over its neighbours too, as no pen marks a single pixel,
    and weighed by the room that the pixel has left ("pertinent negatives"; Dhurandhar et al., "Explanations based on the
    missing", 2018).
    """
    inputs = network.as_input(np.asarray(image)[None])
    slopes = input_gradients(differentiable(network), inputs, _weights(network, (other, 1), (one, -1)))
    around = sliding_window_view(np.pad(slopes.reshape(np.shape(image)), 1), (3, 3)).mean(axis=(2, 3))
    return np.maximum(around, 0) * (1 - inputs.reshape(np.shape(image)))


def differentiable(network, depth=None):
    """A copy of the network, or of so many first layers, for ``input_gradients``: it remembers what backward needs, and
    otherwise is as in use."""
    twin = network.copy()
    twin.layers = [layer for layer in twin.layers[:depth] if not isinstance(layer, Dropout)]
    for layer in twin.layers:
        layer.frozen = True  # batch normalisation then goes by its statistics
    return twin


def input_gradients(twin, inputs, weights):
    """The gradient (N, *input_shape) of each input's outputs, summed with ``weights`` (N or 1, K)."""
    outputs = twin.forward(inputs.astype(twin.values.dtype, copy=False), training=True)
    return twin.backward(np.broadcast_to(weights, outputs.shape).astype(outputs.dtype), input_gradient=True)


def _integrated(network, image, weights, steps):
    whole = network.as_input(np.asarray(image)[None]).astype(network.values.dtype, copy=False)
    blank, full = network.forward(np.concatenate([np.zeros_like(whole), whole])) @ weights[0]
    twin, at_once = differentiable(network), min(network.at_once, AT_ONCE)
    places, total = (np.arange(steps) + 0.5) / steps, np.zeros_like(whole[0])  # the middle of each step
    while True:
        for part in np.split(places.astype(whole.dtype), range(at_once, len(places), at_once)):
            total += input_gradients(twin, np.multiply.outer(part, whole[0]), weights).sum(axis=0)
        found = total * whole[0] / steps
        bound = WITHIN * max(abs(full - blank), CANCELLED * np.abs(found).sum())
        if not abs(found.sum() - (full - blank)) > bound or 3 * steps > MOST_STEPS:  # also where there are NaNs
            return found.reshape(np.shape(image))
        # a step cut in three keeps its middle: only those of the outer two are new
        places = np.add.outer([1 / 6, 5 / 6], np.arange(steps)).ravel() / steps
        steps *= 3


def _weights(network, *shares):
    """A row (1, K) with a number for each of these classes, and 0 for the others."""
    (K,) = network.output_shape
    row = np.zeros((1, K), network.values.dtype)
    for target, share in shares:
        row[0, check_integer("a class", target, 0, K - 1)] += share
    return row
