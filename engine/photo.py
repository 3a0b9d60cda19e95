"""Tell photos of paper from drawings, and remove the uneven light from them.

A camera sees the light on the paper times the fraction that the paper reflects. Light changes slowly across the paper, ink
does not: with all narrow dark marks filled in, a picture shows the light alone. Divided by it, all paper looks the same.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.decimal_point import decimal_points
from engine.ruling import (
    Box,
    Mask,
    StraightLine,
    boxes_of,
    gaps,
    is_frame,
    is_ruled,
    joins,
    label_pieces,
    straight_lines,
    weighted_median,
)

MIN_SIDE = 64  # pixels: smaller pictures are never photos
LIGHT_SIDE = 128  # pixels that are enough, on the shorter side, to show the light
MAX_SMOOTH_STEP = 12  # of 255: neighbours that differ by at most this much belong to one smooth surface
NUM_DRAWING_LEVELS, DRAWING_FRACTION = 5, 0.9  # this many brightnesses cover this fraction of a drawing's smooth pixels
BLACK, WHITE = 12, 243  # of 255: what is darker or brighter counts as one brightness, because no light changes it
MAX_MARK_WIDTH = 1 / 5  # of the shorter side: wider marks cannot be ink
MIN_THICK_INK = 0.08  # of the picture: a tightly cropped digit covers more
MAX_THICK_BORDER = 0.25  # of the border: it covers less
MAX_INK_THICKNESS = 0.35  # of the shorter side: how thick its line may be
MIN_SEPARATION = 0.7  # of the brightness's variance: so much lies between its ink and the paper
MAX_DARK = 0.6  # of the brighter one's brightness, for the darker one of ink and paper
MAX_BOARD = 128  # of 255: how bright a board may look
CAMERA_BLACK = 8  # of 255: how bright black may look in a photo
BLUR = 0.8  # pixels: less noise, and a line of two pixels is still a line
NUM_NOISE_BLOCKS = 12  # along the shorter side: the noise is measured in each block
WEAK_NOISE, STRONG_NOISE = 3, 6  # times the paper's noise: ink must absorb more than the first, and somewhere the second
MIN_WEAK_INK, MIN_INK = 0.06, 0.12  # of the light: the same for paper without noise
MAX_NOISE = 3  # times the median: what is rougher may be thick ink
FULL_INK_PERCENTILE = 90  # of the strong ink: from here on it counts as 1
WEAK_INK, STRONG_INK = 0.3, 0.55  # of full ink: every pixel must have the first, and every piece somewhere the second
MIN_WRITING = 0.012  # of the longer side: shorter pieces are no digits
MIN_PIECE, MIN_LONE_PIECE = 0.15, 0.4  # of the writing's height: shorter pieces are dirt; the second, if nothing is near
BORDER = 3  # pixels: what is at most so far away from the border touches it
MIN_LONG_LINE = 2.5  # times the writing's height: longer straight lines are no digits
MIN_DRAWN = 0.85  # of a drawn line's length: so much of it is inked
MAX_BAR, MIN_BAR_FLATNESS = 1.5, 8  # times the writing's height, and its own: longer flat marks are no digits
NEAR_WRITING = 0.25  # of the writing's height
MAX_CUT = 0.35  # of a piece's longer side: if more of it lies along the border, it is the edge of something


def is_photo(grey: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W) uint8 of about 70 pixels a side shows uneven light: smooth, with many brightnesses."""
    if min(grey.shape) < MIN_SIDE:
        return False
    pixels = grey[:-1, :-1].astype(np.int16)
    smooth = (abs(grey[1:, :-1] - pixels) <= MAX_SMOOTH_STEP) & (abs(grey[:-1, 1:] - pixels) <= MAX_SMOOTH_STEP)
    levels = np.clip(pixels[smooth], BLACK, WHITE)
    counts = np.sort(np.bincount(levels))  # of each brightness
    most_common = counts[-NUM_DRAWING_LEVELS:].sum()
    return bool(2 * counts.sum() > pixels.size and most_common < DRAWING_FRACTION * counts.sum())


