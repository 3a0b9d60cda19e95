"""A drawing is taken apart into lines of writing and their atoms, without a network."""

from itertools import chain

import numpy as np
import pytest

from engine.pen import draw_strokes
from engine.preprocessing import find_ink
from engine.segmentation import MAX_CUTS, MAX_LEFT_OUT, MAX_PIECES, find_seams, segment


def boxes(*places, shape=(300, 300)):
    """Ink that fills these boxes (left, top, right, bottom)."""
    ink = np.zeros(shape, np.float32)
    for left, top, right, bottom in places:
        ink[top:bottom, left:right] = 1
    return ink


def placed(parts):
    """The atoms' boxes of each line, in the pixels of the drawing."""
    return [
        [tuple((box + np.array(corner * 2)).tolist()) for box in line.boxes]
        for line, corner in zip(parts.lines, parts.corners, strict=True)
    ]


def zeros(overlap):
    """Two ellipses side by side."""
    angle = np.linspace(0, 2 * np.pi, 40)
    ellipse = np.stack([40 * np.cos(angle), 60 * np.sin(angle)], axis=1)
    return find_ink(draw_strokes([np.add(ellipse, [70, 140]), np.add(ellipse, [160 - overlap, 140])], 280, 12))


def test_one_piece_is_one_atom():
    parts = segment(boxes((30, 40, 60, 120)))
    assert placed(parts) == [[(30, 40, 60, 120)]]
    (line,) = parts.lines
    assert (line.height, line.candidates(), line.is_cut) == (80, [(0, 0)], False)
    assert line.ink_of(0, 0).shape == (80, 30)


def test_ink_that_touches_by_a_corner_is_one_piece():
    staircase = boxes(*[(corner, corner, corner + 4, corner + 4) for corner in range(4, 36, 4)])
    assert placed(segment(staircase)) == [[(4, 4, 36, 36)]]


def test_pieces_above_each_other_are_one_atom_and_those_side_by_side_are_several():
    seven, bar, one = (20, 40, 60, 140), (30, 20, 70, 34), (90, 40, 100, 140)
    assert placed(segment(boxes(seven, bar, one))) == [[(20, 20, 70, 140), one]]


def test_tall_pieces_may_overlap_horizontally():
    slanted = [[(60, 40), (10, 140)], [(100, 40), (50, 140)]]
    (line,) = segment(find_ink(draw_strokes(slanted, 280, 8))).lines
    assert len(line.boxes) == 2
    for atom in range(2):  # the other one's ink is left out of its box
        assert line.ink_of(atom, atom).sum() == pytest.approx(line.ink.sum() / 2, rel=0.02)


@pytest.mark.parametrize("rise", [-0.15, 0, 0.15])
def test_lines_of_writing_may_rise_or_fall(rise):
    rows = [
        [(x, int(top + rise * x), x + 20, int(top + rise * x) + 40) for x in range(10, 500, 60)] for top in (90, 180, 270)
    ]
    assert placed(segment(boxes(*chain(*rows), shape=(420, 520)))) == rows


def test_lines_may_differ_in_height_and_begin_anywhere():
    large, small = [(10, 10, 50, 110), (70, 20, 110, 112)], [(x, 200, x + 14, 230) for x in range(150, 250, 25)]
    assert placed(segment(boxes(*large, *small))) == [large, small]


def test_specks_belong_to_what_is_close_or_are_left_out():
    digit, close, far, tiny = (50, 50, 100, 150), (106, 100, 116, 110), (200, 250, 212, 262), (250, 20, 252, 22)
    parts = segment(boxes(digit, close, far, tiny))
    assert placed(parts) == [[(50, 50, 116, 150)]]
    assert parts.left_out == [far]  # the tiny one is not worth a word
    np.testing.assert_array_equal(parts.ink, boxes(digit, close))


def test_a_decimal_point_belongs_to_no_digit_however_close():
    digits, point, dirt = [(50, 50, 60, 150), (80, 50, 90, 150)], (63, 138, 75, 150), (63, 100, 75, 112)
    parts = segment(boxes(*digits, point))
    assert (placed(parts), parts.left_out) == ([digits], [point])
    assert segment(boxes(*digits, dirt)).left_out == []  # a part of the first one


def test_neighbours_are_candidates_unless_they_are_too_wide_together():
    (line,) = segment(boxes((0, 0, 40, 100), (60, 0, 100, 100), (220, 0, 260, 100))).lines
    assert line.candidates() == [(0, 0), (0, 1), (1, 1), (2, 2)]
    np.testing.assert_allclose(line.gaps, [0.2, 1.2])


@pytest.mark.parametrize("overlap", [0, 8])
def test_a_seam_runs_where_two_zeros_touch(overlap):
    (line,) = segment(zeros(overlap)).lines
    assert len(line.boxes) == 1
    seams, costs = find_seams(line.ink, line.height)
    assert np.abs(seams.mean(axis=1) - line.ink.shape[1] / 2).min() < 0.05 * line.height
    assert (np.diff(seams, axis=0) >= 0).all()  # from left to right, and they do not cross
    assert max(costs) < 0.5


def test_a_line_that_is_cut_has_the_same_ink():
    (line,) = segment(zeros(4)).lines
    cut = line.cut({0})
    assert cut.is_cut
    assert len(cut.boxes) > 4
    assert (0, len(cut.boxes) - 1) in cut.candidates()  # the piece as it was
    np.testing.assert_array_equal(cut.ink_of(0, len(cut.boxes) - 1), line.ink_of(0, 0))
    total = sum(cut.ink_of(atom, atom).sum() for atom in range(len(cut.boxes)))
    assert total == pytest.approx(line.ink.sum(), rel=1e-5)


def test_only_the_doubtful_atoms_are_cut():
    one = (260, 80, 270, 200)
    (line,) = segment(np.maximum(zeros(4), boxes(one, shape=(280, 280)))).lines
    cut = line.cut({0})
    assert np.isnan(cut.cuts[-1])
    np.testing.assert_array_equal(cut.boxes[-1], line.boxes[-1])
    assert line.cut({1}).boxes[0].tolist() == line.boxes[0].tolist()


def test_a_solid_bar_can_be_cut():
    (line,) = segment(boxes((50, 0, 60, 300))).lines
    assert line.cut({0}).ink_of(0, 0).any()


def test_of_thousands_of_pieces_only_the_largest_are_kept():
    rng, ink = np.random.default_rng(0), np.zeros((1000, 1000), np.float32)
    for row in range(5, 980, 20):
        for column in range(5, 980, 20):
            ink[row : row + rng.integers(6, 14), column : column + rng.integers(4, 14)] = 1
    parts = segment(ink)
    assert sum(len(line.boxes) for line in parts.lines) <= MAX_PIECES
    assert len(parts.left_out) == MAX_LEFT_OUT


def test_a_piece_is_cut_in_a_few_places_and_a_straight_line_in_none():
    comb = boxes((0, 40, 600, 44), *((left, 0, left + 4, 80) for left in range(0, 600, 6)), shape=(80, 600))
    (line,) = segment(comb).lines
    assert 1 < len(line.cut([0]).boxes) <= 1 + MAX_CUTS
    (line,) = segment(boxes((0, 40, 1500, 44), (10, 0, 60, 100), shape=(100, 1500))).lines
    assert len(line.cut(range(len(line.boxes))).boxes) == len(line.boxes)
