"""Reading images of any common format as small arrays of bytes, with a limit on the memory and time that one may take."""

import io
import re
import struct
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import cache
from itertools import pairwise, product
from os import PathLike
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.checks import InklingError

MAX_SIDE = 1600  # pixels: thin pencil on a photographed page is still a line; more costs time and memory
TILE_SIDE = 512  # pixels: large images are converted and made smaller in tiles of about this side

# What one image may take: 200 MB and two seconds.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 50_000_000
MAX_DECODED_BYTES = 200_000_000
MAX_PIXELS_BY_DECODER = {  # formats, and Pillow's decoders, that take more memory or time for each pixel than others
    "AVIF": 12_500_000,
    "WEBP": 12_500_000,
    "HEIF": 25_000_000,
    "JPEG2000": 10_000_000,
    "bmp_rle": 2_000_000,
    "ppm": 1_000_000,  # only used if the brightest value is not 255
    "ppm_plain": 1_000_000,
}
MAX_HDR_PIXELS = 12_500_000  # of HEIF with transparency or more than 8 bits
MAX_FULL_JPEG_PIXELS = 16_000_000  # larger ones are made smaller while they are decoded
MIN_THUMBNAIL_SIDE = 256  # pixels: the thumbnail in a file that is too large must have at least this longer side
MAX_SCANS = 40  # of a progressive JPEG; usual are 10
MAX_FILE_BYTES = 100_000_000
HEIC_BRAND = re.compile(rb"hei[cxms]|hev[cxms]")  # ISO/IEC 23008-12: in the first box of the file
TIFF_HEADER = re.compile(rb"II[*+]\0|II\0\*|MM\0[*+]|MM\*\0")  # of a TIFF file, or of EXIF data in another file
NUM_TIFF_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of a number, by type; of text it is 1
MAX_TIFF_HEADERS, MAX_TAGS, MAX_TAG_NUMBERS = 50, 1_000, 65_536
ORIENTATION_TAG = 0x0112  # of EXIF
ORIENTATIONS = {  # whether to flip the rows, to flip the columns, and then to swap rows and columns
    2: (False, True, False),
    3: (True, True, False),
    4: (True, False, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}
_decoding = threading.RLock()  # one large image is decoded at a time: many at once would fill the memory

Drawing = npt.NDArray[np.uint8] | Image.Image


class UnsuitableImage(InklingError):
    """The file is an image, but of a kind that cannot be read, too large, or with pixels that are not finite numbers."""

    def __init__(self, reason: str, name: object = None) -> None:
        super().__init__(reason if name is None else f"{name}: {reason}")
        self.reason = reason


def read_image(file: str | PathLike[str] | IO[bytes], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image in ``file``, a path or an open binary file: upright, with at most 1,600 pixels a side.

    Of an animation, this is the first frame. Raises ``UnsuitableImage`` if the image is too large to decode or has more
    than ``max_pixels``, and ``InklingError`` if the file is not an image or is damaged.
    """
    name = file if isinstance(file, str | PathLike) else getattr(file, "name", "the file")
    try:
        with (
            open(file, "rb") if isinstance(file, str | PathLike) else nullcontext(file) as opened,
            Image.open(_checked(opened), formats=_formats()) as image,
            _decoding,
        ):
            if image.width * image.height > max_pixels:
                _refuse_size(image.width, image.height, max_pixels)
            _load(image)
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
            return Image.fromarray(np.ascontiguousarray(_pixels_of_image(image, orientation)))
    except UnsuitableImage as error:
        raise UnsuitableImage(error.reason, name) from None
    except FileNotFoundError:
        raise InklingError(f"{name} must be an image file, and does not exist") from None
    except Exception as error:  # a hostile file can make Pillow raise nearly anything
        reason = "is not one, or is damaged"
        if not isinstance(error, Image.UnidentifiedImageError):
            reason = f"failed: {' '.join(str(error).split()) or type(error).__name__}"
        raise InklingError(f"{name} must be an image file that Pillow can read, and {reason}") from None


@cache
def _formats() -> list[str]:
    """The ``FORMATS`` that Pillow can read; HEIC, in which phones take photos, if the package for it is installed."""
    with suppress(ImportError):
        import pillow_heif  # pyright: ignore[reportMissingImports]

        pillow_heif.register_heif_opener()
    Image.init()
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # an error says more
    return [name for name in FORMATS if name in Image.OPEN]


def _checked(file: IO[bytes]) -> IO[bytes]:
    """The file, or a copy if it is a pipe; raises ``UnsuitableImage`` if it is too long, or its tags are."""
    can_seek = file.seekable()
    if can_seek:
        file.seek(0)
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise UnsuitableImage(f"the file must have at most {MAX_FILE_BYTES / 1e6:.0f} MB: make the image smaller")
    if content[4:8] == b"ftyp" and HEIC_BRAND.search(content[8:64]) and "HEIF" not in _formats():
        raise UnsuitableImage("a HEIC photo can only be read with the package pillow-heif: pip install pillow-heif")
    _check_tags(content)
    return file if can_seek else io.BytesIO(content)


def _check_tags(content: bytes) -> None:
    """Raise ``UnsuitableImage`` if TIFF or EXIF tags have more values than fit into the file.

    Tags may share their values, and Pillow copies or unpacks those of each.
    """
    for number, header in enumerate(TIFF_HEADER.finditer(content)):
        order, is_big = "<" if header[0][:1] == b"I" else ">", b"+" in header[0]
        num_bytes = 0
        with suppress(struct.error, OverflowError):  # the end of the file
            (place,) = struct.unpack_from(order + "Q" if is_big else order + "L", content, header.start() + 4 * (1 + is_big))
            place += header.start()
            (num_tags,) = struct.unpack_from(order + "Q" if is_big else order + "H", content, place)
            place += 8 if is_big else 2
            for tag in range(min(num_tags, MAX_TAGS + 1)):
                entry = place + tag * (20 if is_big else 12)
                _, kind, count = struct.unpack_from(order + "HHQ" if is_big else order + "HHL", content, entry)
                num_bytes += count * NUM_TIFF_BYTES.get(kind, 1)
                is_too_long = kind in NUM_TIFF_BYTES and count > MAX_TAG_NUMBERS
                if tag == MAX_TAGS or is_too_long or num_bytes > len(content) + 1_000_000:
                    raise UnsuitableImage("the tags of the file must fit into it: save the image again as PNG")
        if number == MAX_TIFF_HEADERS:
            raise UnsuitableImage(f"the file must have at most {MAX_TIFF_HEADERS} sets of tags: save the image again as PNG")


def _load(image: Image.Image) -> None:
    """Decode an image, smaller if it is large and its format can; raises ``UnsuitableImage`` if it is too large."""
    if getattr(image, "fp", None) is None:  # it is decoded already, or never was a file
        if image.width * image.height > MAX_PIXELS:
            _refuse_size(image.width, image.height, MAX_PIXELS)
        return
    is_jpeg, limit = image.format in ("JPEG", "MPO"), _max_pixels(image)
    num_pixels = image.width * image.height
    if num_pixels <= limit and is_jpeg and num_pixels > MAX_FULL_JPEG_PIXELS:
        _draft(image, MAX_SIDE)
    elif limit < num_pixels <= MAX_PIXELS and not is_jpeg:
        _draft(image, MIN_THUMBNAIL_SIDE)
    if image.width * image.height > limit:
        _refuse_size(image.width, image.height, limit)
    if is_jpeg and image.info.get("progressive") and _num_scans(image) > MAX_SCANS:
        raise UnsuitableImage(f"a progressive JPEG must have at most {MAX_SCANS} scans: save it again as PNG")
    image.load()


def _refuse_size(width: int, height: int, limit: int) -> None:
    raise UnsuitableImage(
        f"the image must have at most {limit / 1e6:.3g} million pixels, got {width:,} x {height:,}: make it smaller"
    )


def _draft(image: Image.Image, side: int) -> None:
    """Have the image decoded smaller, with at least ``side`` pixels on its longer side, if its format can do that."""
    factor = max(1, max(image.size) // side)
    image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))  # pyright: ignore[reportArgumentType]


def _max_pixels(image: Image.Image) -> int:
    """How many pixels an image of this format and mode may have, so that decoding it takes at most 200 MB."""
    num_bytes = 1 if image.mode in ("1", "L", "P") else 2 if image.mode.startswith("I;16") else 4  # for each pixel
    limits = [MAX_PIXELS, MAX_PIXELS_BY_DECODER.get(image.format or "", MAX_PIXELS)]
    if image.format in ("JPEG", "MPO"):  # progressive ones have all coefficients in memory, with 2 bytes each
        areas = [across * down for _, across, down, _ in image.layer]  # pyright: ignore[reportAttributeAccessIssue]
        num_bytes = 2 * sum(areas) / max(areas, default=1)
    elif image.format == "TIFF":  # one strip may hold the whole image
        num_bytes += sum(image.tag_v2.get(258, (8,))) / 8  # pyright: ignore[reportAttributeAccessIssue]
    elif image.format == "HEIF" and (image.mode != "RGB" or image.info.get("bit_depth", 8) > 8):
        limits.append(MAX_HDR_PIXELS)
    decoders = [tile[0] for tile in getattr(image, "tile", [])[:1]]
    limits += [MAX_PIXELS_BY_DECODER[decoder] for decoder in decoders if decoder in MAX_PIXELS_BY_DECODER]
    return min(*limits, int(MAX_DECODED_BYTES / max(num_bytes, 1)))


def _num_scans(image: Image.Image) -> int:
    """How many scans a JPEG file has; each is a pass over all of its pixels."""
    file = image.fp  # pyright: ignore[reportAttributeAccessIssue]
    position = file.tell()
    file.seek(0)
    count = file.read().count(b"\xff\xda")
    file.seek(position)
    return count


def pixels_of(drawing: Drawing) -> npt.NDArray[np.uint8]:
    """The drawing as a uint8 array with 2 axes, or with 3 axes and 3 or 4 channels, at most ``MAX_SIDE`` pixels a side."""
    if isinstance(drawing, Image.Image):
        drawing = _pixels_of_image(drawing)
    try:
        drawing = np.asarray(drawing)
    except ValueError:
        raise InklingError("a drawing must be one array, got rows of different lengths") from None
    shape_fits = drawing.ndim == 2 or (drawing.ndim == 3 and drawing.shape[2] in (3, 4))
    if not shape_fits or drawing.dtype != np.uint8 or not drawing.size:
        raise InklingError(
            f"a drawing must be (H, W, 4), (H, W, 3) or (H, W) uint8 or a PIL image, got {drawing.shape} {drawing.dtype}"
        )
    height, width = drawing.shape[:2]
    if height * width > MAX_PIXELS:
        _refuse_size(width, height, MAX_PIXELS)
    factor = -(-max(height, width) // MAX_SIDE)
    if factor <= 1:
        return drawing
    return _reduce(
        lambda left, top, right, bottom: Image.fromarray(drawing[top:bottom, left:right]), (width, height), factor
    )


def _pixels_of_image(image: Image.Image, orientation: int = 1) -> npt.NDArray[np.uint8]:
    """The pixels of a PIL image of any mode and EXIF orientation, at most ``MAX_SIDE`` a side."""
    if orientation == 1 and image.mode in ("L", "RGB", "RGBA") and max(image.size) <= MAX_SIDE:
        return _decoded(lambda: np.asarray(image), image)
    flip_rows, flip_columns, swap = ORIENTATIONS.get(orientation, (False, False, False))
    with _decoding:
        pixels = _decoded(lambda: _small_pixels(image, flip_rows, flip_columns), image)
    pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return pixels.swapaxes(0, 1) if swap else pixels


def _decoded(pixels: Callable[[], npt.NDArray[np.uint8]], image: Image.Image) -> npt.NDArray[np.uint8]:
    """The result of ``pixels``, once the image is decoded; raises ``InklingError`` if that fails."""
    try:
        _load(image)
        return pixels()
    except InklingError:
        raise
    except (OSError, SyntaxError, ValueError, ArithmeticError, Image.DecompressionBombError) as error:
        raise InklingError(f"a drawing must be an image that Pillow can read, and {error}") from None


def _small_pixels(image: Image.Image, from_bottom: bool, from_right: bool) -> npt.NDArray[np.uint8]:
    """The pixels of a decoded image, at most ``MAX_SIDE`` a side."""
    factor = -(-max(image.size) // MAX_SIDE)
    to_bytes = _to_bytes(image)
    return _reduce(lambda *box: to_bytes(image.crop(box)), image.size, factor, from_bottom, from_right)


def _to_bytes(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How to convert the image, or a tile of it, to mode L, RGB or RGBA."""
    if image.mode in ("L", "RGB", "RGBA"):
        return lambda tile: tile
    if image.mode[0] not in "IF":
        return lambda tile: tile.convert("L" if image.mode == "1" else "RGBA")
    low, high = np.inf, -np.inf  # 16 or 32 bits: Pillow's own conversion would clip them
    columns, rows = (_cuts(length, 1) for length in image.size)
    for (left, right), (top, bottom) in product(pairwise(columns), pairwise(rows)):
        values = np.asarray(image.crop((left, top, right, bottom)), np.float64)
        if not np.isfinite(values).all():
            raise UnsuitableImage("the image must have finite numbers as pixels, got NaN or infinity")
        low, high = min(low, values.min()), max(high, values.max())
    factor = 255 / (high - low) if high > low else 0
    return lambda tile: Image.fromarray(((np.asarray(tile, np.float64) - low) * factor).astype(np.uint8))


def _reduce(
    tile: Callable[[int, int, int, int], Image.Image],
    size: tuple[int, int],
    factor: int,
    from_bottom: bool = False,
    from_right: bool = False,
) -> npt.NDArray[np.uint8]:
    """The means of squares of ``factor`` pixels, for an image of which ``tile`` returns a box (left, top, right, bottom).

    Squares are counted from the top left corner, unless another side is given. The result is that of Pillow's
    ``reduce``, without a copy of the whole image.
    """
    columns, rows = _cuts(size[0], factor, from_right), _cuts(size[1], factor, from_bottom)
    return np.concatenate(
        [
            np.concatenate(
                [np.asarray(tile(left, top, right, bottom).reduce(factor)) for left, right in pairwise(columns)], axis=1
            )
            for top, bottom in pairwise(rows)
        ]
    )


def _cuts(length: int, factor: int, from_end: bool = False) -> list[int]:
    """Where to cut a side into tiles of whole squares; the rest, if any, is the last tile, or the first."""
    step = factor * max(1, TILE_SIDE // factor)
    return sorted({0, length, *range(length % factor if from_end else 0, length, step)})
