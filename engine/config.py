"""``Config``: everything that decides what a training does, checked once and kept as JSON."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, fields

from engine.checks import InklingError, check_choice, check_integer, check_number, shown
from engine.data.augmentation import Augmentation
from engine.layers import Layer, layer_from_json
from engine.losses import LOSSES
from engine.network import CLASSES, Network, dense_layers, image_shape, plan
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES

VALIDATION_SIZE = 5_000
MAX_LINK = 4_000  # characters: browsers and servers take longer addresses, but not all of them
MAX_LINKED = 1 << 18  # bytes of JSON that a link may unpack to: compression must not multiply a hostile one


@dataclass(frozen=True, kw_only=True)
class Config:
    """A training: the same Config on the same data gives the same network, bit for bit.

    ``layers`` end in as many outputs as there are classes; ``input_shape`` None is that of 28 x 28 images, 10 classes.
    ``batch_size`` None is the full batch; 1 is per-sample training. ``images`` is how many of the training images take
    part, from the first; ``shuffle`` draws their order anew in each epoch. Of these, ``validation_size`` (None: 5,000, or
    a tenth where that is fewer) are held back by the seed. ``l1`` and ``weight_decay`` (L2) apply to weights, not biases.
    ``clip_norm`` is the longest gradient of the loss that is followed as it is. ``averaging`` is the decay of an
    exponential moving average of all weights, which then is the result (Polyak & Juditsky, 1992). ``patience`` is the
    number of epochs that the validation loss may fail to improve before training stops early. Every field is checked; a
    value that cannot work raises ``InklingError``.
    """

    layers: tuple[Layer, ...] = dense_layers((128,))
    input_shape: tuple[int, ...] | None = None
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.002
    schedule: str = "constant"
    momentum: float = 0.9
    weight_decay: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = None
    averaging: float | None = None
    augmentation: Augmentation | None = None
    batch_size: int | None = 128
    shuffle: bool = True
    epochs: int = 6
    images: int = 60_000
    validation_size: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.layers, list | tuple) or not all(isinstance(layer, Layer) for layer in self.layers):
            raise InklingError(f"layers must be a tuple of layers, got {shown(self.layers)}")
        if self.augmentation is not None and not isinstance(self.augmentation, Augmentation):
            raise InklingError(f"augmentation must be an Augmentation, got {shown(self.augmentation)}")
        if not isinstance(self.shuffle, bool):
            raise InklingError(f"shuffle must be True or False, got {shown(self.shuffle)}")
        settle = {
            "layers": tuple(self.layers),
            "label_smoothing": check_number("label_smoothing", self.label_smoothing, 0, 0.9),
            "learning_rate": check_number("learning_rate", self.learning_rate, 0, 10, open_low=True),
            "momentum": check_number("momentum", self.momentum, 0, 0.9999),
            "weight_decay": check_number("weight_decay", self.weight_decay, 0, 1),
            "l1": check_number("l1", self.l1, 0, 1),
            "epochs": check_integer("epochs", self.epochs, 1, 100_000),
            "images": check_integer("images", self.images, 1, 10_000_000),
            "seed": check_integer("seed", self.seed, 0, 2**63 - 1),
        }
        for name, check, *limits in (
            ("input_shape", _check_shape),
            ("clip_norm", check_number, 1e-6, 1e6),
            ("averaging", check_number, 0, 0.99999),
            ("batch_size", check_integer, 1, 10_000_000),
            ("patience", check_integer, 1, 100_000),
            ("validation_size", check_integer, 0, settle["images"] - 1),
        ):
            value = getattr(self, name)
            settle[name] = None if value is None else check(name, value, *limits)
        for name, value in settle.items():
            object.__setattr__(self, name, value)
        outputs = plan(self.layers, self.input_shape or image_shape(self.layers))[-1].output
        if len(outputs) != 1 or (self.input_shape is None and outputs != (CLASSES,)):
            raise InklingError(f"layers must end in {CLASSES} outputs, one for each digit, got {shown(outputs)}")
        if self.patience is not None and self.validation_size == 0:
            raise InklingError("patience needs a validation set, got validation_size 0")

    def split(self, train_set, rng):
        """The part of ``train_set`` to train on and the part held back by ``rng`` for validation, or None for that."""
        if not len(train_set):
            raise InklingError("a training set must have at least one image, got none")
        if len(train_set) > self.images:
            train_set = train_set.subset(slice(self.images))
        size = self.held_back(len(train_set))
        if self.patience is not None and not size:
            raise InklingError(f"patience needs a validation set, and {len(train_set):,} images leave none to hold back")
        return train_set.split(size, rng) if size else (train_set, None)

    def held_back(self, images):
        """How many of ``images`` training images are for validation; raises where none would be left to train on."""
        if self.validation_size is None:
            return min(VALIDATION_SIZE, images // 10)
        if self.validation_size >= images:
            raise InklingError(
                f"validation_size must leave some of {images:,} images to train on, got {self.validation_size:,}"
            )
        return self.validation_size

    def network(self, rng):
        """A new network of these layers, initialised from ``rng``."""
        return Network(self.layers, self.input_shape, output=LOSSES[self.loss].output, rng=rng)

    def make_optimizer(self):
        """A new optimizer with these hyperparameters."""
        kind = OPTIMIZERS[self.optimizer]
        takes_momentum = "momentum" in {field.name for field in fields(kind)}
        return kind(momentum=self.momentum) if takes_momentum else kind()

    def to_json(self):
        """The configuration as plain JSON values."""
        return asdict(self) | {"layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, value):
        """The configuration that ``to_json`` wrote; anything else raises ``InklingError``."""
        if not isinstance(value, dict):
            raise InklingError(f"a configuration must be a JSON object, got {type(value).__name__}")
        unknown = value.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise InklingError(f"a configuration has no {shown(sorted(map(str, unknown)))}")
        if "layers" in value:
            if not isinstance(value["layers"], list):
                raise InklingError(f"layers must be a list, got {type(value['layers']).__name__}")
            value = value | {"layers": tuple(map(layer_from_json, value["layers"]))}
        if isinstance(value.get("augmentation"), dict):
            value = value | {"augmentation": _augmentation_from_json(value["augmentation"])}
        return cls(**value)

    def differences(self, other):
        """What is not the same in ``other``: {field: (this one's value, the other's)}."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def to_link(self):
        """What differs from the default as a short text for the address of a page: letters, digits, - and _."""
        values = self.to_json()
        text = json.dumps({name: values[name] for name in self.differences(Config())}, separators=(",", ":"))
        link = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
        if len(link) > MAX_LINK:
            raise InklingError(f"a link has room for {MAX_LINK:,} characters, and this configuration takes {len(link):,}")
        return link

    @classmethod
    def from_link(cls, text):
        """The configuration that ``to_link`` wrote; anything else raises ``InklingError``."""
        if not isinstance(text, str) or len(text) > MAX_LINK:
            raise InklingError(
                f"a configuration's link must be a text of at most {MAX_LINK:,} characters, got {shown(text)}"
            )
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(packed, MAX_LINKED)
            if not unpacker.eof or unpacker.unused_data:
                raise ValueError("it is cut off, too long or has something behind it")
            value = json.loads(unpacked)
        except (ValueError, zlib.error, RecursionError):
            raise InklingError(f"a configuration's link must be whole and as it was made, got {shown(text)}") from None
        return cls.from_json(value)


def _check_shape(name, value):
    if not isinstance(value, list | tuple) or len(value) not in (1, 3):
        raise InklingError(f"{name} must be 1 or 3 whole numbers, got {shown(value)}")
    return tuple(check_integer(name, size, 1, 1_000_000) for size in value)


def _augmentation_from_json(value):
    known = {field.name for field in fields(Augmentation)}
    if not value.keys() <= known:
        raise InklingError(f"augmentation takes {', '.join(sorted(known))}, got {shown(sorted(map(str, value)))}")
    return Augmentation(**value)
