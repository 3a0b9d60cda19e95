"""Straight marks that belong to the paper and not to the writing: ruled lines, frames and underlines.

A ruled line is taken away as staff lines are before printed music is read: only where no stroke crosses it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, the last two exclusive
Point = tuple[float, float]  # x, y in pixels
Mask = npt.NDArray[np.bool_]

MIN_FLATNESS = 3  # a pixel may belong to a line if the ink around it is this many times as long along the line as across
MAX_TILT = 0.2  # of a line's length: how far it may rise or fall
MAX_GAP = 1 / 50  # of the picture's length along the line: a crossing stroke, or a faint place
MIN_COVERED = 0.6  # of a line's length: so much of it must be inked
MIN_LINE = 0.08  # of the picture's length: shorter lines could be parts of digits
MAX_THICKNESS = 1 / 15  # of a line's length
MAX_WAVE = 0.004  # of a line's length: how far its points may lie from a parabola, beside its width
MAX_STRENGTH = 1.7  # of the line's median strength: stronger ink is not the line's
MAX_LINE_WIDTH = 1.8  # of the line's median width: where the ink is wider, a stroke crosses it
MIN_RULED_RUN = 1 / 3  # of the picture's side: a row or column of a drawing with so much ink may hold a ruled line
RULED = 40  # times its thickness: a longer line is printed, if there are more
MIN_FRAME_COVERED = 0.88  # of each side of a frame: so much of it must be inked
MAX_EDGE = 1 / 14  # of the picture's shorter side: how thick a line along the edge may be
MIN_EDGE_COVERED = 0.9  # of an edge: so much of it must be inked
MIN_INSIDE = 1 / 4  # of a frame's side: how high or wide the writing in it must be
MAX_UNEVENNESS, MIN_STRAIGHT = 0.05, 0.88  # of an underline's width: at most so far from straight, in so many columns
MAX_UNDERLINE_WIDTH = 1.4  # of its usual thickness: where the ink is higher, a stroke touches it
MAX_UNDERLINE_THICKNESS = 1 / 4  # of its width
MIN_REST = 0.4  # of an underline's width: the height of what it underlines
LOWER_PART, STEM = 0.4, 2.5  # if the lower part of a digit is not wider than this many times the line, it is a stem
MAX_ONE_WIDTH = 0.5  # of its height: a digit with a stem that is not wider may be a 1
MAX_FOOT_GAP = 0.7  # of an underline's thickness: the foot of a 1 is not farther away
MAX_LOOSE_FOOT_GAP, MAX_FOOT_WIDTH = 0.25, 1.5  # of the writing's height: the foot of a 2 is not farther or wider
MIN_OVERHANG, MAX_OVERHANG = 0.38, 2.7  # of its width and thickness: how far left of a stem it begins; that of a 2 does not


class StraightLine(NamedTuple):
    """A nearly horizontal or vertical straight line: its ``ends`` (x, y), its ``box`` and its ``pixels``, indices (K,).

    ``covered`` is the fraction of its length that is inked.
    """

    covered: float
    length: int
    thickness: float
    ends: tuple[Point, Point]
    box: Box
    pixels: npt.NDArray[np.integer]


def straight_lines(mask: Mask, strength: npt.NDArray[np.float32]) -> list[StraightLine]:
    """The straight lines in a mask (H, W), without the pixels where stronger or wider strokes cross them.

    A line must be at least 8 % as long as the picture. It may be tilted, bent a little, and interrupted.
    """
    height, width = mask.shape
    lines = _flat_lines(mask, strength, MIN_LINE * width)
    for covered, length, thickness, (start, end), (top, left, bottom, right), pixels in _flat_lines(
        np.ascontiguousarray(mask.T), np.ascontiguousarray(strength.T), MIN_LINE * height
    ):
        pixels = pixels % height * width + pixels // height
        ends = (start[1], start[0]), (end[1], end[0])
        lines.append(StraightLine(covered, length, thickness, ends, (left, top, right, bottom), pixels))
    return lines


def _flat_lines(mask: Mask, strength: npt.NDArray[np.float32], min_length: float) -> list[StraightLine]:
    from scipy import ndimage  # slow to import: the page is there first

    pixels, across = np.flatnonzero(mask), np.zeros(mask.size, np.int32)
    if not len(pixels):
        return []
    by_column = np.flatnonzero(mask.T)
    across[by_column % mask.shape[0] * mask.shape[1] + by_column // mask.shape[0]] = _run_lengths(by_column, mask.shape[0])
    flat = np.zeros(mask.shape, bool)
    flat.ravel()[pixels] = _run_lengths(pixels, mask.shape[1]) >= MIN_FLATNESS * across[pixels]
    gap = int(MAX_GAP * mask.shape[1]) | 1
    labels = label_pieces(ndimage.maximum_filter1d(flat.view(np.uint8), gap, axis=1))
    labels *= flat
    lines = []
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        if place is None or place[1].stop - place[1].start < min_length:
            continue
        y, x = np.nonzero(labels[place] == number)
        length = place[1].stop - place[1].start
        widths = across.reshape(mask.shape)[place][y, x]
        narrowest = np.full(length, len(across))
        np.minimum.at(narrowest, x, widths)
        columns = narrowest < len(across)
        thickness = np.median(narrowest[columns])
        if columns.mean() < MIN_COVERED or thickness > MAX_THICKNESS * length:
            continue
        is_thin = widths <= MAX_LINE_WIDTH * thickness + 1  # elsewhere, a flat stroke lies on the line
        y, x = y[is_thin], x[is_thin]
        curve = np.polyfit(x, y, 2)
        ends = np.polyval(curve, [0, length])
        far = np.percentile(np.abs(np.polyval(curve, x) - y), 80)
        if far > thickness + MAX_WAVE * length or np.ptp(ends) > MAX_TILT * length:
            continue
        typical = np.median(strength[place][y, x])
        middle = np.polyval(curve, np.arange(length)) + place[0].start
        reach = int(thickness / 2 + 2 + MAX_WAVE * length)
        rows = np.round(middle).astype(int) + np.arange(-reach, reach + 1)[:, None]
        spots = (np.clip(rows, 0, mask.shape[0] - 1) * mask.shape[1] + np.arange(place[1].start, place[1].stop)).ravel()
        spots = spots[mask.ravel()[spots]]
        is_line = (across[spots] <= MAX_LINE_WIDTH * thickness + 1) & (strength.ravel()[spots] < MAX_STRENGTH * typical)
        box = place[1].start, place[0].start, place[1].stop, place[0].stop
        points = (float(box[0]), float(middle[0])), (float(box[2]), float(middle[-1]))
        lines.append(StraightLine(float(columns.mean()), length, float(thickness), points, box, np.unique(spots[is_line])))
    return lines


def _run_lengths(pixels: npt.NDArray[np.integer], width: int) -> npt.NDArray[np.integer]:
    """For each of the pixels, sorted indices into rows of ``width`` pixels: how many follow each other around it."""
    starts = np.flatnonzero((np.diff(pixels, prepend=-2) != 1) | (pixels % width == 0))
    lengths = np.diff(starts, append=len(pixels))
    return np.repeat(lengths, lengths)


def frame(mask: Mask) -> Mask | None:
    """The rectangle in a mask (H, W), cropped to its ink, that encloses all other ink, if its inside is large enough."""
    if not is_frame(mask):
        return None
    labels = label_pieces(mask)
    pieces = (labels == number for number in np.unique(labels[0][mask[0]]))  # a frame touches the top of its box
    return next((piece for piece in pieces if is_frame(piece) and _is_large(mask & ~piece)), None)


def is_frame(mask: Mask) -> bool:
    """Whether a piece of ink, cropped to its box, is a rectangle: straight along all four sides."""
    return all(covered > MIN_FRAME_COVERED for covered in _sides(mask, *(max(2, side * 3 // 20) for side in mask.shape)))


def frame_at_edges(mask: Mask) -> Mask | None:
    """The lines along the picture's edges (H, W), if there are some, and writing that they do not touch is inside them."""
    if not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()):
        return None
    depth = max(2, int(MAX_EDGE * min(mask.shape)))
    covered = np.array(_sides(mask, depth, depth)) > MIN_EDGE_COVERED
    if not covered.any():
        return None
    labels = label_pieces(mask)
    inside = np.zeros(labels.max() + 1, bool)
    inside[labels[depth:-depth, depth:-depth]] = True
    lines = mask & ~inside[labels]
    rest = mask & ~lines
    if covered.sum() == 1:  # of a tightly cropped digit, this could be a stroke: the rest must keep clear of the edges
        rest_sides = rest[:depth], rest[-depth:], rest[:, :depth], rest[:, -depth:]
        if any(side.any() for side in rest_sides):
            return None
    return lines if lines.any() and _is_large(rest) else None


