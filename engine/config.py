"""``Config``: everything that decides what a training does, checked once and kept as JSON."""

from dataclasses import asdict, dataclass, fields

from engine.checks import InklingError, check_choice, check_integer, check_number, shown
from engine.layers import Layer, layer_from_json
from engine.losses import LOSSES
from engine.network import CLASSES, FLAT_IMAGE, Network, dense_layers, plan
from engine.optimizers import OPTIMIZERS

VALIDATION_SIZE = 5_000


@dataclass(frozen=True, kw_only=True)
class Config:
    """A training: the same Config on the same data gives the same network, bit for bit.

    ``batch_size`` None is the full batch; 1 is per-sample training. ``images`` is how many of the training images take
    part, from the first. Of these, ``validation_size`` (None: 5,000, or a tenth where that is fewer) are held back by the
    seed. ``patience`` is the number of epochs that the validation loss may fail to improve before training stops early.
    Every field is checked; a value that cannot work raises ``InklingError``.
    """

    layers: tuple[Layer, ...] = dense_layers((128,))
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    learning_rate: float = 0.002
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int | None = 128
    epochs: int = 6
    images: int = 60_000
    validation_size: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if not isinstance(self.layers, list | tuple) or not all(isinstance(layer, Layer) for layer in self.layers):
            raise InklingError(f"layers must be a tuple of layers, got {shown(self.layers)}")
        outputs = plan(self.layers, FLAT_IMAGE)[-1][0]
        if outputs != (CLASSES,):
            raise InklingError(f"layers must end in {CLASSES} outputs, one for each digit, got {shown(outputs)}")
        settle = {
            "layers": tuple(self.layers),
            "learning_rate": check_number("learning_rate", self.learning_rate, 0, 10, open_low=True),
            "momentum": check_number("momentum", self.momentum, 0, 0.9999),
            "weight_decay": check_number("weight_decay", self.weight_decay, 0, 1),
            "epochs": check_integer("epochs", self.epochs, 1, 100_000),
            "images": check_integer("images", self.images, 1, 10_000_000),
            "seed": check_integer("seed", self.seed, 0, 2**63 - 1),
        }
        if self.batch_size is not None:
            settle["batch_size"] = check_integer("batch_size", self.batch_size, 1, 10_000_000)
        if self.patience is not None:
            settle["patience"] = check_integer("patience", self.patience, 1, 100_000)
        if self.validation_size is not None:
            settle["validation_size"] = check_integer("validation_size", self.validation_size, 0, settle["images"] - 1)
        for name, value in settle.items():
            object.__setattr__(self, name, value)
        if self.patience is not None and self.validation_size == 0:
            raise InklingError("patience needs a validation set, got validation_size 0")

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
        return Network(self.layers, output=LOSSES[self.loss].output, rng=rng)

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
            raise InklingError(f"a configuration has no {', '.join(sorted(map(str, unknown)))}")
        if "layers" in value:
            if not isinstance(value["layers"], list):
                raise InklingError(f"layers must be a list, got {type(value['layers']).__name__}")
            value = value | {"layers": tuple(map(layer_from_json, value["layers"]))}
        return cls(**value)