def ink_of_photo(grey: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], list[Box]]:
    """How much ink of the writing is on each pixel of a photo (H, W) uint8, and the boxes of the marks left out.

    The ink is (H, W) float32 in [0, 1], all 0 if there is none.
    """
    absorbed = _blurred(_absorbed(grey))
    noise = _noise(absorbed)
    weak = absorbed > np.maximum(WEAK_NOISE * noise, MIN_WEAK_INK)
    strong = absorbed > np.maximum(STRONG_NOISE * noise, MIN_INK)
    lines = _take_lines(weak, strong, absorbed)
    strong &= weak
    is_writing, labels, _, _ = _writing(weak, strong)
    if not is_writing.any():
        return np.zeros(absorbed.shape, np.float32), []
    full = np.percentile(absorbed[strong & is_writing[labels]], FULL_INK_PERCENTILE)
    is_writing, labels, left_out, _ = _writing(weak & (absorbed > WEAK_INK * full), strong & (absorbed > STRONG_INK * full))
    ink = np.where(is_writing[labels], np.clip(absorbed / full, 0, 1), 0).astype(np.float32)
    return ink, [line.box for line in lines] + left_out


def _take_lines(weak: Mask, strong: Mask, absorbed: npt.NDArray[np.float32]) -> list[StraightLine]:
    """Remove from the weak ink the ruled lines, and all lines that are long for the writing, with those between them."""
    ruled, others = [], []
    lines = straight_lines(weak, absorbed)
    for line in lines:
        (ruled if _reaches_border(line.box, weak.shape) or is_ruled(line, lines) else others).append(line)
    for line in ruled:
        weak.ravel()[line.pixels] = False
    height = _writing(weak, strong & weak)[3]
    if not height:
        return ruled
    others = [line for line in others if line.covered > MIN_DRAWN]  # the feet of digits in a row are no line
    long = [line for line in others if line.length > MIN_LONG_LINE * height]
    between = [line for line in others if line.length <= MIN_LONG_LINE * height]
    long += [line for line in between if joins(line, ruled + long, max(BORDER, NEAR_WRITING * height / 2))]
    for line in long:
        weak.ravel()[line.pixels] = False
    return ruled + long


