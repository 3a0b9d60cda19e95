"""Read a drawing: which digits are on it, where, and what a network says about each.

Of all ways to put a line's atoms together, the one that the network likes best is chosen, by dynamic programming (LeCun et
al., 1998, section VII). What a way costs is the sum of what its digits cost: how unlikely each is to be the digit that it
looks most like, and how unusual its shape and its parts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.calibration import threshold
from engine.image_file import Drawing
from engine.network import Network
from engine.preprocessing import Box, fit, separate_ink
from engine.segmentation import Line, Segmentation, segment

MAX_IMAGES = 400  # that a network looks at for one drawing
# Lengths are fractions of the height of the line's digits.
WIDE, WIDE_ALONE = 1.0, 1.3  # a wider piece, in a line or alone, may be two digits even if the network is sure of one
VERY_SURE = 0.98  # confidence in parts of a lone piece of ink, or in a digit whose foot may be an underline
NARROW, NARROW_ALONE = 0.6, 0.9  # of its own height: a narrower piece, in a line or alone, is one digit at most
USUAL_HEIGHT, USUAL_WIDTH = 0.7, 1.1  # a digit that is lower or wider is unusual
TALL = 0.6  # a piece as high as this may be a digit by itself
LOWEST = 0.4  # what is higher may be a digit
MAX_PARTS = 4  # that a broken digit may have
MAX_WHOLE_WIDTH = 2.0  # of the height of all ink: if it is wider, it is not one digit
# A slash is a lone straight stroke between two digits of a line. Limits were chosen on training writers' ones.
STRAIGHT = 1.15  # times the area of a straight stroke that is spread as far: more is bent, or has a flag
MIN_LEAN, MIN_SLASH = 10, 28  # degrees to the right: its own, and with what follows
USUAL_LEAN, EXTRA_HEIGHT = 1 / 3, 40  # degrees for each one that other digits lean, and for being higher by their height
OUTSIZE = 2.0  # a mark that many times higher or lower than the sure digits is no digit, unless the network is sure of it
# Costs, chosen on drawings of training writers. One that is sure has none but ``DIGIT``.
DIGIT = 0.5  # of each digit: one is more usual than two
DOUBT = 2.0  # of a digit, times the negative logarithm of its confidence
NOT_SURE = 1.0  # of a digit with a confidence below the network's threshold
CUT, CUT_INK = 0.7, 3.0  # of a cut, and of the ink under it, as a length
JOIN_TALL, GAP = 1.0, 10.0  # of joining two pieces that may be digits by themselves, and of the gap between pieces
OMISSION = 3.5  # of taking a low mark, such as a dash, for no part of a digit
LOW, BROAD = 4.0, 4.0  # of a digit without any height, and of each unit of width above the usual

Pixels = npt.NDArray[np.float32]
Pair = tuple[int, int]  # the first and last atom of a digit


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of a drawing.

    ``box`` is (left, top, right, bottom) in the drawing's pixels, the last two exclusive. ``image`` (28, 28) float32 in
    [0, 1] is what the network sees, ``probabilities`` (10,) is what it says. ``ink`` (h, w) is what ``find_ink`` has in the
    box, without other digits.
    """

    box: Box
    image: Pixels
    probabilities: Pixels
    ink: Pixels | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """The ``lines`` of writing from top to bottom, each with its digits from left to right.

    ``left_out`` are the boxes of marks that were taken for no part of a digit, in the drawing's pixels.
    """

    lines: list[list[Digit]]
    left_out: list[Box]

    @property
    def digits(self) -> list[Digit]:
        """The digits of all lines."""
        return [digit for line in self.lines for digit in line]


@dataclass(frozen=True, eq=False)
class Writing:
    """What can be computed of a drawing without a network.

    ``image`` (28, 28) is all of it as one digit. ``scale`` is how many of the drawing's pixels one of the ink's is, across
    and down.
    """

    parts: Segmentation
    image: Pixels
    left_out: list[Box]
    scale: tuple[float, float]
    with_underline: "Writing | None" = None  # if it touches the writing


class _Path(NamedTuple):
    """The cheapest way to read a line; ``looks`` has what the network sees and says of each candidate."""

    cost: float
    line: Line
    looks: dict[Pair, tuple[Pixels, Pixels]]
    pairs: list[Pair]
    omitted: list[int]  # atoms that are no part of a digit

    def is_sure(self, least: float) -> list[bool]:
        """Of each digit, whether the network is sure of it."""
        return [self.looks[pair][1].max() >= least for pair in self.pairs]


