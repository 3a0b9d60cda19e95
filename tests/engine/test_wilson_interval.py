from math import sqrt

import pytest
from helpers import make_digits
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from engine.checks import InklingError
from engine.metrics import Score, evaluate, score, wilson_interval
from engine.network import Network, dense_layers


@pytest.mark.parametrize(  # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(correct, total, low, high):
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_the_limits_are_where_the_score_test_begins_to_reject(total, fraction, confidence):
    correct = round(fraction * total)
    low, high = wilson_interval(correct, total, confidence)
    z, measured = norm.ppf((1 + confidence) / 2), correct / total

    def excess(p):
        return abs(measured - p) - z * sqrt(p * (1 - p) / total)

    smallest, middle, largest = 1e-12, min(max(measured, 1e-12), 1 - 1e-12), 1 - 1e-12
    assert low == pytest.approx(brentq(excess, smallest, middle) if correct else 0, abs=1e-9)
    assert high == pytest.approx(brentq(excess, middle, largest) if correct < total else 1, abs=1e-9)
    assert 0 <= low <= measured <= high <= 1


def test_of_no_images_everything_is_plausible():
    assert wilson_interval(0, 0) == (0, 1)
    assert Score(0, 0).accuracy == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((3, 2), "from 0 to 2, got 3"), ((-1, 2), "got -1"), ((1, 2, 1), "got 1"), ((1, 2, 0.0), "got 0")],
)
def test_impossible_counts_are_refused(arguments, words):
    with pytest.raises(InklingError, match=words):
        wilson_interval(*arguments)


def test_a_score_counts_what_evaluate_counts():
    network, digits = Network(dense_layers((16,))), make_digits(1_500)
    network.layers[-1].b[3] = 1  # everything is a 3
    result = score(network, digits)
    assert result == (sum(digits.labels == 3), 1_500)
    assert result.accuracy == evaluate(network, digits).accuracy
    assert result.interval == wilson_interval(*result)