def _sides(mask: Mask, rows: int, columns: int) -> tuple[float, float, float, float]:
    """How much of the length of its top, bottom, left and right side is inked, within so many rows and columns."""
    top, bottom = (part.any(axis=0).mean() for part in (mask[:rows], mask[-rows:]))
    left, right = (part.any(axis=1).mean() for part in (mask[:, :columns], mask[:, -columns:]))
    return top, bottom, left, right


def _is_large(inside: Mask) -> bool:
    """Whether there is ink of at least a quarter of the picture's height, or of its width."""
    if not inside.any():
        return False
    left, top, right, bottom = box_of(inside)
    return max((bottom - top) / inside.shape[0], (right - left) / inside.shape[1]) > MIN_INSIDE


def is_ruled(line: StraightLine, others: Sequence[StraightLine]) -> bool:
    """Whether a line is as thin as only printed ones are, and at least two more of them have its direction."""
    is_flat = _is_flat(line)
    similar = [other for other in others if _is_flat(other) == is_flat and other.length > RULED * other.thickness]
    return len(similar) > 2 and line.length > RULED * line.thickness


def ruled_lines(strength: npt.NDArray[np.float32]) -> list[StraightLine]:
    """The lines of ruled paper in a drawing (H, W) in even light: at least three thin ones of one direction.

    Looks for them only if much of some rows or columns is inked, or both of their ends.
    """
    mask = strength > 0
    is_inked = [np.count_nonzero(mask, axis=1 - axis) > MIN_RULED_RUN * mask.shape[1 - axis] for axis in (0, 1)]
    ends = [(view[:, :2].any(axis=1), view[:, -2:].any(axis=1)) for view in (mask, mask.T)]
    # Comparing neighbours counts both sides of each line; a thick stroke is one line.
    changes = [min(np.count_nonzero(row[1:] != row[:-1]) for row in rows) for rows in [*zip(is_inked, strict=True), *ends]]
    if max(changes) < 5:
        return []
    lines = straight_lines(mask, strength)
    return [line for line in lines if is_ruled(line, lines)]


