"""A history beside the list that it stands for."""

import tracemalloc

import numpy as np
import pytest

from engine.history import History
from engine.training import EpochEnd


def ends(count, validated=True):
    rng = np.random.default_rng(count)
    for epoch in range(1, count + 1):
        loss, accuracy, seconds = rng.random(3).tolist()
        validation = (rng.random(), rng.random()) if validated else (None, None)
        yield EpochEnd(epoch, 7 * epoch, loss, accuracy, *validation, 1000.5, seconds)


@pytest.mark.parametrize("validated", [True, False])
def test_it_is_the_list_of_its_events(validated):
    events = list(ends(9, validated))
    history = History(EpochEnd, events)
    assert len(history) == 9
    assert history == events
    assert history != events[:-1]
    assert history == History(EpochEnd, events)
    assert (history[0], history[-1], history[2:-3]) == (events[0], events[-1], events[2:-3])
    assert [type(value) for value in history[4]] == [type(value) for value in events[4]]
    for outside in (9, -10):
        with pytest.raises(IndexError):
            history[outside]
    for name in EpochEnd._fields:
        expected = np.array([getattr(event, name) for event in events], float)
        np.testing.assert_array_equal(history.column(name), expected)
    assert not History(EpochEnd)
    assert History(EpochEnd).column("loss").shape == (0,)


def test_what_was_so_far_stays_so():
    history = History(EpochEnd, ends(5))
    then = history.so_far()
    losses = then.column("loss")
    for event in ends(200):
        history.append(event)
    assert then == list(ends(5))
    assert (len(then), len(history)) == (5, 205)
    np.testing.assert_array_equal(then.column("loss"), losses)


def test_it_takes_a_fraction_of_the_lists_memory():
    def held(make):
        tracemalloc.start(10)
        kept = make(EpochEnd(*map(float, end[:4]), *end[4:]) for end in ends(5_000))
        ours = tracemalloc.Filter(True, __file__, all_frames=True)  # other threads allocate meanwhile
        size = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([ours]).traces)
        tracemalloc.stop()
        assert len(kept) == 5_000
        return size

    assert held(lambda events: History(EpochEnd, events)) < held(list) / 3
