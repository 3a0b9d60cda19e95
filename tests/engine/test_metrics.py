import importlib
import math
from dataclasses import fields

import numpy as np
import pytest
from helpers import make_digits, need, outcome
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.checks import InklingError
from engine.data import Dataset
from engine.data.dataset import NO_DIGIT
from engine.losses import LOSSES
from engine.metrics import (
    class_scores,
    classification_report,
    compare,
    confusion_matrix,
    evaluate,
    expected_calibration_error,
    mistakes,
    reliability,
    top_k_accuracy,
)
from engine.network import Network, dense_layers


@pytest.fixture(scope="module")
def sklearn():
    try:
        return importlib.import_module("sklearn.metrics"), importlib.import_module("sklearn.calibration")
    except ModuleNotFoundError:
        need("peers", "scikit-learn is not installed")


def make_answers(seed, count=400, classes=6):
    """Labels and probabilities that often agree. The last class is never a label, the last but one never predicted."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - 1, count)
    logits = rng.normal(0, 1.5, (count, classes))
    logits[np.arange(count), labels] += 1.5
    logits[:, -2] = -9
    weights = np.exp(logits)
    return labels, weights / weights.sum(axis=1, keepdims=True)


@st.composite
def answers(draw):
    """Any labels, and probabilities with many ties and exact zeros and ones among them."""
    count, classes = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    labels = draw(arrays.arrays(np.uint8, count, elements=st.integers(0, classes - 1)))
    weights = draw(arrays.arrays(float, (count, classes), elements=st.integers(0, 4))) + np.eye(count, classes) * 1e-300
    weights[weights.sum(axis=1) == 0] = 1
    return labels, weights / weights.sum(axis=1, keepdims=True)


def fields_of(instance):
    """The values of a dataclass's fields."""
    return [getattr(instance, field.name) for field in fields(instance)]


every_seed = pytest.mark.parametrize("seed", range(3))


def test_confusion_counts_label_by_prediction():
    got = confusion_matrix(np.array([0, 1, 1, 2, 2, 2], np.uint8), np.array([0, 1, 0, 2, 2, 1]), 3)
    np.testing.assert_array_equal(got, [[1, 0, 0], [1, 1, 0], [0, 1, 2]])


def test_labels_of_one_byte_do_not_overflow():
    got = confusion_matrix(np.full(3, 9, np.uint8), np.full(3, 9, np.uint8), 100)
    assert got[9, 9] == got.sum() == 3


@pytest.mark.parametrize("batch", [7, 100, 1024])
def test_evaluation_is_the_mean_over_every_image_once(tiny, monkeypatch, batch):
    monkeypatch.setattr("engine.metrics.EVALUATION_BATCH", batch)
    network = Network(dense_layers((12,)), rng=np.random.default_rng(5))
    subset = tiny.subset(slice(0, 250))
    result = evaluate(network, subset, LOSSES["cross_entropy"])

    images, labels = subset.take(slice(None))
    probabilities = network.predict_proba(images)
    right = sum(int(row.argmax()) == label for row, label in zip(probabilities, labels.tolist(), strict=True))
    losses = [-math.log(row[label]) for row, label in zip(probabilities.astype(float), labels.tolist(), strict=True)]
    assert result.images == result.confusion.sum() == 250
    assert result.errors == 250 - right
    assert result.accuracy == right / 250
    assert result.loss == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_allclose(result.probabilities, probabilities, atol=1e-6)
    assert result.probabilities.dtype == np.float32
    np.testing.assert_array_equal(result.confusion.sum(axis=1), np.bincount(labels, minlength=10))
    assert np.trace(result.confusion) == right