def _is_flat(line: StraightLine) -> bool:
    left, top, right, bottom = line.box
    return right - left > bottom - top


def joins(line: StraightLine, others: Sequence[StraightLine], reach: float) -> bool:
    """Whether both ends of a line lie on others, at most ``reach`` pixels away from them: it is a side of a table's cell."""
    return all(
        any(
            left - reach <= x <= right + reach and top - reach <= y <= bottom + reach
            for left, top, right, bottom in (other.box for other in others)
        )
        for x, y in line.ends
    )


def underline(mask: Mask) -> Mask | None:
    """The underline in a mask (H, W), cropped to its ink, if the lowest ink of all is one.

    It is straight, flat, and as wide as the rest above it. It may touch the rest, unless it then looks like the foot of a
    2, which begins at its left end, or of a 1.
    """
    part, width = mask[::-1], mask.shape[1]  # row 0 is the lowest
    below = part.argmax(axis=0)  # empty pixels below the lowest ink of each column
    quarter = width // 4
    slope = (int(below[width - 1 - quarter]) - int(below[quarter])) / max(width - 1 - 2 * quarter, 1)
    if abs(slope) > MAX_TILT or not mask.any(axis=0).all():
        return None
    straight = below[quarter] + slope * (np.arange(width) - quarter)
    if np.count_nonzero(np.abs(below - straight) <= MAX_UNEVENNESS * width + 1) < MIN_STRAIGHT * width:
        return None
    rows = np.arange(len(part))[:, None]
    is_gap = (rows >= below) & ~part
    heights = np.where(is_gap.any(axis=0), is_gap.argmax(axis=0), len(part)) - below  # of the lowest ink in each column
    thickness = np.percentile(heights, 35)
    top = below + MAX_UNDERLINE_WIDTH * thickness
    rest = part & (rows >= top)
    rest_rows, rest_columns = np.flatnonzero(rest.any(axis=1)), np.flatnonzero(rest.any(axis=0))
    if thickness > MAX_UNDERLINE_THICKNESS * width or not len(rest_rows):
        return None
    rest_height, rest_width = (1 + int(np.ptp(places)) for places in (rest_rows, rest_columns))
    if rest_height < max(2 * thickness, MIN_REST * width):
        return None
    lower = rest[rest_rows[0] : rest_rows[0] + max(1, int(LOWER_PART * rest_height))]
    is_stem = np.quantile(lower.shape[1] - lower.argmax(axis=1) - lower[:, ::-1].argmax(axis=1), 0.8) <= STEM * thickness
    distance = (rest.argmax(axis=0) - below - heights)[rest_columns].min()
    if is_stem and rest_width < MAX_ONE_WIDTH * rest_height and distance < MAX_FOOT_GAP * thickness:  # a 1 with its foot
        return None
    touching = np.flatnonzero(heights > MAX_UNDERLINE_WIDTH * thickness)
    if len(touching):
        before, after = touching[0], width - 1 - touching[-1]
        if min(before, after) < thickness or (is_stem and before < min(MIN_OVERHANG * width, MAX_OVERHANG * thickness)):
            return None
    return (part & ~rest)[::-1]


