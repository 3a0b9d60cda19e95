"""Random changes that keep a digit's meaning: move, rotate, stretch, shear, bend, thicken, add noise.

All movements together give each new pixel one position in the old image, where it is looked up once. So an image is
blurred only once, no matter how many changes are switched on.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_choice, shown
from engine.data.damage import damage
from engine.data.resample import SUBPIXELS, pad, sample, scratch
from engine.setting_fields import Number, check_settings, setting, settings_of

BLOCK_SIZE = 64  # images changed at a time, so that their work arrays fit into the processor's cache


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes, drawn anew for every image: ``augmentation(images, rng)``. A field of 0 switches its change off.

    ``shift``, ``rotation`` and ``shear`` are uniform in [-value, value], the two stretching factors in [1 - ``scale``,
    1 + ``scale``]. ``elastic`` is the standard deviation, along each axis, of a displacement field smoothed by a Gaussian of
    ``smoothness`` pixels (Simard, Steinkraus & Platt, 2003). ``untouched`` images help because a moved image is slightly
    blurred, and a network that is trained on blurred images alone does worse on sharp ones (He et al., "Data augmentation
    revisited", 2019). ``damage`` comes last, also to images that are otherwise untouched.
    """

    shift: float = setting("Shift", "Pixels, along each axis.", Number(0, 100), default=0.0)
    rotation: float = setting("Rotation", "Degrees, in either direction.", Number(0, 180), default=0.0)
    scale: float = setting("Scale", "The fraction by which each axis is stretched or shrunk.", Number(0, 0.9), default=0.0)
    shear: float = setting("Shear", "Degrees by which upright lines lean.", Number(0, 60), default=0.0)
    elastic: float = setting(
        "Elastic", "Pixels by which each part of the image is moved, differently everywhere.", Number(0, 20), default=0.0
    )
    smoothness: float = setting("Smoothness", "How smooth the bending is, in pixels.", Number(1, 100), default=4.0)
    thickness: float = setting("Thickness", "Pixels by which strokes get wider or thinner.", Number(0, 2), default=0.0)
    noise: float = setting(
        "Noise", "Standard deviation of the noise on each pixel, where white is 1.", Number(0, 1), default=0.0
    )
    untouched: float = setting("Untouched", "The fraction of images that stay as they are.", Number(0, 1), default=0.0)
    damage: float = setting(
        "Damage", "The fraction of images that get noise, specks, blur, or thin or broken lines.", Number(0, 1), default=0.0
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The augmentation that ``dataclasses.asdict`` turned into ``value``; raises ``InklingError`` for anything else."""
        known = settings_of(cls)
        if not value.keys() <= known.keys():
            raise InklingError(f"augmentation takes {', '.join(known)}, got {shown(sorted(map(str, value)))}")
        return cls(**value)

    def __call__(self, images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """New images (N, H, W) float32 in [0, 1] from images that are uint8, or float in [0, 1] and rounded to 8 bits."""
        count, height, width = images.shape
        # How many random numbers are drawn depends only on the shape and the fields, so that runs can be repeated.
        moves = rng.random((7, count), np.float32) * 2 - 1
        affine, pixels = self._affine(moves[:6], height, width), self.thickness * moves[6]
        changed = np.empty(images.shape, np.float32)
        for start in range(0, count, BLOCK_SIZE):
            block = slice(start, start + BLOCK_SIZE)
            padded = pad(images[block])
            if self.thickness:
                thicken(padded, pixels[block])
            sample(padded, self._positions(affine[..., block], height, width, rng), changed[block])
        if self.noise:
            changed += self.noise * rng.standard_normal(changed.shape, np.float32)
            np.clip(changed, 0, 1, out=changed)
        if self.untouched:
            untouched = rng.random(count) < self.untouched
            changed[untouched] = pad(images[untouched])[:, 1:-1, 1:-1] / np.float32(255)
        if self.damage:
            damage(changed, self.damage, rng)
        return changed

    def _affine(self, moves: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
        """Maps (2, 3, N) from new to old positions, in pixels of the padded image.

        For x and y: the old position of the centre, and how much it changes with a step right and a step down. ``moves``
        (6, N) in [-1, 1] say how much of each change is applied.
        """
        shift_x, shift_y, angle, stretch_x, stretch_y, lean = moves
        shift_x, shift_y = self.shift * shift_x, self.shift * shift_y
        angle, lean = np.deg2rad(self.rotation) * angle, np.tan(np.deg2rad(self.shear) * lean)
        stretch_x, stretch_y = 1 + self.scale * stretch_x, 1 + self.scale * stretch_y
        cos, sin = np.cos(angle), np.sin(angle)
        # A digit is stretched, sheared, rotated, then shifted. The way back applies the inverses in reverse order.
        affine = np.empty((2, 3, moves.shape[1]), np.float32)
        affine[0, 1], affine[0, 2] = (cos - lean * sin) / stretch_x, -(sin + lean * cos) / stretch_x
        affine[1, 1], affine[1, 2] = sin / stretch_y, cos / stretch_y
        affine[:, 0] = np.array([[width + 1], [height + 1]]) / 2 - affine[:, 1] * shift_x - affine[:, 2] * shift_y
        return affine

    def _positions(
        self, affine: npt.NDArray[np.float32], height: int, width: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        """The old position of each new pixel: x and y (2, N, H, W), in 1/256 pixel of the padded image.

        The affine map and the elastic field are both sums of products of a function of the row and a function of the
        column, so two matrix products with a table of coefficients compute them together.
        """
        smoothness = self.smoothness if self.elastic else None
        over_rows, over_columns = basis(height, smoothness), basis(width, smoothness)
        rows, columns, count = over_rows.shape[1], over_columns.shape[1], affine.shape[-1]
        coefficients = np.zeros((2, rows, columns, count), np.float32)
        coefficients[:, 0, 0], coefficients[:, 0, 1], coefficients[:, 1, 0] = SUBPIXELS * affine.transpose(1, 0, 2)
        coefficients[:, 0, 0] += 0.5  # ``sample`` cuts fractions off: with this, it rounds
        if self.elastic:
            shape = 2, rows - 2, columns - 2, count
            uniform = np.frombuffer(rng.bytes(2 * math.prod(shape)), "<i2").reshape(shape)
            deviation = 2**15 / math.sqrt(3)  # of a number uniform in [-2**15, 2**15]
            np.multiply(uniform, np.float32(SUBPIXELS * self.elastic / deviation), out=coefficients[:, 2:, 2:])
        along_columns = over_rows @ coefficients.reshape(2, rows, -1)  # (2, H, columns * N)
        along_columns = along_columns.reshape(2, height, columns, count).swapaxes(2, 3)
        positions = scratch("positions", (2, count, height, width), np.float32)
        np.matmul(along_columns, over_columns.T, out=positions.swapaxes(1, 2))
        return positions


@lru_cache(maxsize=16)
def basis(size: int, smoothness: float | None) -> npt.NDArray[np.float32]:
    """Functions of the pixel's index along an axis, as columns (size, K): 1, the distance from the centre, and Gaussians.

    The Gaussians, of ``smoothness`` pixels, turn independent random numbers into a smooth curve of the same variance; they
    are left out if ``smoothness`` is None.
    """
    distance = np.arange(size) - (size - 1) / 2
    functions = np.stack([np.ones(size), distance], axis=1)
    if smoothness is not None:
        step = 1.5 * smoothness  # with wider steps, the variance would drop between the centres
        steps = np.ceil((size - 1) / 2 / step + 0.5)
        centres = step * np.arange(0.5 - steps, steps)
        bells = np.exp(-((distance[:, None] - centres) ** 2) / (2 * smoothness**2))
        functions = np.hstack([functions, bells / np.linalg.norm(bells, axis=1, keepdims=True)])
    return functions.astype(np.float32)


def thicken(padded: npt.NDArray[np.uint16], pixels: npt.NDArray[np.floating]) -> None:
    """Widen the strokes of each padded image by ``pixels`` (N,) in [-2, 2], in place.

    Each pixel moves towards the brightest of itself and its four neighbours. All the way would add a pixel on both sides
    of a stroke. A negative number widens the background instead.
    """
    height, width = padded.shape[1:]
    negative = np.where(pixels < 0, 255, 0).astype(np.uint16)[:, None, None]
    weight = np.rint(np.abs(pixels) * (SUBPIXELS / 2)).astype(np.uint16)[:, None, None]
    padded ^= negative
    flat, rise = padded.reshape(-1), scratch("rise", (padded.size,), np.uint16)
    np.copyto(rise, flat)
    for step in (1, width):  # horizontal, then vertical neighbours
        np.maximum(rise[step:], flat[:-step], out=rise[step:])
        np.maximum(rise[:-step], flat[step:], out=rise[:-step])
    rise -= flat
    rise = rise.reshape(padded.shape)
    rise *= weight
    rise >>= 8
    padded += rise
    padded ^= negative
    padded[:, :: height - 1] = 0
    flat[::width] = flat[width - 1 :: width] = 0


_STRONG = Augmentation(shift=1.5, rotation=10, scale=0.12, shear=8, elastic=1.0, smoothness=4, thickness=0.8)

AUGMENTATIONS = {
    "none": None,
    "light": Augmentation(shift=1.5, rotation=8, scale=0.08),
    "strong": _STRONG,
    "half": replace(_STRONG, untouched=0.5),
    "worn": replace(_STRONG, untouched=0.5, damage=0.3),
}


@dataclass(frozen=True)
class AugmentationKind:
    """Settings that are an ``Augmentation``. As text: a name in ``AUGMENTATIONS``, or ``shift=1.5:rotation=8``."""

    def check(self, name: str, value: Any) -> Augmentation:
        if not isinstance(value, Augmentation):
            raise InklingError(f"{name} must be an Augmentation, got {shown(value)}")
        return value

    def to_text(self, value: Augmentation) -> str:
        fields = settings_of(Augmentation).items()
        return _preset_name(value) or ":".join(f"{name}={field.to_text(getattr(value, name))}" for name, field in fields)

    def from_text(self, name: str, text: str) -> Augmentation | None:
        if "=" not in text:
            return AUGMENTATIONS[check_choice(name, text, AUGMENTATIONS)]
        fields, values = settings_of(Augmentation), {}
        for assignment in text.split(":"):
            field, _, number = assignment.partition("=")
            values[field] = fields[check_choice(name, field, fields)].from_text(f"{name} {field}", number)
        return Augmentation(**values)

    def show(self, value: Augmentation) -> str:
        return _preset_name(value) or "custom"


def _preset_name(value: Augmentation) -> str | None:
    return next((name for name, preset in AUGMENTATIONS.items() if preset == value), None)
