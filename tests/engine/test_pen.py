"""The pen: lines have their width and round ends, and many drawings at once look like each drawn alone."""

import numpy as np
import pytest

from engine.pen import draw_many, draw_strokes, fit_strokes

rows, columns = np.mgrid[:280, :280] + 0.5  # the pixels' centres


def distance(start, end):
    """The distance of every pixel's centre from the line between two points."""
    (ax, ay), (bx, by) = start, end
    length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
    t = np.clip(((columns - ax) * (bx - ax) + (rows - ay) * (by - ay)) / length, 0, 1)
    return np.hypot(columns - ax - t * (bx - ax), rows - ay - t * (by - ay))


@pytest.mark.parametrize("width", [6, 18, 31])
@pytest.mark.parametrize(
    ("start", "end"),
    [((60, 140), (220, 140)), ((140, 60), (140, 220)), ((70, 80), (200, 190)), ((99, 99), (99, 99))],
)
def test_a_line_has_its_width_and_round_caps(start, end, width):
    image = draw_strokes([[start, end]], width=width)
    away = distance(start, end)
    assert image.shape == (280, 280)
    assert image.dtype == np.uint8
    assert (image[away < width / 2 - 1.5] == 255).all()
    assert (image[away > width / 2 + 1.5] == 0).all()
    length = np.hypot(end[0] - start[0], end[1] - start[1])
    area, outline = length * width + np.pi * width**2 / 4, 2 * length + np.pi * width
    assert image.sum() / 255 == pytest.approx(area, abs=0.3 * outline)


def test_a_dot_is_drawn_at_its_point():
    image = draw_strokes([[(100, 60)]])
    assert (image * columns).sum() / image.sum() == pytest.approx(100, abs=0.5)
    assert (image * rows).sum() / image.sum() == pytest.approx(60, abs=0.5)


def test_joints_are_round_and_strokes_are_not_joined():
    image = draw_strokes([[(50, 50), (150, 150), (50, 250)], [(250, 40), (250, 240)]])
    assert (image[distance((150, 150), (150, 150)) < 7.5] == 255).all()
    assert (image[:, 180:230] == 0).all()


def test_every_stroke_may_have_its_own_width():
    image = draw_strokes([[(40, 60), (240, 60)], [(40, 200), (240, 200)]], width=(4, 40))
    assert np.count_nonzero(image[:130, 140]) == pytest.approx(4, abs=1)
    assert np.count_nonzero(image[130:, 140]) == pytest.approx(40, abs=1)


def test_without_strokes_the_image_is_black():
    assert not draw_strokes([]).any()


@pytest.mark.parametrize("place", [(0, 0), (1, 0), (0.5, 0.5), (1, 1)])
def test_fitting_scales_the_longer_side_and_places_the_box(place):
    strokes = [[(5, 7), (10, 7)], [(7, 3), (7, 23)]]  # 5 x 20
    points = np.concatenate(fit_strokes(strokes, 0.7, place=place))
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(high - low, [0.7 * 280 / 4, 0.7 * 280])
    np.testing.assert_allclose(low, [(280 - 49) * place[0], (280 - 196) * place[1]])


def test_fitting_a_single_point_does_not_divide_by_zero():
    assert np.isfinite(fit_strokes([[(3, 3)]], 0.7)[0]).all()


def test_many_drawings_at_once_look_like_each_drawn_alone():
    """With any number of strokes and any width, also for single dots and sharp corners; only the edges differ slightly."""
    rng = np.random.default_rng(7)
    drawings = [[rng.uniform(20, 100, (rng.integers(1, 6), 2)) for _ in range(rng.integers(1, 4))] for _ in range(150)]
    widths = rng.uniform(3, 20, 150)
    images = draw_many(drawings, widths, 120)
    assert (images.shape, images.dtype) == ((150, 120, 120), np.uint8)
    for image, strokes, width in zip(images, drawings, widths, strict=True):
        alone = draw_strokes(strokes, 120, width)
        assert np.abs(image / 255 - alone / 255).mean() < 0.02
        assert (np.abs(image / 255.0 - alone / 255.0) > 0.75).mean() < 0.001
    assert draw_many([], np.empty(0), 120).shape == (0, 120, 120)
