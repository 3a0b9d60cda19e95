"""Take a drawing apart: pieces of ink, lines of writing, and the atoms of which a line's digits are made.

This is over-segmentation (LeCun et al., 1998, section VII): an atom is at most one digit. Neighbouring atoms are the
candidates for digits, and a network says which of them look like one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.decimal_point import decimal_points
from engine.preprocessing import Box, fit
from engine.ruling import box_of, boxes_of, gaps, label_pieces, weighted_median

Boxes = npt.NDArray[np.integer]  # (K, 4)
Pixels = npt.NDArray[np.float32]

MAX_PIECES = 150  # the largest pieces of ink that are looked at: a page of a newspaper has thousands
MAX_LEFT_OUT = 50  # that are reported
# Lengths are fractions of the height of the writing.
SPECK = 0.2  # what is smaller in both directions is no digit
MIN_NOTICED = 0.06  # a speck that is left out is reported if it is so large
CLOSE = 0.15  # a speck that is as close to a larger piece belongs to it
LOW = 0.5  # what is lower is a part of a digit, such as the bar of a 5
MIN_LINE_OVERLAP = 0.4  # of the lower one's height: if so much of two pieces is at one height, they are on one line
MIN_OVERLAP = 0.4  # of the narrower one's width: a low piece above or below so much of another one belongs to it
MAX_DIGIT_WIDTH = 1.8  # of a candidate
MAX_JOINED = 6  # atoms in one candidate
MIN_PART = 0.12  # between two cuts
CUTS_PER_HEIGHT, MAX_CUTS = 4, 12  # of one piece: for each width that is as long as the writing is high, and in all
MAX_CUT_PIECES, MAX_FLATNESS = 40, 8  # pieces that are cut in one line; of its height: a wider piece is a straight line
SEAM_HEIGHT = 40  # pixels of the writing's height that are enough to find where to cut
SEAM_INSIDE = 0.2  # ink that crossing a pixel between two strokes above each other counts as: a loop is one digit's
SEAM_BEND = 0.15  # ink that a step to the side counts as: a straight cut is as good as one that evades little ink
SLANTS = (-0.3, 0, 0.3)  # of straight cuts: steps to the right for each row upwards
MIN_NOTCH = 0.3  # how much lower the ink is where two digits meet than on both sides
NOTCH = 0.4  # ink that each pixel of the height there counts as


@dataclass(frozen=True, eq=False)
class Line:
    """One line of writing, as K atoms from left to right.

    ``atom_of_pixel`` (H, W) has each pixel's atom, and -1 where the line has no ink. ``boxes`` (K, 4) are the atoms' boxes,
    in its pixels. ``gaps`` (K - 1,) is how far apart neighbours are horizontally, 0 where they touch; ``cuts`` (K - 1,) is
    how much ink was cut between them, NaN where nothing was. Both are fractions of ``height``, that of the digits.
    """

    ink: Pixels
    atom_of_pixel: npt.NDArray[np.integer]
    boxes: Boxes
    height: float
    gaps: npt.NDArray[np.floating]
    cuts: npt.NDArray[np.floating]

    def candidates(self) -> list[tuple[int, int]]:
        """The first and last atom of everything that may be a digit: neighbours that are not too wide together.

        What was one piece of ink before it was cut is always among them.
        """
        starts = [0, *(np.flatnonzero(np.isnan(self.cuts)) + 1).tolist(), len(self.boxes)]
        pairs = {(first, after - 1) for first, after in pairwise(starts)}
        for first in range(len(self.boxes)):
            for last in range(first, min(first + MAX_JOINED, len(self.boxes))):
                left, _, right, _ = self.box(first, last)
                if last == first or right - left <= MAX_DIGIT_WIDTH * self.height:
                    pairs.add((first, last))
        return sorted(pairs)

    def box(self, first: int, last: int) -> Box:
        """The box around these atoms and those between them."""
        left, top, right, bottom = _around(self.boxes[first : last + 1]).tolist()
        return left, top, right, bottom

    def ink_of(self, first: int, last: int) -> Pixels:
        """The ink of these atoms alone, within their box."""
        left, top, right, bottom = self.box(first, last)
        atoms = self.atom_of_pixel[top:bottom, left:right]
        return np.where((atoms >= first) & (atoms <= last), self.ink[top:bottom, left:right], np.float32(0))

    def image_of(self, first: int, last: int) -> Pixels:
        """These atoms as a network sees them, (28, 28)."""
        return fit(self.ink_of(first, last))

    @property
    def is_cut(self) -> bool:
        return not np.isnan(self.cuts).all()

    def cut(self, atoms: Collection[int]) -> "Line":
        """The line with these atoms cut wherever they might be two digits."""
        atom_of_pixel, cuts, num_added = self.atom_of_pixel.copy(), [], 0
        flat = {
            atom
            for atom, (left, top, right, bottom) in enumerate(self.boxes)
            if right - left > MAX_FLATNESS * (bottom - top)
        }
        atoms = set(sorted({*atoms} - flat)[:MAX_CUT_PIECES])
        for atom, box in enumerate(self.boxes.tolist()):
            left, top, right, bottom = box
            is_own = self.atom_of_pixel[top:bottom, left:right] == atom
            view = atom_of_pixel[top:bottom, left:right]
            view[is_own] += num_added
            if atom in atoms:
                seams, costs = find_seams(self.ink_of(atom, atom), self.height)
                for seam in seams:
                    view += is_own & (np.arange(right - left) >= seam[:, None])
                num_added += len(seams)
                cuts += costs
            cuts.append(np.nan)
        return _line(self.ink, atom_of_pixel, self.height, np.array(cuts[:-1]))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The lines of writing from top to bottom, and what was too small to be a part of one.

    ``ink`` (H, W) is the drawing without that. The lines' pixels begin at ``corners`` (left, top), one for each line.
    """

    ink: Pixels
    lines: list[Line]
    corners: list[tuple[int, int]]
    left_out: list[Box]


