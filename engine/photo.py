"""Tell photos of paper from drawings, and remove the uneven light from them.

A camera sees the light on the paper times the fraction that the paper reflects. Light changes slowly across the paper, ink
does not: with all narrow dark marks filled in, a picture shows the light alone. Divided by it, all paper looks the same.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

MIN_SIDE, MAX_SIDE = 64, 512  # pixels: smaller pictures are never photos, larger ones only show more noise
MAX_SMOOTH_STEP = 12  # of 255: neighbours that differ by at most this much belong to one smooth surface
NUM_DRAWING_LEVELS, DRAWING_FRACTION = 5, 0.9  # this many brightnesses cover this fraction of a drawing's smooth pixels
MAX_MARK_WIDTH = 1 / 5  # of the shorter side: wider marks cannot be ink
CAMERA_BLACK = 8  # of 255: how bright black may look in a photo
MIN_INK = 0.3  # of the light: marks that absorb less are not ink
FULL_INK_PERCENTILE = 95  # of the ink's strength: from here on it counts as 1
MIN_INK_STRENGTH = 0.45  # of full ink: fainter marks are shadows, or the lines of ruled paper
MIN_SPOT_AREA = 0.0005  # of the picture: smaller spots are dirt
MIN_RELATIVE_SPOT_AREA = 0.05  # of the largest spot: smaller spots are dirt, too


def is_photo(grey: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W) uint8 of about 70 pixels a side shows uneven light: smooth, with many brightnesses."""
    if min(grey.shape) < MIN_SIDE:
        return False
    pixels = grey[:-1, :-1].astype(np.int16)
    smooth = (abs(grey[1:, :-1] - pixels) <= MAX_SMOOTH_STEP) & (abs(grey[:-1, 1:] - pixels) <= MAX_SMOOTH_STEP)
    counts = np.sort(np.bincount(pixels[smooth]))  # of each brightness
    most_common = counts[-NUM_DRAWING_LEVELS:].sum()
    return bool(2 * counts.sum() > pixels.size and most_common < DRAWING_FRACTION * counts.sum())


def ink_of_photo(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """How much ink is on each pixel of a photo (H, W) uint8: float32 in [0, 1], all 0 if there is no ink.

    A photo with more than 512 pixels on a side is made smaller.
    """
    image = Image.fromarray(grey)
    image = image.reduce(max(1, -(-max(grey.shape) // MAX_SIDE)))
    coarse = image.reduce(max(1, min(image.size) // MIN_SIDE))
    width = int(min(coarse.size) * MAX_MARK_WIDTH) | 1
    ink_is_bright = _ink_is_bright(coarse, width)
    light = Image.fromarray(_light(np.asarray(coarse, np.float32), width, ink_is_bright))
    light = np.asarray(light.resize(image.size, Image.Resampling.BILINEAR))
    absorbed = (light - np.asarray(image, np.float32)) / (light + CAMERA_BLACK)
    if ink_is_bright:  # chalk on a board reflects more light than the board
        absorbed = -absorbed
    is_ink = absorbed > MIN_INK
    if not is_ink.any():
        return np.zeros(absorbed.shape, np.float32)
    ink = np.clip(absorbed / np.percentile(absorbed[is_ink], FULL_INK_PERCENTILE), 0, 1)
    return np.where(_without_dirt(ink > MIN_INK_STRENGTH), ink, 0).astype(np.float32)


def _ink_is_bright(image: Image.Image, width: int) -> bool:
    """Whether the few pixels that differ from their surroundings are brighter than these."""
    surroundings = np.asarray(image.filter(ImageFilter.BoxBlur(width // 2)), np.float32) + 1
    return bool(np.sum((np.asarray(image, np.float32) / surroundings - 1) ** 3) > 0)


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


def _without_dirt(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Remove small spots from the mask, and the spots that touch the border if any others are large enough."""
    from scipy import ndimage

    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3, 3)), output=labels)
    areas = np.bincount(labels.ravel())
    areas[0] = 0  # the background
    is_large = areas >= MIN_SPOT_AREA * mask.size
    touches = np.zeros(len(areas), bool)
    touches[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    if (is_large & ~touches).any():
        is_large &= ~touches
    is_large &= areas >= MIN_RELATIVE_SPOT_AREA * areas[is_large].max(initial=0)
    return is_large[labels]
