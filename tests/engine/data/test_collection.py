import json
from collections import Counter

import numpy as np
import pytest

from engine.data import DataError
from engine.data.collection import Collection, LabelledDrawing, PenStroke, render
from engine.preprocessing import BlankDrawing, prepare

SEVEN = (PenStroke(((80, 70), (200, 70), (130, 220))), PenStroke(((110, 140), (180, 140)), width=12))


def image_of(value):
    return np.full((28, 28), value, np.uint8)


def make_collection(*counts):
    """A collection with this many drawings of each label, by two writers in turn; no two images are the same."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    drawings = [LabelledDrawing(int(label), image_of(i + 1), writer="AB"[i % 2]) for i, label in enumerate(labels)]
    return Collection(tuple(drawings))


def test_a_drawing_is_prepared_as_on_the_canvas():
    drawing = LabelledDrawing.from_strokes(7, SEVEN, "Ada")
    assert (drawing.label, drawing.writer, drawing.strokes) == (7, "Ada", SEVEN)
    np.testing.assert_array_equal(drawing.image, np.rint(255 * prepare(render(SEVEN))))


def test_json_round_trip():
    drawing = LabelledDrawing.from_strokes(7, [*SEVEN, PenStroke(((180, 140),), 20, erases=True)], "Ada 👩‍🔬")
    back = LabelledDrawing.from_json(json.loads(json.dumps(drawing.to_json())))
    assert (back.label, back.writer, back.strokes) == (drawing.label, drawing.writer, drawing.strokes)
    np.testing.assert_array_equal(back.image, drawing.image)


def test_json_keeps_a_drawing_that_came_as_an_image():
    drawing = LabelledDrawing(3, np.arange(784, dtype=np.uint8).reshape(28, 28), writer="Ada")
    back = LabelledDrawing.from_json(json.loads(json.dumps(drawing.to_json())))
    assert (back.label, back.writer, back.strokes) == (3, "Ada", ())
    np.testing.assert_array_equal(back.image, drawing.image)


def changed(**changes):
    return {**LabelledDrawing.from_strokes(7, SEVEN, "Ada").to_json(), **changes}


def stroke(**changes):
    return changed(strokes=[{"points": [[80, 70], [200, 70]], **changes}])


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "drawing",
        {},
        *(changed(label=label) for label in (-1, 62, 7.0, "7", True, None, 10**400)),
        *(changed(writer=writer) for writer in (5, None, "x" * 41, "two\nlines", "\ud800", "\0")),
        *(changed(strokes=strokes) for strokes in (None, [], {}, "strokes", [5], [[]], [[[1, 2]]], [{}])),
        *(stroke(points=points) for points in (5, "ab", ["ab"], [[1]], [[1, 2, 3]], [["1", "2"]], [[True, 1]], {"ab": 1})),
        *(stroke(points=[[0, number]]) for number in (float("nan"), float("inf"), 1e9, -1e9, 10**400, None)),
        *(stroke(width=width) for width in (0, -3, 41, "wide", float("nan"), None)),
        *(changed(image=image) for image in (None, 5, "", "AAAA", "#" * 1048, "A" * 1048, "A" * 2000, "é" * 1048)),
        changed(strokes=[{"points": []}]),
        stroke(points=[[-500, -500], [-400, -400]]),  # outside the canvas
        changed(strokes=[{"points": [[80, 70], [200, 70]]}, {"points": [[80, 70], [200, 70]], "width": 40, "erases": True}]),
        changed(strokes=[{"points": [[1, 1]]}] * 201),
        stroke(points=[[1, 1]] * 5_001),
        changed(strokes=[{"points": [[1, 1]] * 1_000}] * 6),
    ],
)
def test_hostile_json_is_refused_in_one_line(value):
    with pytest.raises(DataError, match=r"^a drawing [^\n]+$"):
        LabelledDrawing.from_json(value)


def test_the_largest_drawing_is_accepted():
    points = [[i % 280, i // 280] for i in range(25)]
    drawing = LabelledDrawing.from_json({"label": 0, "strokes": [{"points": points}] * 200})
    assert len(drawing.strokes) == 200


def test_each_stroke_covers_those_before_it():
    line, eraser = PenStroke(((40, 140), (240, 140))), PenStroke(((140, 40), (140, 240)), 30, erases=True)
    image = render([line, eraser])
    assert image[140, 60] == image[140, 220] == 255
    assert not image[:, 126:154].any()
    again = render([line, eraser, line])
    np.testing.assert_array_equal(again, render([line]))
    assert not render([eraser]).any()


def test_an_erased_drawing_is_blank():
    with pytest.raises(BlankDrawing):
        LabelledDrawing.from_strokes(1, [SEVEN[0], PenStroke(SEVEN[0].points, 40, erases=True)])


def test_counts_and_writers():
    collection = make_collection(3, 5, 2)
    assert collection.counts() == Counter({0: 3, 1: 5, 2: 2})
    parts = collection.by_writer()
    assert list(parts) == ["A", "B"]
    assert parts["A"].drawings == collection.drawings[::2]
    assert parts["A"].name == "A"


def test_the_dataset_has_all_images_and_labels():
    collection = make_collection(3, 5)
    np.testing.assert_array_equal(collection.dataset.images, [drawing.image for drawing in collection])
    assert collection.dataset.labels.tolist() == [drawing.label for drawing in collection]
    assert collection.dataset.images.dtype == collection.dataset.labels.dtype == np.uint8
    assert Collection().dataset.images.shape == (0, 28, 28)


@pytest.mark.parametrize("counts", [(10,) * 10, (40, 8, 4), (7, 1, 1), (1, 1)])
def test_a_split_holds_back_of_each_label_its_share(counts):
    collection = make_collection(*counts)
    for size in range(len(collection) + 1):
        rest, held_back = collection.split(size, np.random.default_rng(0))
        assert len(held_back) == size
        assert set(rest) | set(held_back) == set(collection)
        assert len(rest) + len(held_back) == len(collection)
        for label, count in enumerate(counts):
            assert abs(held_back.counts()[label] - size * count / len(collection)) <= 1


def test_a_split_follows_its_seed_and_keeps_the_order():
    collection = make_collection(20, 20, 20)
    parts = [collection.split(15, np.random.default_rng(seed))[1].drawings for seed in (0, 0, 1)]
    assert parts[0] == parts[1]
    assert parts[0] != parts[2]
    positions = [collection.drawings.index(drawing) for drawing in parts[0]]
    assert positions == sorted(positions)
