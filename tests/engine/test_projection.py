"""Maps of images, against scikit-learn and SciPy."""

import sys

import numpy as np
import pytest
from examples import READER
from helpers import make_digits, need

from engine.checks import InklingError
from engine.layer_outputs import activity
from engine.layers import Conv2D, Flatten
from engine.network import Network, dense_layers
from engine.projection import (
    METHODS,
    PCA,
    PIXELS,
    NearestNeighbours,
    NeighbourMean,
    last_hidden,
    layer_features,
    num_features,
    rotation_to,
    share_near_own_centre,
)

DIGITS = make_digits(400, 5)
TURN = np.array([[0.6, -0.8], [0.8, 0.6]])


def make(layers):
    return Network(layers, rng=np.random.default_rng(3))


def judge(module):
    """A module to compare with."""
    try:
        return __import__(module, fromlist=["_"])
    except ImportError:
        need("peers", f"{module} is not installed")


def blobs(count=300, D=20):
    """Points in three groups, and the number of each point's group."""
    rng = np.random.default_rng(4)
    groups = rng.integers(0, 3, count)
    return (rng.normal(0, 6, (3, D))[groups] + rng.normal(size=(count, D))).astype(np.float32), groups


@pytest.mark.parametrize("layers", [dense_layers((30, 20)), READER], ids=["dense", "convolutional"])
def test_features_are_the_outputs_of_the_layer(layers):
    network = make(layers)
    for position in range(PIXELS, len(layers)):
        features, predicted = layer_features(network, DIGITS.images[:3], position)
        assert features.shape == (3, num_features(network, position))
        for row, image in enumerate(DIGITS.images[:3] / np.float32(255)):
            expected = image if position == PIXELS else activity(network, image)[position].values
            np.testing.assert_allclose(features[row], expected.ravel(), rtol=1e-4, atol=1e-6)
        assert predicted.tolist() == network.predict(DIGITS.images[:3]).tolist()


def test_batches_change_nothing():
    network = make(READER)
    features, predicted = layer_features(network, DIGITS.images, 2)
    for row in (0, 249, 250, 399):
        one, label = layer_features(network, DIGITS.images[row : row + 1], 2)
        np.testing.assert_allclose(features[row], one[0], rtol=1e-4, atol=1e-6)
        assert predicted[row] == label[0]


def test_the_last_hidden_layer_is_what_the_last_weights_get():
    network = make(dense_layers((30, 20)))
    assert (last_hidden(network), num_features(network, last_hidden(network))) == (3, 20)
    assert last_hidden(make(dense_layers(()))) == PIXELS
    assert last_hidden(make((Conv2D(10, 28), Flatten()))) == PIXELS


@pytest.mark.parametrize("position", [-2, 5, 1.5])
def test_a_layer_that_is_not_there_has_no_features(position):
    with pytest.raises(InklingError, match="position must be"):
        layer_features(make(dense_layers((30, 20))), DIGITS.images, position)


@pytest.mark.parametrize("kind", ["pixels", "hidden", "groups", "wide", "two"])
def test_pca_agrees_with_scikit_learn(kind):
    decomposition = judge("sklearn.decomposition")
    features = {
        "pixels": lambda: DIGITS.images.reshape(400, -1) / np.float32(255),
        "hidden": lambda: layer_features(make(READER), DIGITS.images, last_hidden(make(READER)))[0],
        "groups": lambda: blobs()[0],
        "wide": lambda: np.random.default_rng(0).normal(size=(30, 900)).astype(np.float32),
        "two": lambda: np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32),
    }[kind]()
    expected = decomposition.PCA(2, svd_solver="full").fit(features.astype(np.float64))
    pca = PCA.fit(features)
    np.testing.assert_allclose(pca.shares, expected.explained_variance_ratio_, rtol=1e-3)
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(2), atol=1e-4)
    signs = np.sign((pca.components * expected.components_).sum(axis=1))
    points = expected.transform(features.astype(np.float64)) * signs
    np.testing.assert_allclose(pca.place(features), points, atol=3e-3 * np.abs(points).max())