def segment(ink: Pixels) -> Segmentation:
    """Take ink (H, W), as ``find_ink`` returns it, apart."""
    left, top, right, bottom = box_of(ink > 0)
    inside = ink[top:bottom, left:right]
    labels = label_pieces(inside > 0)
    count = int(labels.max())
    if count == 1:
        box = np.array([[0, 0, right - left, bottom - top]])
        atom_of_pixel = (labels - 1).astype(np.int16)
        return Segmentation(
            ink, [Line(inside, atom_of_pixel, box, bottom - top, np.empty(0), np.empty(0))], [(left, top)], []
        )
    labelled_boxes = boxes_of(labels)
    boxes = labelled_boxes[1:]
    mass = np.bincount(labels.ravel(), inside.ravel(), count + 1)[1:]
    owner = _owners(boxes, mass)
    is_piece = owner == np.arange(count)
    if not is_piece.all():
        owner[decimal_points(labels, labelled_boxes, np.append(False, is_piece), np.append(False, ~is_piece))[1:]] = -1
    pieces = np.flatnonzero(is_piece)
    lines, corners = [], []
    for group in _lines(boxes[pieces]):
        members = pieces[group]
        height = weighted_median(boxes[members, 3] - boxes[members, 1], mass[members])
        atom_of_piece = np.full(count, -1)
        atom_of_piece[members] = _atoms(boxes[members], height)
        is_on_line = np.isin(owner, members)
        atom_of_piece[is_on_line] = atom_of_piece[owner[is_on_line]]
        x, y, x_end, y_end = _around(boxes[is_on_line])
        atom_of_label = np.append(-1, atom_of_piece).astype(np.int16)
        lines.append(_line(inside[y:y_end, x:x_end], atom_of_label[labels[y:y_end, x:x_end]], height))
        corners.append((left + int(x), top + int(y)))
    is_left_out = owner < 0
    if not is_left_out.any():
        return Segmentation(ink, lines, corners, [])
    is_large = np.ptp(boxes.reshape(-1, 2, 2), axis=1).max(axis=1) >= MIN_NOTICED * max(line.height for line in lines)
    noticed = boxes[is_left_out & is_large][:MAX_LEFT_OUT] + np.array([left, top] * 2)
    ink = ink.copy()
    ink[top:bottom, left:right][np.append(False, is_left_out)[labels]] = 0
    return Segmentation(ink, lines, corners, [(a, b, c, d) for a, b, c, d in noticed.tolist()])