def read(network: Network, drawing: Drawing) -> Reading:
    """Read the numbers on a drawing, which is anything that ``prepare`` accepts.

    Raises ``BlankDrawing`` if there is no ink.
    """
    return read_writing(network, find_writing(drawing))


def find_writing(drawing: Drawing) -> Writing:
    """The writing on a drawing, to be read by one or several networks; raises ``BlankDrawing`` if there is none."""
    width, height = drawing.size if isinstance(drawing, Image.Image) else np.asarray(drawing).shape[1::-1]
    ink = separate_ink(drawing)
    scale = width / ink.strength.shape[1], height / ink.strength.shape[0]
    writing = _writing(ink.strength, ink.left_out, scale)
    if ink.with_underline is None:
        return writing
    return replace(writing, with_underline=_writing(ink.with_underline, ink.left_out[:-1], scale))


def _writing(ink: Pixels, left_out: list[Box], scale: tuple[float, float]) -> Writing:
    parts = segment(ink)
    return Writing(parts, fit(parts.ink), left_out + parts.left_out, scale)


def read_writing(network: Network, writing: Writing) -> Reading:
    """What ``network`` reads: one digit if that is likelier than a number, or if it is not sure of any digit."""
    if writing.with_underline is not None:
        without, with_ = network.predict_proba(np.stack([writing.image, writing.with_underline.image])).max(axis=1)
        if with_ > max(without, VERY_SURE):  # the line is the foot of a 2, or of a 1
            writing = writing.with_underline
    least, lines = threshold(network), writing.parts.lines
    if len(lines) == 1 and len(lines[0].boxes) == 1:
        whole = network.predict_proba(writing.image[None])[0]
        if whole.max() >= least and lines[0].ink.shape[1] <= WIDE_ALONE * lines[0].height:
            return Reading([[_whole(writing, whole)]], [_scaled(box, (0, 0), writing.scale) for box in writing.left_out])
        looks = [{(0, 0): (writing.image, whole)}]
    else:
        (whole,), looks = _look(network, lines, [writing.image])
    paths = [_cheapest(line, look, least) for line, look in zip(lines, looks, strict=True)]
    cuts = {number: path.line.cut(atoms) for number, path in enumerate(paths) if (atoms := _doubtful(path, least))}
    if cuts:
        _, looks = _look(network, [*cuts.values()])
        for (number, line), look in zip(cuts.items(), looks, strict=True):
            path = _cheapest(line, look, least)
            if path.cost < paths[number].cost and (len(lines[number].boxes) > 1 or _is_certain(path, least)):
                paths[number] = path
    left_out = [_scaled(box, (0, 0), writing.scale) for box in writing.left_out]
    if _is_one_digit(writing, whole, paths, least):
        return Reading([[_whole(writing, whole)]], left_out)
    paths = [_without_slashes(path) for path in paths]
    for path, corner in zip(paths, writing.parts.corners, strict=True):
        left_out += [_scaled(path.line.box(atom, atom), corner, writing.scale) for atom in path.omitted]
    digits = [
        [
            Digit(_scaled(path.line.box(*pair), corner, writing.scale), *path.looks[pair], path.line.ink_of(*pair))
            for pair in path.pairs
        ]
        for path, corner in zip(paths, writing.parts.corners, strict=True)
    ]
    return _without_outsize(Reading([line for line in digits if line], left_out), least)


def _look(
    network: Network, lines: Sequence[Line], others: Sequence[Pixels] = ()
) -> tuple[Pixels, list[dict[Pair, tuple[Pixels, Pixels]]]]:
    """What the network says of ``others``, and what it sees and says of each candidate of each line; all in one batch."""
    candidates: list[tuple[int, Pair]] = []
    for number, line in enumerate(lines):
        pairs = line.candidates()
        if len(candidates) + len(pairs) > MAX_IMAGES:  # a page of text, or a scribble: no joins there, and no cuts
            pairs = [] if line.is_cut else [(atom, atom) for atom in range(len(line.boxes))]
        candidates += [(number, pair) for pair in pairs]
    images = [*others, *(lines[number].image_of(*pair) for number, pair in candidates)]
    rows = network.predict_proba(np.asarray(images)) if images else np.empty((0, 10), np.float32)
    looks: list[dict[Pair, tuple[Pixels, Pixels]]] = [{} for _ in lines]
    for (number, pair), look in zip(candidates, list(zip(images, rows, strict=True))[len(others) :], strict=True):
        looks[number][pair] = look
    return rows[: len(others)], looks


