import importlib

import numpy as np
import pytest
from helpers import need

from engine.components import connected_components


def mask(*lines):
    return np.array([[letter != "." for letter in line] for line in lines])


def found(components):
    return [(*box, area) for box, area in zip(components.boxes.tolist(), components.areas.tolist(), strict=True)]


def test_parts_that_touch_by_a_corner_are_one():
    components = connected_components(mask("#..#", ".#..", "..#.", "#..."))
    assert found(components) == [(0, 0, 3, 3, 3), (3, 0, 4, 1, 1), (0, 3, 1, 4, 1)]
    assert components.labels.tolist() == [[0, -1, -1, 1], [-1, 0, -1, -1], [-1, -1, 0, -1], [2, -1, -1, -1]]


def test_arms_that_meet_only_at_the_end_are_one():
    components = connected_components(mask("#.#.#.#.#", "#.#.#.#.#", "###.###.#", "........#", "###.#.#.#", "#.#######"))
    assert found(components) == [(0, 0, 3, 3, 7), (4, 0, 7, 3, 7), (0, 0, 9, 6, 18)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 6)])
def test_nothing_and_everything(shape):
    assert found(connected_components(np.zeros(shape, bool))) == []
    assert found(connected_components(np.ones(shape, bool))) == [(0, 0, shape[1], shape[0], shape[0] * shape[1])]


def test_agrees_with_scipy():
    try:
        ndimage = importlib.import_module("scipy.ndimage")
    except ModuleNotFoundError:
        need("peers", "SciPy is not installed; tests/peers.txt brings it")
    rng = np.random.default_rng(0)
    for _ in range(200):
        block = np.ones(rng.integers(1, 4, 2), bool)
        sheet = np.kron(rng.random(rng.integers(1, 25, 2)) < rng.random(), block)
        labels, count = ndimage.label(sheet, np.ones((3, 3)))
        components = connected_components(sheet)
        assert len(components.areas) == count
        # the same parts, whatever their numbers
        pairs = set(zip(labels.ravel().tolist(), components.labels.ravel().tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        for number, (box, area) in enumerate(zip(components.boxes, components.areas, strict=True)):
            rows, columns = np.nonzero(components.labels == number)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert area == len(rows)
