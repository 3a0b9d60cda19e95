"""The numbers that the charts of the page Sweeps draw."""

import numpy as np

from engine.sweep.search_space import read_search
from ui.sweeps.figures import flattery_rows, place


def test_the_best_of_equally_good_networks_looks_better_the_more_there_are():
    rows = flattery_rows(0.9, 200, 50)
    assert rows["trials"][0] == 1
    assert rows["trials"][-1] == 50
    np.testing.assert_allclose(rows["accuracy"][0], 0.9)
    assert (np.diff(rows["accuracy"]) > 0).all()
    drawn = np.random.default_rng(0).binomial(200, 0.9, (20_000, 50)).max(axis=1).mean() / 200
    np.testing.assert_allclose(rows["accuracy"][-1], drawn, atol=0.0005)


def test_values_have_their_place_between_the_ends():
    rate = read_search("learning_rate=0.0001..0.1:log")
    assert [round(place(rate, value), 6) for value in (0.0001, 0.1, 10**-2.5)] == [0, 1, 0.5]
    assert place(read_search("momentum=0..0.8"), 0.2) == 0.25
    hidden = read_search('hidden=16,64,"64,32"')
    assert [place(hidden, text) for text in hidden.texts] == [0, 0.5, 1]
    assert place(read_search("optimizer=adam"), "adam") == 0
