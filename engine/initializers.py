"""What weights are before any training: functions of ``(rng, shape, fan_in, fan_out)`` that return an array."""

import numpy as np


def he_normal(rng, shape, fan_in, fan_out):
    """Normal, variance ``2 / fan_in``: keeps the signal's size through ReLU (He et al., 2015)."""
    return rng.normal(0, np.sqrt(2 / fan_in), shape)


def he_uniform(rng, shape, fan_in, fan_out):
    """Uniform, variance ``2 / fan_in`` (He et al., 2015)."""
    limit = np.sqrt(6 / fan_in)
    return rng.uniform(-limit, limit, shape)


def glorot_normal(rng, shape, fan_in, fan_out):
    """Normal, variance ``2 / (fan_in + fan_out)``: a balance of both directions (Glorot & Bengio, 2010)."""
    return rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), shape)


def glorot_uniform(rng, shape, fan_in, fan_out):
    """Uniform, variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio, 2010)."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def lecun_normal(rng, shape, fan_in, fan_out):
    """Normal, variance ``1 / fan_in`` (LeCun et al., 1998)."""
    return rng.normal(0, np.sqrt(1 / fan_in), shape)


def small_normal(rng, shape, fan_in, fan_out):
    """Normal, standard deviation 0.01 whatever the layer's size."""
    return rng.normal(0, 0.01, shape)


def small_uniform(rng, shape, fan_in, fan_out):
    """Uniform in (-1/28, 1/28) whatever the layer's size: 1/28 is 1 / sqrt(784), as for a layer on MNIST's pixels."""
    return rng.uniform(-1 / 28, 1 / 28, shape)


def uniform(rng, shape, fan_in, fan_out):
    """Uniform in ``(-1 / sqrt(fan_in), 1 / sqrt(fan_in))``."""
    limit = 1 / np.sqrt(fan_in)
    return rng.uniform(-limit, limit, shape)


def zeros(rng, shape, fan_in, fan_out):
    """All zero: every unit of a layer then stays the same as its neighbour, and learns nothing of its own."""
    return np.zeros(shape)


INITIALIZERS = {
    f.__name__: f
    for f in (
        he_normal,
        he_uniform,
        glorot_normal,
        glorot_uniform,
        lecun_normal,
        small_normal,
        small_uniform,
        uniform,
        zeros,
    )
}
