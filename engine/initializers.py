"""Initializers: functions that draw a layer's weights before training. ``INITIALIZERS`` lists them by name."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Initializer = Callable[[np.random.Generator, tuple[int, ...], int, int], npt.NDArray]  # (rng, shape, fan_in, fan_out)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Normal, variance ``2 / fan_in``: ReLU layers then neither amplify nor weaken the signal (He et al., 2015)."""
    return rng.normal(0, np.sqrt(2 / fan_in), shape)


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Uniform, variance ``2 / fan_in`` (He et al., 2015)."""
    limit = np.sqrt(6 / fan_in)
    return rng.uniform(-limit, limit, shape)


def glorot_normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Normal, variance ``2 / (fan_in + fan_out)``: a compromise for both directions (Glorot & Bengio, 2010)."""
    return rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), shape)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Uniform, variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio, 2010)."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def lecun_normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Normal, variance ``1 / fan_in`` (LeCun et al., 1998)."""
    return rng.normal(0, np.sqrt(1 / fan_in), shape)


def small_normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Normal, standard deviation 0.01 for every layer."""
    return rng.normal(0, 0.01, shape)


def small_uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Uniform in (-1/28, 1/28) for every layer: 1/28 is 1 / sqrt(784), and MNIST's images have 784 pixels."""
    return rng.uniform(-1 / 28, 1 / 28, shape)


def uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """Uniform in ``(-1 / sqrt(fan_in), 1 / sqrt(fan_in))``."""
    limit = 1 / np.sqrt(fan_in)
    return rng.uniform(-limit, limit, shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> npt.NDArray:
    """All zero: all units of a layer then stay identical and never learn different features."""
    return np.zeros(shape)


INITIALIZERS: dict[str, Initializer] = {
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