def test_scores_of_a_class_by_hand():
    # class 0: 3 of 4 right, 1 false positive; class 1: never predicted; class 2: no image, predicted once; class 3: neither
    scores = class_scores(np.array([[3, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    np.testing.assert_allclose(scores.precision, [3 / 4, 0, 0, 0])
    np.testing.assert_allclose(scores.recall, [3 / 4, 0, 0, 0])
    np.testing.assert_allclose(scores.f1, [3 / 4, 0, 0, 0])
    np.testing.assert_array_equal(scores.support, [4, 1, 0, 0])


def test_f1_is_the_harmonic_mean():
    scores = class_scores(np.array([[2, 6], [0, 1]]))
    assert (scores.precision[0], scores.recall[0]) == (1, 1 / 4)
    assert scores.f1[0] == pytest.approx(2 / (1 / 1 + 1 / (1 / 4)))


def test_top_k_by_hand():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    np.testing.assert_allclose(top_k_accuracy([0, 1, 2, 2], probabilities), [1 / 4, 2 / 4, 4 / 4])


def test_the_first_of_equally_probable_classes_is_predicted():
    probabilities = np.array([[0.4, 0.4, 0.2]])
    assert top_k_accuracy([0], probabilities)[0] == 1
    assert top_k_accuracy([1], probabilities).tolist() == [0, 1, 1]
    assert [mistake.predicted for mistake in mistakes([1], probabilities)] == [0]


def test_reliability_by_hand():
    confidence = np.array([0.55, 0.75, 0.5, 0.9, 0.95, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, 1, 0, 0, 0, 1])  # class 0 is predicted for all
    got = reliability(labels, probabilities, bins=4)
    np.testing.assert_array_equal(got.count, [0, 1, 2, 3])  # 0.5 belongs to (0.25, 0.5], 0.75 to (0.5, 0.75]
    np.testing.assert_allclose(got.confidence, [0, 0.5, 0.65, 0.95])
    np.testing.assert_allclose(got.accuracy, [0, 1, 1 / 2, 2 / 3])
    expected = 1 / 6 * (1 - 0.5) + 2 / 6 * (0.65 - 1 / 2) + 3 / 6 * (0.95 - 2 / 3)
    assert expected_calibration_error(labels, probabilities, bins=4) == pytest.approx(expected)


def test_there_are_fifteen_bins_of_the_same_width():
    confidence = (np.arange(15) + 0.5) / 15
    rest = np.tile((1 - confidence[:, None]) / 30, 30)
    got = reliability(np.zeros(15, int), np.column_stack([confidence, rest]))
    np.testing.assert_array_equal(got.count, np.ones(15))
    np.testing.assert_allclose(got.confidence, confidence)


def test_a_network_is_calibrated_if_its_confidence_is_its_accuracy_and_not_if_it_is_always_certain():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = (rng.random(len(confidence)) > confidence).astype(int)
    assert expected_calibration_error(labels, probabilities) < 0.01
    assert expected_calibration_error(labels, np.tile([1.0, 0.0], (len(labels), 1))) == pytest.approx(0.25, abs=0.01)


def test_the_most_confident_mistakes_come_first():
    probabilities = np.array([[0.1, 0.9, 0], [0.7, 0.3, 0], [0.6, 0.2, 0.2], [0, 1, 0], [0.7, 0, 0.3]], np.float32)
    got = mistakes(np.array([1, 1, 2, 2, 2], np.uint8), probabilities)
    assert [(m.position, m.label, m.predicted) for m in got] == [(3, 2, 1), (1, 1, 0), (4, 2, 0), (2, 2, 0)]
    for mistake in got:
        np.testing.assert_array_equal(mistake.probabilities, probabilities[mistake.position])


def test_mistakes_of_the_same_confidence_keep_the_order_of_the_set():
    got = mistakes(np.ones(500, int), np.tile(np.float32([[0.7, 0.3], [0.6, 0.4]]), (250, 1)))
    assert [mistake.position for mistake in got] == [*range(0, 500, 2), *range(1, 500, 2)]


@given(answers())
def test_every_metric_agrees_with_every_other(answer):
    labels, probabilities = answer
    predicted, count, classes = probabilities.argmax(axis=1), *probabilities.shape
    confusion = confusion_matrix(labels, predicted, classes)
    right = np.trace(confusion)
    assert confusion.sum() == count

    scores, top_k, wrong = class_scores(confusion), top_k_accuracy(labels, probabilities), mistakes(labels, probabilities)
    assert scores.recall @ scores.support == pytest.approx(right)
    assert scores.precision @ confusion.sum(axis=0) == pytest.approx(right)
    for score in (scores.precision, scores.recall, scores.f1):
        assert ((score >= 0) & (score <= 1)).all()
    assert (scores.f1 <= np.maximum(scores.precision, scores.recall) + 1e-12).all()

    assert top_k[0] == right / count
    assert top_k[-1] == 1
    assert (np.diff(top_k) >= 0).all()
    assert len(wrong) == count - right
    assert all(mistake.predicted != mistake.label == labels[mistake.position] for mistake in wrong)
    confidence = [mistake.probabilities[mistake.predicted] for mistake in wrong]
    assert confidence == sorted(confidence, reverse=True)


@given(answers(), st.integers(1, 20))
def test_bins_count_every_image_and_their_error_is_bounded(answer, bins):
    labels, probabilities = answer
    got = reliability(labels, probabilities, bins)
    assert got.count.sum() == len(labels)
    assert got.count @ got.accuracy == pytest.approx((probabilities.argmax(axis=1) == labels).sum())
    assert got.count @ got.confidence == pytest.approx(probabilities.max(axis=1).sum())
    edges = np.arange(bins + 1) / bins
    filled = got.count > 0
    assert (got.confidence[filled] > edges[:-1][filled] - 1e-9).all()
    assert (got.confidence[filled] < edges[1:][filled] + 1e-9).all()
    error = expected_calibration_error(labels, probabilities, bins)
    of_one_bin = expected_calibration_error(labels, probabilities, 1)  # in which errors of both signs cancel out
    assert of_one_bin - 1e-9 <= error <= 1


@given(answers(), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(answer, random):
    labels, probabilities = answer
    order = np.array(random.sample(range(len(labels)), len(labels)))
    shuffled = labels[order], probabilities[order]
    np.testing.assert_allclose(top_k_accuracy(*shuffled), top_k_accuracy(labels, probabilities))
    for array, expected in zip(
        fields_of(reliability(*shuffled)), fields_of(reliability(labels, probabilities)), strict=True
    ):
        np.testing.assert_allclose(array, expected)
    positions = sorted(mistake.position for mistake in mistakes(labels, probabilities))
    assert positions == sorted(int(order[mistake.position]) for mistake in mistakes(*shuffled))


@every_seed
def test_scores_are_scikit_learns(sklearn, seed):
    metrics, _ = sklearn
    labels, probabilities = make_answers(seed)
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, 6)
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(labels, predicted, labels=range(6)))
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=range(6), zero_division=0)
    for ours, theirs in zip(fields_of(class_scores(confusion)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)
    assert not confusion[-1].any()
    assert not confusion[:, -2].any()


@every_seed
def test_top_k_is_scikit_learns(sklearn, seed):
    metrics, _ = sklearn
    labels, probabilities = make_answers(seed)
    expected = [metrics.top_k_accuracy_score(labels, probabilities, k=k, labels=range(6)) for k in range(1, 6)]
    np.testing.assert_allclose(top_k_accuracy(labels, probabilities), [*expected, 1])


@every_seed
def test_reliability_bins_are_scikit_learns(sklearn, seed):
    _, calibration = sklearn
    labels, probabilities = make_answers(seed)
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    accuracy, mean_confidence = calibration.calibration_curve(right, confidence, n_bins=15)
    got = reliability(labels, probabilities)
    np.testing.assert_allclose(got.accuracy[got.count > 0], accuracy)
    np.testing.assert_allclose(got.confidence[got.count > 0], mean_confidence)


@pytest.mark.parametrize("batch", [37, 1024])
def test_the_report_has_all_metrics_of_the_same_predictions(tiny, monkeypatch, batch):
    monkeypatch.setattr("engine.metrics.EVALUATION_BATCH", batch)
    network = Network(dense_layers((12,)), rng=np.random.default_rng(5))
    subset = tiny.subset(slice(100, 350))
    images, labels = subset.take(slice(None))
    probabilities = network.predict_proba(images)
    report, evaluation = classification_report(network, subset), evaluate(network, subset, LOSSES["cross_entropy"])

    assert (report.images, report.accuracy) == (250, evaluation.accuracy)
    np.testing.assert_array_equal(report.confusion, evaluation.confusion)
    np.testing.assert_array_equal(fields_of(report.per_class), fields_of(class_scores(evaluation.confusion)))
    np.testing.assert_allclose(report.top_k, top_k_accuracy(labels, probabilities))
    expected = fields_of(reliability(labels, probabilities))
    np.testing.assert_allclose(fields_of(report.reliability), expected, atol=1e-6)
    assert report.calibration_error == pytest.approx(expected_calibration_error(labels, probabilities), abs=1e-6)
    assert len(report.mistakes) == evaluation.errors > 0
    for mistake in report.mistakes:
        (image,), (label,) = subset.take(slice(mistake.position, mistake.position + 1))
        assert mistake.label == label
        assert mistake.predicted == network.predict(image[None])[0] == mistake.probabilities.argmax()


def test_a_perfect_network_makes_no_mistakes():
    labels = np.arange(4)
    assert mistakes(labels, np.eye(4)) == []
    assert expected_calibration_error(labels, np.eye(4)) == 0


every_metric = pytest.mark.parametrize("metric", [top_k_accuracy, reliability, expected_calibration_error, mistakes])


@every_metric
@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], np.ones((3, 2)), "labels must be (N,) and probabilities (N, K), got (2,) and (3, 2)"),
        ([[0]], np.ones((1, 2)), "labels must be (N,) and probabilities (N, K), got (1, 1) and (1, 2)"),
        ([0, 1], np.ones(2), "labels must be (N,) and probabilities (N, K), got (2,) and (2,)"),
        ([], np.ones((0, 2)), "labels must be (N,) and probabilities (N, K), got (0,) and (0, 2)"),
        ([0, 2], np.ones((2, 2)), "labels must be whole numbers from 0 to 1, got 0 to 2 (int64)"),
        ([0, -1], np.ones((2, 2)), "labels must be whole numbers from 0 to 1, got -1 to 0 (int64)"),
        ([0, 0.5], np.ones((2, 2)), "labels must be whole numbers from 0 to 1, got 0.0 to 0.5 (float64)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(metric, labels, probabilities, message):
    assert outcome(InklingError, metric, labels, probabilities) == (None, message)


def test_a_report_needs_images_and_known_labels():
    network = Network(dense_layers((), classes=3), (784,), rng=np.random.default_rng(0))
    empty, digits = make_digits(50).subset(slice(0)), make_digits(50)
    assert outcome(InklingError, classification_report, network, empty)[1] == "a report needs at least one image, got none"
    error = outcome(InklingError, classification_report, network, digits)[1]
    assert error == "labels must be whole numbers from 0 to 2, got 0 to 9 (uint8)"


# --- comparing two networks ---


def predictions_with(only_a, only_b, both, neither):
    """Labels and the predictions of two networks: so many are right in a only, in b only, in both and in neither."""
    labels = np.arange(only_a + only_b + both + neither, dtype=np.uint8) % 10
    a, b = labels.copy(), labels.copy()
    a[only_a : only_a + only_b] += 1
    b[:only_a] += 1
    a[len(labels) - neither :] += 1
    b[len(labels) - neither :] += 2
    return labels, a, b


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 0), (0, 1), (5, 0), (4, 4), (3, 9), (9, 3), (30, 55), (38, 76), (5_000, 5_200), (100, 9_000)]
)
def test_the_paired_test_is_the_exact_binomial_one(only_a, only_b):
    comparison = compare(*predictions_with(only_a, only_b, both=40, neither=7))
    assert (comparison.only_a_right, comparison.only_b_right) == (only_a, only_b)
    tosses = only_a + only_b
    tail = sum(math.comb(tosses, heads) for heads in range(min(only_a, only_b) + 1))  # exact: Python's integers
    assert comparison.p == pytest.approx(min(1, 2 * tail / 2**tosses), rel=1e-9, abs=1e-300)