def _absorbed(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Which fraction of the light the ink takes away at each pixel (of bright ink: how much it adds); about 0 on paper."""
    image = Image.fromarray(grey)
    small = image.reduce(max(1, min(image.size) // LIGHT_SIDE))
    coarse, width = np.asarray(small, np.float32), int(min(small.size) * MAX_MARK_WIDTH) | 1
    thick = _thick_ink(np.asarray(small))
    if thick is None:
        ink_is_bright = _ink_is_bright(coarse, width)
        light = _light(coarse, width, ink_is_bright) + CAMERA_BLACK
        # The brightest grain of the paper is brighter than the paper: correct by how bright most of it is.
        light = light * _usual((coarse + CAMERA_BLACK) / light, width)
    else:
        ink_is_bright = bool(coarse[thick].mean() > coarse[~thick].mean())
        light = _smooth_light(coarse, thick) + CAMERA_BLACK
    light = np.asarray(Image.fromarray(light).resize(image.size, Image.Resampling.BILINEAR))
    absorbed = 1 - ((np.asarray(image, np.float32) + CAMERA_BLACK) / light).astype(np.float32, copy=False)
    return -absorbed if ink_is_bright else absorbed  # chalk on a board reflects more light than the board


def _blurred(absorbed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from scipy import ndimage  # slow to import, and needed for photos only

    blurred = np.empty_like(absorbed)
    ndimage.gaussian_filter(absorbed, BLUR, output=blurred)
    return blurred


def _noise(absorbed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The standard deviation of the paper's grain around each pixel, by the median: ink hardly changes it."""
    from scipy import ndimage

    side = max(16, min(absorbed.shape) // NUM_NOISE_BLOCKS)
    rows, columns = (max(1, length // side) for length in absorbed.shape)
    block = min(side, absorbed.shape[0]), min(side, absorbed.shape[1])
    blocks = absorbed[: rows * block[0], : columns * block[1]].reshape(rows, block[0], columns, block[1])[:, ::2, :, ::2]
    noise = (1.4826 * np.median(np.abs(blocks), axis=(1, 3))).astype(np.float32)  # the factor is that of normal noise
    usual = np.empty_like(noise)
    ndimage.median_filter(noise, 3, output=usual)
    usual = np.minimum(usual, np.float32(MAX_NOISE * np.median(noise) + MIN_INK / STRONG_NOISE))
    return np.asarray(Image.fromarray(usual).resize(absorbed.shape[::-1], Image.Resampling.BILINEAR))


def _writing(weak: Mask, strong: Mask) -> tuple[Mask, npt.NDArray[np.int32], list[Box], float]:
    """Which pieces of the weak ink are writing (K + 1,), the piece that each pixel belongs to, 0 for none, and the boxes
    of the other ones that are large enough to notice."""
    labels = label_pieces(weak)
    boxes = boxes_of(labels)
    count = len(boxes) - 1
    is_writing = np.zeros(count + 1, bool)
    is_writing[labels[strong]] = True
    is_strong = is_writing.copy()
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1)
    is_writing &= longer >= MIN_WRITING * max(weak.shape)
    if not is_writing.any():
        return is_writing, labels, [], 0
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    # The edge of a table or a shadow lies along the picture's border with its longer side.
    along = [np.bincount(border, minlength=count + 1) for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    across, down = np.maximum(along[0], along[1]), np.maximum(along[2], along[3])
    is_touching = is_writing & (across + down > 0)
    is_cut = is_touching & (np.where(sides[:, 0] > sides[:, 1], across, down) <= MAX_CUT * longer)
    is_inside = is_writing & ~is_touching & (longer >= MIN_LONE_PIECE * longer[is_cut].max(initial=0))
    is_edge = is_touching & (is_inside.any() | (is_cut.any() & ~is_cut))
    is_writing &= ~is_edge
    height = weighted_median(sides[is_writing, 1], areas[is_writing])
    for number in np.flatnonzero(is_writing & (longer > 1.2 * height)):
        box, others = boxes[number], is_writing & (np.arange(count + 1) != number)
        inside = others & (boxes[:, :2] >= box[:2]).all(axis=1) & (boxes[:, 2:] <= box[2:]).all(axis=1)
        left, top, right, bottom = box
        if (sides[inside, 1] >= 0.3 * sides[number, 1]).any() and is_frame(labels[top:bottom, left:right] == number):
            is_writing[number], is_edge[number] = False, True
    if is_edge.any() and is_writing.any():
        height = weighted_median(sides[is_writing, 1], areas[is_writing])
    is_bar = is_writing & (sides[:, 0] > MAX_BAR * height) & (sides[:, 0] > MIN_BAR_FLATNESS * sides[:, 1])
    is_edge |= is_bar
    is_writing &= ~is_bar
    is_digit = is_writing & (longer >= MIN_LONE_PIECE * height)
    for number in np.flatnonzero(is_writing & ~is_digit):
        distance = gaps(boxes[number], boxes[is_digit]).max(axis=1).min(initial=weak.size)
        if longer[number] < MIN_PIECE * height or distance > NEAR_WRITING * height:
            is_writing[number] = False
            is_edge[number] |= longer[number] >= MIN_PIECE * height
    is_writing |= decimal_points(labels, boxes, is_writing, is_strong)
    return is_writing, labels, [tuple(box) for box in boxes[is_edge & ~is_writing].tolist()], height


def _reaches_border(box: Box, shape: tuple[int, ...]) -> bool:
    return box[0] <= BORDER or box[1] <= BORDER or box[2] >= shape[1] - BORDER or box[3] >= shape[0] - BORDER


def _ink_is_bright(grey: npt.NDArray[np.float32], width: int) -> bool:
    """Whether the few pixels that differ from most of their surroundings are brighter than these, as chalk on a board."""
    if np.median(grey) > MAX_BOARD:
        return False
    return bool(np.sum(np.log((grey + CAMERA_BLACK) / (_usual(grey, width) + CAMERA_BLACK)) ** 3) > 0)


def _usual(values: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.float32]:
    """The median around each pixel: marks narrower than ``width`` pixels do not change it."""
    from scipy import ndimage

    step = max(1, width // 6)  # a few of the pixels are enough
    usual = np.empty_like(values[::step, ::step], np.float32)
    ndimage.median_filter(values[::step, ::step], 2 * width // step + 1, output=usual)
    return np.asarray(Image.fromarray(usual).resize(values.shape[::-1], Image.Resampling.BILINEAR))


def _thick_ink(grey: npt.NDArray[np.uint8]) -> Mask | None:
    """The ink (H, W) of a tightly cropped digit: there is much of it, and its brightness is far from the paper's.

    The threshold between the two is Otsu's (1979): it has most of the variance between its sides.
    """
    from scipy import ndimage

    counts = np.bincount(grey.ravel(), minlength=256) / grey.size
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    between = (sums[-1] * below - sums) ** 2 / np.maximum(below * (1 - below), 1e-6)
    threshold = int(between.argmax())
    is_bright = grey > threshold
    border = np.concatenate([is_bright[0], is_bright[-1], is_bright[:, 0], is_bright[:, -1]]).mean()
    ink = ~is_bright if border > 0.5 else is_bright
    if between[threshold] < MIN_SEPARATION * grey.var() or min(border, 1 - border) > MAX_THICK_BORDER:
        return None
    if not MIN_THICK_INK < ink.mean() < 0.5 or grey[~is_bright].mean() > MAX_DARK * grey[is_bright].mean():
        return None
    too_thick = int(MAX_INK_THICKNESS * min(grey.shape))
    is_centre = np.empty(ink.shape, bool)  # of a square of this size that is all ink
    ndimage.minimum_filter(ink, too_thick, output=is_centre, mode="constant")
    return None if is_centre.any() else ink


def _smooth_light(grey: npt.NDArray[np.float32], ink: Mask) -> npt.NDArray[np.float32]:
    """The light by least squares from the paper's pixels: a polynomial of degree 2, at least half of the darkest one."""
    from scipy import ndimage

    near_ink = np.empty(ink.shape, bool)
    ndimage.maximum_filter(ink, 5, output=near_ink)  # the edges of the ink are neither ink nor paper
    is_paper = ~near_ink
    if not is_paper.any():
        is_paper = ~ink
    y, x = np.mgrid[-1 : 1 : grey.shape[0] * 1j, -1 : 1 : grey.shape[1] * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    weights = np.linalg.lstsq(terms[is_paper], grey[is_paper], rcond=None)[0]
    return np.maximum(terms @ weights, grey[is_paper].min() / 2).astype(np.float32)


def _light(grey: npt.NDArray[np.float32], width: int, ink_is_bright: bool) -> npt.NDArray[np.float32]:
    """The picture without ink: marks narrower than ``width`` pixels get the brightness of the paper around them."""
    from scipy import ndimage  # slow to import, and needed for photos only

    rim = width // 2
    fill, limit = (ndimage.grey_opening, np.maximum) if ink_is_bright else (ndimage.grey_closing, np.minimum)
    light = fill(grey, (width, width), mode="nearest")
    if rim:
        # In the rim, a shadow that darkens towards the border looks like a mark: let the slope inside continue instead.
        light = limit(light, np.pad(light[rim:-rim, rim:-rim], rim, "reflect", reflect_type="odd"))
    return np.maximum(light, 0)  # a steep slope would continue below 0
