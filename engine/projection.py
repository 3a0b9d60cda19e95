"""A map of images: what a layer makes of them, in two dimensions, so that images that are alike to the layer lie together.

The packages for t-SNE (``scikit-learn``) and UMAP (``umap-learn``) are optional; they are imported when they are used.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_integer
from engine.network import Network

PIXELS = -1  # the position of the input, before the first layer
BATCH = 250  # images at once: other work gets its turn in between
NUM_NEIGHBOURS = 5
SPARE_DIRECTIONS = 8  # besides the two components: the more, the fewer iterations
MAX_ITERATIONS, TOLERANCE = 200, 1e-6
SEED = 0  # of what begins with random numbers


class Placement(Protocol):
    """Places what a layer makes of images, features (N, D), on a map: (N, 2)."""

    def place(self, features: npt.NDArray) -> npt.NDArray: ...

    def turned(self, rotation: npt.NDArray) -> Self:
        """The same, with all places multiplied by a matrix (2, 2)."""
        ...


@dataclass(frozen=True, eq=False)
class PCA:
    """Principal component analysis (Pearson, 1901): ``(features - mean) @ components.T``.

    ``mean`` is (D,), ``components`` are (2, D), and ``shares`` (2,) are their fractions of the variance.
    """

    mean: npt.NDArray
    components: npt.NDArray
    shares: npt.NDArray

    @classmethod
    def fit(cls, features: npt.NDArray) -> Self:
        """The two directions in which features (N, D) vary most, by subspace iteration with Rayleigh-Ritz steps
        (Halko, Martinsson and Tropp, 2011), which needs no D x D matrix. The largest weight of each is positive.

        Raises ``InklingError`` for features that are all equal, or not numbers.
        """
        check_features(features)
        mean = features.mean(axis=0, dtype=np.float64)
        centred = features - mean.astype(features.dtype)
        variance = float(np.einsum("nd,nd->", centred, centred, dtype=np.float64))
        N, D = centred.shape
        basis = np.random.default_rng(SEED).normal(size=(D, min(2 + SPARE_DIRECTIONS, D, N))).astype(features.dtype)
        components = np.zeros((2, D), features.dtype)
        values = np.zeros(2)
        for _ in range(MAX_ITERATIONS):
            basis, _ = np.linalg.qr(basis)
            projected = centred @ basis  # (N, k)
            _, singular_values, directions = np.linalg.svd(projected, full_matrices=False)
            found = (directions @ basis.T)[:2]
            found *= np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])[:, None]
            change = np.abs(found - components[: len(found)]).max()
            components[: len(found)], values[: len(found)] = found, singular_values[:2] ** 2
            if change < TOLERANCE:
                break
            basis = centred.T @ projected
        return cls(mean.astype(features.dtype), components, values / variance)

    def place(self, features: npt.NDArray) -> npt.NDArray:
        return (features - self.mean) @ self.components.T

    def turned(self, rotation: npt.NDArray) -> Self:
        return replace(self, components=rotation.T.astype(self.components.dtype) @ self.components)


@dataclass(frozen=True, eq=False)
class NeighbourMean:
    """Known ``points`` (N, 2) of ``features`` (N, D). Anything else lies at the mean of the points of its nearest features,
    weighted by one over their distance."""

    features: npt.NDArray
    points: npt.NDArray

    def place(self, features: npt.NDArray) -> npt.NDArray:
        if features is self.features:
            return self.points
        places = np.empty((len(features), 2), self.points.dtype)
        for row, feature in enumerate(features):
            nearest, distances = self._index.find(feature)
            weights = 1 / np.maximum(distances, 1e-6 * max(distances.max(), 1e-12))
            places[row] = weights @ self.points[nearest] / weights.sum()
        return places

    def turned(self, rotation: npt.NDArray) -> Self:
        return replace(self, points=(self.points @ rotation).astype(self.points.dtype))

    @cached_property
    def _index(self) -> "NearestNeighbours":
        return NearestNeighbours(self.features)


class Method(NamedTuple):
    """A way to make a map of features (N, D): its ``label``, and the function."""

    label: str
    fit: Callable[[npt.NDArray], Placement]


def fit_tsne(features: npt.NDArray) -> NeighbourMean:
    """t-SNE (van der Maaten and Hinton, 2008), from scikit-learn; raises ``InklingError`` without it."""
    check_features(features)
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise InklingError("a t-SNE map needs the package scikit-learn: pip install scikit-learn") from None
    perplexity = min(30.0, (len(features) - 1) / 3)
    init = "pca" if features.shape[1] > 1 else "random"  # PCA cannot make two directions of one
    return _centred(features, TSNE(perplexity=perplexity, init=init, random_state=SEED).fit_transform(features))


def fit_umap(features: npt.NDArray) -> NeighbourMean:
    """UMAP (McInnes, Healy and Melville, 2018), from umap-learn; raises ``InklingError`` without it."""
    check_features(features)
    try:
        from umap import UMAP
    except ImportError:
        raise InklingError("a UMAP map needs the package umap-learn: pip install umap-learn") from None
    reducer = UMAP(n_neighbors=min(15, len(features) - 1), random_state=SEED, n_jobs=1)
    return _centred(features, np.asarray(reducer.fit_transform(features)))


METHODS = {"pca": Method("PCA", PCA.fit), "tsne": Method("t-SNE", fit_tsne), "umap": Method("UMAP", fit_umap)}


def check_features(features: npt.NDArray) -> None:
    """Raise ``InklingError`` unless the features (N, D) are numbers that differ from image to image."""
    if len(features) < 3:
        raise InklingError(f"a map needs at least 3 images, got {len(features)}")
    if not np.isfinite(features).all():
        raise InklingError("a map needs numbers, and this layer's outputs overflowed (NaN or infinity)")
    if not np.ptp(features, axis=0).any():
        raise InklingError("a map needs outputs that differ, and this layer gives the same for every image")


def _centred(features: npt.NDArray, points: npt.NDArray) -> NeighbourMean:
    return NeighbourMean(features, (points - points.mean(axis=0)).astype(np.float32))


def last_hidden(network: Network) -> int:
    """The position of the last hidden layer: what the last layer with weights gets; ``PIXELS`` if it gets the image."""
    with_weights = [position for position, layer in enumerate(network.layers) if hasattr(layer, "W")]
    return max(with_weights, default=0) - 1


def num_features(network: Network, position: int) -> int:
    """How many outputs the layer at ``position`` has for an image."""
    shape = network.input_shape
    for layer in network.layers[: position + 1]:
        shape = layer.output_shape(shape)
    return prod(shape)


def layer_features(network: Network, images: npt.NDArray, position: int) -> tuple[npt.NDArray, npt.NDArray]:
    """What the layer at ``position`` makes of images (N, 28, 28), (N, D) float32, and the predicted classes (N,) uint8.

    The position counts from 0; ``PIXELS`` are the images themselves.
    """
    check_integer("position", position, PIXELS, len(network.layers) - 1)
    features = np.empty((len(images), num_features(network, position)), np.float32)
    predicted = np.empty(len(images), np.uint8)
    size = min(BATCH, network.max_batch_size)
    for start in range(0, len(images), size):
        x = network.as_input(images[start : start + size]).astype(network.state_vector.dtype, copy=False)
        place = slice(start, start + len(x))
        for number, layer in enumerate([None, *network.layers], PIXELS):
            x = x if layer is None else layer.forward(x)
            if number == position:
                features[place] = x.reshape(len(x), -1)
        predicted[place] = x.argmax(axis=1)
    return features, predicted


def rotation_to(points: npt.NDArray, reference: npt.NDArray) -> npt.NDArray:
    """The rotation, or reflection, (2, 2) that brings points (N, 2) as close as possible to others: ``points @ rotation``.

    This is the orthogonal Procrustes problem (Schönemann, 1966), with both centred.
    """
    left, _, right = np.linalg.svd((points - points.mean(axis=0)).T @ (reference - reference.mean(axis=0)))
    return left @ right


def share_near_own_centre(points: npt.NDArray, labels: npt.NDArray) -> float:
    """The share of points (N, 2) that lie nearer to the centre of their own class than to that of any other."""
    classes = np.unique(labels)
    centres = np.stack([points[labels == label].mean(axis=0) for label in classes])
    distances = ((points[:, None] - centres) ** 2).sum(axis=-1)  # (N, K)
    return float((classes[distances.argmin(axis=1)] == labels).mean())


class NearestNeighbours:
    """Finds the nearest, by Euclidean distance, of features (M, D)."""

    def __init__(self, features: npt.NDArray) -> None:
        self.features = features
        self._squares = np.einsum("md,md->m", features, features)

    def find(self, feature: npt.NDArray, count: int = NUM_NEIGHBOURS) -> tuple[npt.NDArray, npt.NDArray]:
        """The rows of the ``count`` features nearest to one (D,), the nearest first, and their distances."""
        rough = self._squares - 2 * (self.features @ feature)  # squared distances less a constant, with rounding errors
        candidates = np.argpartition(rough, min(2 * count, len(rough) - 1))[: 2 * count]
        distances = np.linalg.norm(self.features[candidates] - feature, axis=1)
        order = np.argsort(distances, kind="stable")[:count]
        return candidates[order], distances[order]