def _cheapest(line: Line, looks: dict[Pair, tuple[Pixels, Pixels]], least: float) -> _Path:
    """The cheapest way from the first atom to the last (Viterbi's algorithm)."""
    is_tall = line.boxes[:, 3] - line.boxes[:, 1] >= TALL * line.height
    is_cut = ~np.isnan(line.cuts)
    joining = np.append(0, np.cumsum(GAP * line.gaps + JOIN_TALL * (~is_cut & is_tall[1:] & is_tall[:-1])))
    cutting = np.append(0, np.where(is_cut, CUT + CUT_INK * line.cuts, 0))
    is_low = line.boxes[:, 3] - line.boxes[:, 1] < LOWEST * line.height
    costs = [0.0] + [np.inf] * len(line.boxes)
    steps: dict[int, Pair] = {}  # by the atom after it
    for first, last in sorted(looks, key=lambda pair: pair[1]):
        left, top, right, bottom = line.box(first, last)
        cost = cutting[first] + joining[last] - joining[first] + _cost(looks[first, last][1], least)
        cost += LOW * max(0, 1 - (bottom - top) / line.height / USUAL_HEIGHT)
        cost += BROAD * max(0, (right - left) / line.height - USUAL_WIDTH)
        is_mark = first == last and is_low[last] and cost > OMISSION
        cost = costs[first] + (OMISSION if is_mark else cost)
        if cost < costs[last + 1]:
            costs[last + 1], steps[last + 1] = cost, (-1 if is_mark else first, last)
    pairs, omitted, end = [], [], len(line.boxes)
    while end in steps:
        first, last = steps[end]
        if first < 0:
            omitted.append(last)
        else:
            pairs.append((first, last))
        end = last if first < 0 else first
    return _Path(costs[-1], line, looks, pairs[::-1], omitted)


def _cost(probabilities: Pixels, least: float) -> float:
    confidence = float(probabilities.max())
    return DIGIT - DOUBT * float(np.log(max(confidence, 1e-9))) + NOT_SURE * (confidence < least)


def _is_certain(path: _Path, least: float) -> bool:
    """Whether a lone piece of ink is surely several digits: parts of letters look like digits, too, mostly like 1s."""
    are_ones = [path.looks[pair][1].argmax() == 1 for pair in path.pairs]
    return all(path.is_sure(max(least, VERY_SURE))) and not all(are_ones)


def _doubtful(path: _Path, least: float) -> set[int]:
    """The atoms that may be two digits."""
    is_alone = len(path.line.boxes) == 1
    atoms, wide = set(), (WIDE_ALONE if is_alone else WIDE) * path.line.height
    for first, last in path.pairs:
        is_sure = path.looks[first, last][1].max() >= least
        for atom in range(first, last + 1):
            left, top, right, bottom = path.line.boxes[atom].tolist()
            if right - left > (wide if is_sure else (NARROW_ALONE if is_alone else NARROW) * (bottom - top)):
                atoms.add(atom)
    return atoms


def _is_one_digit(writing: Writing, whole: Pixels, paths: Sequence[_Path], least: float) -> bool:
    """Whether all of the writing is rather one digit than what the paths say; the network says ``whole`` (10,) of it.

    A number of which the network is sure is one, unless it is a few digits, one below the other.
    """
    is_sure = [is_sure for path in paths for is_sure in path.is_sure(least)]
    is_complete = not any(path.omitted for path in paths)
    if not any(is_sure):
        return True
    if all(is_sure) and is_complete and (len(paths) == 1 or len(is_sure) > MAX_PARTS):
        return False
    boxes = np.concatenate(
        [line.boxes + np.array(corner * 2) for line, corner in zip(writing.parts.lines, writing.parts.corners, strict=True)]
    )
    width, height = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    num_tall = np.count_nonzero(boxes[:, 3] - boxes[:, 1] >= TALL * height)
    gaps = (_gaps(boxes[:, ::2]) + _gaps(boxes[:, 1::2])) / height
    cost = _cost(whole, least) + GAP * gaps + JOIN_TALL * max(0, num_tall - 1)
    return width <= MAX_WHOLE_WIDTH * height and cost < sum(path.cost for path in paths)