def find_seams(ink: Pixels, height: float) -> tuple[npt.NDArray[np.integer], list[float]]:
    """Where to cut ink (H, W) of a line of this height: seams (S, H), the column right of each cut, and the ink under each.

    Cuts are straight lines through notches, and seams: the ways down the ink that cross least of it (Avidan and Shamir,
    "Seam carving", 2007). The ink under one is a length, as a fraction of ``height``.
    """
    factor = min(1.0, SEAM_HEIGHT / height)
    size = max(2, round(ink.shape[1] * factor)), max(2, round(ink.shape[0] * factor))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX), np.float32)
    width, num_rows = size
    is_inked = small > 0.5
    is_inside = np.logical_or.accumulate(is_inked) & np.logical_or.accumulate(is_inked[::-1])[::-1]
    small = np.where(is_inside, np.maximum(small, np.float32(SEAM_INSIDE)), small)
    cost, steps = small[0], np.empty((num_rows, width), np.int8)
    for row in range(1, num_rows):
        beside = np.pad(cost + SEAM_BEND, 1, constant_values=np.inf)
        choices = np.stack([beside[:-2], cost, beside[2:]])
        steps[row] = choices.argmin(axis=0) - 1
        cost = choices.min(axis=0) + small[row]
    paths = np.empty((num_rows, width), int)
    paths[-1] = np.arange(width)
    for row in range(num_rows - 1, 0, -1):
        paths[row - 1] = paths[row] + steps[row, paths[row]]
    notch_paths, notch_costs = _notches(is_inked, height * factor)
    order = np.argsort(cost, kind="stable")
    paths, cost = np.hstack([notch_paths, paths[:, order]]), np.append(notch_costs, cost[order])
    middle, min_part = paths.mean(axis=0), MIN_PART * height * factor
    chosen: list[int] = []
    max_cuts = min(CUTS_PER_HEIGHT * width / (height * factor), MAX_CUTS)
    for end in np.flatnonzero((min_part <= middle) & (middle <= width - min_part)).tolist():
        if len(chosen) >= max_cuts:
            break
        if all(abs(middle[end] - middle[other]) >= min_part for other in chosen):
            chosen.append(end)
    chosen.sort(key=lambda end: middle[end])
    row_of = np.minimum((np.arange(ink.shape[0]) * num_rows) // ink.shape[0], num_rows - 1)
    seams = np.round((paths[row_of][:, chosen].T + 0.5) * ink.shape[1] / width).astype(int)
    return np.sort(seams, axis=0), [float(cost[end] / (height * factor)) for end in chosen]


def _notches(is_inked: npt.NDArray[np.bool_], height: float) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.floating]]:
    """Straight lines down the ink where it is lower than on both sides, the lowest first: columns (H, N), and costs (N,)."""
    num_rows, width = is_inked.shape
    rows = np.arange(num_rows)
    paths, costs = [], []
    for slant in SLANTS:
        columns = np.arange(width) + np.round(slant * (num_rows / 2 - rows)).astype(int)[:, None]  # (H, W)
        ink = is_inked[rows[:, None], np.clip(columns, 0, width - 1)] & (columns >= 0) & (columns < width)
        extent = np.where(ink.any(axis=0), num_rows - ink[::-1].argmax(axis=0) - ink.argmax(axis=0), 0)
        before, after = np.maximum.accumulate(extent), np.maximum.accumulate(extent[::-1])[::-1]
        is_notch = (extent <= np.minimum(before, after) - MIN_NOTCH * height) & (extent > 0)
        reach = max(1, round(MIN_PART * height))
        for column in np.flatnonzero(is_notch):
            near = extent[max(0, column - reach) : column + reach + 1]
            if extent[column] == near.min():
                paths.append(np.clip(columns[:, column], 0, width))
                costs.append(NOTCH * float(extent[column]))
    order = np.argsort(costs, kind="stable")
    return np.array(paths, int).reshape(-1, num_rows)[order].T, np.array(costs, float)[order]


def _line(
    ink: Pixels, atom_of_pixel: npt.NDArray[np.integer], height: float, cuts: npt.NDArray[np.floating] | None = None
) -> Line:
    """The line with these atoms; those without a pixel are left out."""
    from scipy import ndimage

    found = ndimage.find_objects(atom_of_pixel + 1)
    used = [number for number, place in enumerate(found) if place is not None]
    boxes = np.array([(c.start, r.start, c.stop, r.stop) for r, c in (found[number] for number in used)])
    if len(used) < len(found):
        new = np.full(len(found) + 1, -1, np.int16)
        new[np.array(used) + 1] = np.arange(len(used))
        atom_of_pixel = new[atom_of_pixel + 1]
    if cuts is None:
        cuts = np.full(len(boxes) - 1, np.nan)
    else:
        cuts = np.array([cuts[before:after].max() for before, after in pairwise(used)])  # NaN if one is
    right = np.maximum.accumulate(boxes[:, 2])
    gaps = np.maximum(boxes[1:, 0] - right[:-1], 0) / height
    return Line(ink, atom_of_pixel, boxes, height, np.where(np.isnan(cuts), gaps, 0), cuts)