def straight_marks(mask: Mask) -> list[Mask]:
    """The masks (H, W) of a frame along the picture's edges or round the writing, and of an underline, if there are any."""
    marks = []
    edges = frame_at_edges(mask)
    if edges is not None:
        marks.append(edges)
        mask = mask & ~edges
    for find in (frame, underline):
        left, top, right, bottom = box_of(mask)
        mark = find(mask[top:bottom, left:right])
        if mark is not None:
            whole = np.zeros(mask.shape, bool)
            whole[top:bottom, left:right] = mark
            marks.append(whole)
            mask = mask & ~whole
    return marks


def touches(mark: Mask, mask: Mask) -> bool:
    """Whether a mark (H, W) and the rest of the mask are one piece of ink."""
    labels = label_pieces(mask)
    return bool(np.isin(labels[mask & ~mark], np.unique(labels[mark])).any())


def may_be_foot(mark: Mask, mask: Mask) -> bool:
    """Whether a mark (H, W) touches the rest of the mask, or lies close under it and is as wide as one digit at most."""
    rest = mask & ~mark
    if not rest.any():
        return False
    (left, top, right, _), (_, rest_top, _, rest_bottom) = box_of(mark), box_of(rest)
    height = rest_bottom - rest_top
    is_under = top > rest_top and top - rest_bottom < MAX_LOOSE_FOOT_GAP * height
    return (is_under and right - left <= MAX_FOOT_WIDTH * height) or touches(mark, mask)


def weighted_median(values: npt.NDArray, weights: npt.NDArray) -> float:
    """The value below which lies half of the weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def label_pieces(mask: npt.NDArray) -> npt.NDArray[np.int32]:
    """The number (H, W) of the piece of ink that each pixel belongs to, from 1, 0 for none. Ink may touch by a corner."""
    from scipy import ndimage  # slow to import: the page is there first

    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3, 3)), output=labels)
    return labels


def boxes_of(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.integer]:
    """The boxes (K + 1, 4) of pieces by their numbers, which has zeros for 0."""
    from scipy import ndimage

    return np.array([(0, 0, 0, 0), *((x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels))])


def gaps(box: npt.NDArray[np.integer], boxes: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """How many pixels lie between boxes (..., 4) across and down, (..., 2); below 0 where they overlap."""
    return np.maximum(box[..., :2], boxes[..., :2]) - np.minimum(box[..., 2:], boxes[..., 2:])


def box_of(mask: Mask) -> Box:
    """The box round the ink of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