def _gaps(spans: npt.NDArray[np.integer]) -> int:
    """The length that none of the spans (K, 2) covers, between the first and the last."""
    spans = spans[np.argsort(spans[:, 0])]
    return int(np.maximum(spans[1:, 0] - np.maximum.accumulate(spans[:-1, 1]), 0).sum())


def _whole(writing: Writing, probabilities: Pixels) -> Digit:
    places = zip(writing.parts.corners, writing.parts.lines, strict=True)
    boxes = [(x, y, x + line.ink.shape[1], y + line.ink.shape[0]) for (x, y), line in places]
    left, top, right, bottom = (
        limit(side) for limit, side in zip((min, min, max, max), zip(*boxes, strict=True), strict=True)
    )
    box = _scaled((left, top, right, bottom), (0, 0), writing.scale)
    return Digit(box, writing.image, probabilities, writing.parts.ink[top:bottom, left:right].copy())  # not the whole page


def _without_slashes(path: _Path) -> _Path:
    """The path without straight strokes between two digits that lean, or are high, as a one hardly ever is."""
    if len(path.pairs) < 3:
        return path
    line = path.line
    heights = np.array([bottom - top for _, top, _, bottom in (line.box(*pair) for pair in path.pairs)])
    leans, straightness = np.transpose([_lean(line.ink_of(*pair)) for pair in path.pairs])
    is_cut = np.pad(~np.isnan(line.cuts), 1)  # before and after each atom
    slashes = []
    for number in range(1, len(path.pairs) - 1):
        (first, last), others = path.pairs[number], np.arange(len(path.pairs)) != number
        lean = leans[number] - USUAL_LEAN * np.median(leans[others])
        lean += EXTRA_HEIGHT * (heights[number] / np.median(heights[others]) - 1)
        is_lone = first == last and not is_cut[first] and not is_cut[last + 1]
        if is_lone and straightness[number] < STRAIGHT and leans[number] > MIN_LEAN and lean > MIN_SLASH:
            slashes.append(number)
    pairs = [pair for number, pair in enumerate(path.pairs) if number not in slashes]
    return path._replace(pairs=pairs, omitted=path.omitted + [path.pairs[number][0] for number in slashes])


def _lean(ink: Pixels) -> tuple[float, float]:
    """How many degrees ink (H, W) leans to the right, and how far it is from a straight stroke, for which this is 1.

    Both are computed from its variances: those of a straight stroke have a determinant of (area / 12) squared.
    """
    y, x = np.nonzero(ink)
    (xx, xy), (_, yy) = np.cov(x, y, ddof=0, aweights=ink[y, x]) + np.eye(2) / 12  # a pixel is not a point
    return float(np.degrees(np.arctan2(-xy, yy))), float(12 * np.sqrt(xx * yy - xy**2) / ink.sum())


def _without_outsize(reading: Reading, least: float) -> Reading:
    """The reading without marks that the network is not sure of and that are much lower or higher than the sure digits."""
    heights = [digit.box[3] - digit.box[1] for digit in reading.digits if digit.probabilities.max() >= least]
    if not heights or len(heights) == len(reading.digits):
        return reading
    usual, lines, left_out = float(np.median(heights)), [], [*reading.left_out]
    for line in reading.lines:
        lines.append([])
        for digit in line:
            height = digit.box[3] - digit.box[1]
            is_usual = digit.probabilities.max() >= least or usual / OUTSIZE <= height <= usual * OUTSIZE
            if is_usual:
                lines[-1].append(digit)
            else:
                left_out.append(digit.box)
    return Reading([line for line in lines if line], left_out)


def _scaled(box: Box, corner: tuple[int, int], scale: tuple[float, float]) -> Box:
    """A box of pixels from ``corner`` in the pixels of the drawing."""
    moved = np.array(box) + np.array(corner * 2)
    left, top, right, bottom = np.round(moved * np.array(scale * 2)).astype(int).tolist()
    return left, top, right, bottom
