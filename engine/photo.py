"""Photos of paper: telling them from drawings, and taking away the light that falls on them.

A camera sees the light times the part of it that the paper gives back. Light changes slowly over the paper, ink does not:
with every dark spot closed, a picture shows the light alone, and divided by it all paper is alike.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from engine.components import connected_components

SMALLEST, LARGEST = 64, 512  # pixels a side: nobody sends smaller photos, and more tells nothing of a digit but its noise
CALM = 12  # of 255: neighbours no further apart than this belong to one smooth surface
FEW, MOST = 5, 0.9  # in a drawing, most of what is smooth has one of a few brightnesses
CLOSED = 1 / 5  # of the shorter side: spots that are narrower than this can be ink
BLACK = 8  # of 255: how bright a camera may show what is black
FAINTEST = 0.3  # of the light: what takes away less is no ink
STRONG = 95  # percent of the ink is at most so strong as to count as 1
INKED = 0.45  # of the strongest ink: what is fainter is a shadow, or a line that the paper is ruled with
SPECK = 0.05  # of the largest spot: what is smaller is dirt,
NOISE = 0.0005  # and so is what is smaller than this part of the picture


def is_photo(grey):
    """Whether a picture (H, W) uint8, a coarse one, shows light that falls unevenly: smooth, and of many brightnesses."""
    if min(grey.shape) < SMALLEST:
        return False
    here = grey[:-1, :-1].astype(np.int16)
    calm = (abs(grey[1:, :-1] - here) <= CALM) & (abs(grey[:-1, 1:] - here) <= CALM)
    found = np.sort(np.bincount(here[calm]))
    return 2 * found.sum() > here.size and found[-FEW:].sum() < MOST * found.sum()


def ink_of_photo(grey):
    """How much ink is on each pixel of a photo (H, W) uint8: float32 in [0, 1], all zero where there is none.

    A photo of more than 512 pixels a side comes back smaller.
    """
    image = Image.fromarray(grey)
    image = image.reduce(max(1, -(-max(grey.shape) // LARGEST)))
    coarse = image.reduce(max(1, min(image.size) // SMALLEST))
    width = int(min(coarse.size) * CLOSED) | 1
    sign = -1 if _ink_is_bright(coarse, width) else 1  # a board's bright spots are the dark ones of its negative
    paper = Image.fromarray(sign * _closed(sign * np.asarray(coarse, np.float32), width))
    paper = np.asarray(paper.resize(image.size, Image.Resampling.BILINEAR))
    taken = sign * (paper - np.asarray(image, np.float32)) / (paper + BLACK)
    spots = taken > FAINTEST
    if not spots.any():
        return np.zeros_like(taken)
    ink = np.clip(taken / np.percentile(taken[spots], STRONG), 0, 1)
    return np.where(_digits(ink > INKED), ink, 0)


def _ink_is_bright(image, width):
    """Whether the few pixels that stand out from what is around them are brighter than it."""
    around = np.asarray(image.filter(ImageFilter.BoxBlur(width // 2)), np.float32) + 1
    return np.sum((np.asarray(image, np.float32) / around - 1) ** 3) > 0


def _closed(grey, width):
    """The picture without dark spots narrower than ``width``: the brightest around each pixel, then the darkest of those."""
    for extreme in (np.max, np.min):
        for axis in (0, 1):
            pad = [(width // 2 * (axis == a),) * 2 for a in (0, 1)]
            grey = extreme(sliding_window_view(np.pad(grey, pad, "edge"), width, axis), axis=-1)
    # towards a dark border nothing darker is left to find beyond it: there the slope goes on as before
    rim = width // 2
    return np.minimum(grey, np.pad(grey[rim:-rim, rim:-rim], rim, "reflect", reflect_type="odd"))


def _digits(mask):
    """The part of the mask without dirt, and without what reaches in from outside the picture where that leaves anything."""
    labels, boxes, areas = connected_components(mask)
    height, width = mask.shape
    inside = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2] < width) & (boxes[:, 3] < height)
    keep = areas >= NOISE * mask.size
    if (keep & inside).any():
        keep &= inside
    keep &= areas >= SPECK * areas[keep].max(initial=0)
    return np.append(keep, False)[labels]