def test_pca_of_one_feature_lies_on_a_line():
    features = np.arange(6, dtype=np.float32)[:, None]
    points = PCA.fit(features).place(features)
    np.testing.assert_allclose(np.abs(points[:, 0]), [2.5, 1.5, 0.5, 0.5, 1.5, 2.5], rtol=1e-5)
    assert not points[:, 1].any()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((9, 4), np.float32), "the same for every image"),
        (np.full((9, 4), np.nan, np.float32), "overflowed"),
        (np.eye(2, dtype=np.float32), "at least 3 images, got 2"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_there_is_no_map_of_nothing(method, features, message):
    with pytest.raises(InklingError, match=message):
        METHODS[method].fit(features)


def test_the_rotation_agrees_with_scipy():
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(5)
    points, reference = rng.normal([[[3, -1]], [[0, 4]]], size=(2, 50, 2))
    expected, _ = linalg.orthogonal_procrustes(points - points.mean(axis=0), reference - reference.mean(axis=0))
    np.testing.assert_allclose(rotation_to(points, reference), expected, atol=1e-12)


@pytest.mark.parametrize("matrix", [TURN, np.diag([1, -1]) @ TURN], ids=["turned", "mirrored"])
def test_a_map_that_was_turned_is_turned_back(matrix):
    features, _ = blobs()
    pca = PCA.fit(features)
    neighbours = NeighbourMean(features, pca.place(features))
    for placement in (pca, neighbours):
        turned = placement.turned(matrix)
        np.testing.assert_allclose(turned.place(features), placement.place(features) @ matrix, atol=1e-3)
        back = turned.turned(rotation_to(turned.place(features), placement.place(features)))
        np.testing.assert_allclose(back.place(features), placement.place(features), atol=1e-3)
        np.testing.assert_allclose(back.place(features[:3] + 1), placement.place(features[:3] + 1), atol=1e-3)


def test_the_nearest_agree_with_scikit_learn():
    neighbors = judge("sklearn.neighbors")
    features = DIGITS.images[:300].reshape(300, -1) / np.float32(255)
    expected = neighbors.NearestNeighbors(n_neighbors=5, algorithm="brute").fit(features[:250])
    index = NearestNeighbours(features[:250])
    for feature in features[250:]:
        distances, rows = expected.kneighbors(feature[None])
        found, found_distances = index.find(feature)
        assert found.tolist() == rows[0].tolist()
        np.testing.assert_allclose(found_distances, distances[0], rtol=1e-4)
    assert index.find(features[7])[0][0] == 7


def test_of_few_features_all_are_found():
    rows, distances = NearestNeighbours(np.arange(3, dtype=np.float32)[:, None]).find(np.array([1.9], np.float32))
    assert rows.tolist() == [2, 1, 0]
    np.testing.assert_allclose(distances, [0.1, 0.9, 1.9], rtol=1e-5)


def test_a_new_point_lies_among_its_neighbours():
    features = np.array([[0, 0], [1, 0], [0, 1], [9, 9], [9, 8], [8, 9], [30, 30]], np.float32)
    placement = NeighbourMean(features, 10 * features)
    np.testing.assert_allclose(placement.place(features[2:3].copy()), [[0, 10]], atol=1e-3)
    x, y = placement.place(np.array([[0.2, 0.2]], np.float32))[0]
    assert 0 < x < 30
    assert 0 < y < 30


@pytest.mark.parametrize(("method", "package"), [("tsne", "sklearn.manifold"), ("umap", "umap")])
def test_the_other_methods_keep_groups_together(method, package):
    judge(package)
    features, groups = blobs(90)
    placement = METHODS[method].fit(features)
    points = placement.place(features)
    assert share_near_own_centre(points, groups) == 1
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-3)
    place = placement.place(features[groups == 0].mean(axis=0, keepdims=True))
    centres = np.stack([points[groups == group].mean(axis=0) for group in range(3)])
    assert np.linalg.norm(centres - place, axis=1).argmin() == 0
    np.testing.assert_array_equal(METHODS[method].fit(features).place(features).shape, points.shape)


def test_t_sne_of_one_feature():
    judge("sklearn.manifold")
    features = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
    points = METHODS["tsne"].fit(features).place(features)
    assert points.shape == (12, 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    ("method", "module", "package"), [("tsne", "sklearn.manifold", "scikit-learn"), ("umap", "umap", "umap-learn")]
)
def test_a_missing_package_is_named(monkeypatch, method, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InklingError, match=f"pip install {package}"):
        METHODS[method].fit(blobs()[0])


def test_the_share_near_the_own_centre():
    points = np.array([[0, 0], [0, 1], [5, 5], [5, 6], [5, 5.5]], float)
    assert share_near_own_centre(points, np.array([3, 3, 7, 7, 7])) == 1
    assert share_near_own_centre(points, np.array([3, 3, 7, 7, 3])) == 0.8