def _owners(boxes: Boxes, mass: npt.NDArray) -> npt.NDArray[np.integer]:
    """For each piece of ink (K, 4) the piece that it belongs to: itself, a larger one close to it, or none (-1)."""
    heights = boxes[:, 3] - boxes[:, 1]
    height = weighted_median(heights, mass)
    owner = np.arange(len(boxes))
    is_speck = np.maximum(heights, boxes[:, 2] - boxes[:, 0]) < SPECK * height
    large = np.flatnonzero(~is_speck)
    if len(large) > MAX_PIECES:
        owner[large] = -1
        large = large[np.argsort(-mass[large])[:MAX_PIECES]]
        owner[large] = large
    for piece in np.flatnonzero(is_speck):
        distance = np.hypot(*np.maximum(gaps(boxes[piece], boxes[large]), 0).T)
        nearest = distance.argmin()
        owner[piece] = large[nearest] if distance[nearest] <= CLOSE * height else -1
    return owner


def _lines(boxes: Boxes) -> list[npt.NDArray[np.integer]]:
    """The pieces (K, 4) of each line of writing, from top to bottom.

    A piece is on the same line as its neighbour to the right at about the same height, so that lines may rise and fall.
    """
    heights, middles = boxes[:, 3] - boxes[:, 1], boxes[:, 0] + boxes[:, 2]
    across, down = np.moveaxis(gaps(boxes[:, None], boxes), -1, 0)  # (K, K) each
    across = np.maximum(across, 0)
    distance = np.hypot(across, np.maximum(down, 0))
    is_part = (heights[:, None] < LOW * heights) & (distance < LOW * heights)  # of the other one
    is_low = is_part.any(axis=1)
    is_beside = -down >= MIN_LINE_OVERLAP * np.minimum(heights[:, None], heights)
    is_beside &= ~is_low & (
        (middles > middles[:, None]) | ((middles == middles[:, None]) & np.tri(len(boxes), k=-1, dtype=bool).T)
    )
    line_of = np.arange(len(boxes))
    for follows, length in ((is_beside, across), (is_part, distance)):
        for piece in np.flatnonzero(follows.any(axis=1) & (is_low == (follows is is_part))):
            other = int(np.where(follows[piece], length[piece], np.inf).argmin())
            line_of[line_of == line_of[piece]] = line_of[other]
    for line in np.unique(line_of):  # parts of a broken digit may be at the height of no single neighbour
        own, others = boxes[line_of == line], np.flatnonzero(line_of != line)
        left, top, right, bottom = _around(own)
        near = others[np.maximum(boxes[others, 0] - right, left - boxes[others, 2]) < bottom - top]
        for other in np.unique(line_of[near]):
            above, below = boxes[near[line_of[near] == other]][:, [1, 3]].T
            height = max(below) - min(above)
            if bottom - top < LOW * height and min(bottom, max(below)) - max(top, min(above)) > (bottom - top) / 2:
                line_of[line_of == line] = other
                break
    groups = [np.flatnonzero(line_of == line) for line in np.unique(line_of)]
    return sorted(groups, key=lambda group: float((boxes[group, 1] + boxes[group, 3]).mean()))


def _atoms(boxes: Boxes, height: float) -> npt.NDArray[np.integer]:
    """The number of the atom, from left to right, that each of a line's pieces (K, 4) belongs to.

    A high piece is an atom; a low one belongs to the atom above or below which most of it is.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    atoms: list[npt.NDArray] = []
    atom_of = np.empty(len(boxes), int)
    for piece in np.argsort(-heights, kind="stable"):
        box, best = boxes[piece], len(atoms)
        if atoms and heights[piece] < LOW * height:
            others = np.array(atoms)
            overlap = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
            overlap = overlap / np.minimum(box[2] - box[0], others[:, 2] - others[:, 0])
            if overlap.max() >= MIN_OVERLAP:
                best = int(overlap.argmax())
        if best == len(atoms):
            atoms.append(box)
        atom_of[piece] = best
        atoms[best] = _around(np.array([atoms[best], box]))
    centres = [atom[0] + atom[2] for atom in atoms]
    return np.argsort(np.argsort(centres, kind="stable"))[atom_of]


def _around(boxes: Boxes) -> npt.NDArray[np.integer]:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