def test_the_paired_test_by_hand():
    assert compare(*predictions_with(0, 5, 3, 2)).p == 2 / 32  # five coins that all show the same side
    assert compare(*predictions_with(1, 4, 3, 2)).p == 2 * (1 + 5) / 32
    assert compare(*predictions_with(1, 1, 3, 2)).p == 1


def test_small_p_values_are_as_rare_as_they_should_be_for_equally_good_networks():
    rng = np.random.default_rng(3)
    labels = np.zeros(400, int)
    values = [compare(labels, *(rng.random((2, 400)) < 0.2)).p for _ in range(2_000)]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(values) <= level) <= level + 3 * math.sqrt(level / 2_000)


@pytest.mark.parametrize("shapes", [((3,), (3,), (4,)), ((3, 1), (3, 1), (3, 1)), ((), (), ())])
def test_predictions_of_other_images_are_refused(shapes):
    with pytest.raises(InklingError, match=r"\(N,\)"):
        compare(*map(np.zeros, shapes))


def test_images_of_no_digit_count_in_the_loss_alone(tiny):
    """Digits have the same accuracy and confusion matrix if the set has images without a digit, too."""
    network = Network(dense_layers((16,)), rng=np.random.default_rng(4))
    noise = np.random.default_rng(5).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    order = np.random.default_rng(6).permutation(900)
    no_digits = Dataset(noise, np.full(300, NO_DIGIT, np.uint8))
    mixed = Dataset(np.concatenate([tiny.images, noise]), np.concatenate([tiny.labels, no_digits.labels]), rows=order)
    of_digits, of_mixed = evaluate(network, tiny), evaluate(network, mixed)
    assert (of_mixed.accuracy, of_mixed.errors, of_mixed.images) == (of_digits.accuracy, of_digits.errors, 600)
    np.testing.assert_array_equal(of_mixed.confusion, of_digits.confusion)
    noise_loss = -np.log(network.predict_proba(noise)).mean()
    assert of_mixed.loss == pytest.approx((600 * of_digits.loss + 300 * noise_loss) / 900, rel=1e-5)
    np.testing.assert_allclose(of_mixed.probabilities[np.argsort(order)][:600], of_digits.probabilities, atol=1e-6)
    _, message = outcome(InklingError, evaluate, network, no_digits)
    assert "at least one image of a class" in message
