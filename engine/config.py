"""``Config``: everything that decides what a training does, checked once and stored as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np

from engine.checks import InklingError, check_integer, shown
from engine.data.augmentation import Augmentation, AugmentationKind
from engine.data.dataset import Dataset
from engine.layers import Dense, Layer, LayersKind, layers_from_json
from engine.losses import LOSSES
from engine.memory import available_memory
from engine.network import CLASSES, Network, dense_layers, image_shape, max_batch_size, plan
from engine.optimizers import OPTIMIZERS, Optimizer
from engine.schedules import SCHEDULES
from engine.setting_fields import Choice, Flag, Integer, Number, check_settings, current_names, seed_setting, setting

VALIDATION_SIZE = 5_000  # images that are held back at most, unless the configuration says otherwise
USUAL_DECAYS = (0.0, 0.00001, 0.0001, 0.001, 0.01, 0.1)
CHANGEABLE = ("learning_rate", "momentum", "weight_decay", "batch_size")  # in the middle of a training


@dataclass(frozen=True)
class ShapeKind:
    """The shape of one input: 1 or 3 positive whole numbers."""

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or len(value) not in (1, 3):
            raise InklingError(f"{name} must be 1 or 3 whole numbers, got {shown(value)}")
        return tuple(check_integer(name, size, 1, 1_000_000) for size in value)

    def to_text(self, value: tuple[int, ...]) -> str:
        return "x".join(map(str, value))

    def from_text(self, name: str, text: str) -> tuple[int, ...]:
        sizes = text.split("x")
        return self.check(name, [int(size) if size.isdecimal() and len(size) < 8 else size for size in sizes])

    def show(self, value: tuple[int, ...]) -> str:
        return " x ".join(map(str, value))


def _has_momentum(values: Mapping[str, Any]) -> bool:
    return "momentum" in {field.name for field in fields(OPTIMIZERS[values["optimizer"]])}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A training: the same Config on the same data gives the same network, bit for bit.

    ``layers`` end in as many outputs as there are classes. Every field is checked; a value that cannot work raises
    ``InklingError``. The fields in ``CHANGEABLE`` can be changed in the middle of a training.
    """

    learning_rate: float = setting(
        "Learning rate",
        "How large the steps are. Too small: slow. Too large: the loss explodes.",
        Number(0, 10, open_low=True),
        default=0.002,
        usual=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    )
    epochs: int = setting(
        "Epochs", "How many times the training goes through all training images.", Integer(1, 100_000), default=6
    )
    batch_size: int | None = setting(
        "Batch size",
        "How many images the network looks at before its weights change once.",
        Integer(1, 10_000_000),
        default=128,
        usual=(1, 8, 16, 32, 64, 128, 256, 512, 1024),
        none="all images",
    )
    layers: tuple[Layer, ...] = setting(
        "Layers", "The layers of the network, from input to output.", LayersKind(), default=dense_layers((128,))
    )
    input_shape: tuple[int, ...] | None = setting(
        "Input shape", "The shape of one input.", ShapeKind(), default=None, none="28 x 28 images"
    )
    optimizer: str = setting(
        "Optimizer",
        "The rule that makes a step out of the gradient.",
        Choice(OPTIMIZERS),
        default="adam",
    )
    momentum: float = setting(
        "Momentum",
        "How much of the last step is added to the next one, as with a ball that rolls downhill. Some optimizers have none.",
        Number(0, 0.9999),
        default=0.9,
        usual=(0.0, 0.5, 0.9, 0.95, 0.99),
        typed=True,
        applies=_has_momentum,
    )
    loss: str = setting(
        "Loss",
        "How wrong the answers are, as one number. Training makes it small. Cross-entropy punishes confident mistakes most.",
        Choice(LOSSES),
        default="cross_entropy",
    )
    schedule: str = setting(
        "Schedule",
        "A plan for the learning rate: for example large steps first, small ones at the end.",
        Choice(SCHEDULES),
        default="constant",
    )
    weight_decay: float = setting(
        "Weight decay",
        "Pulls all weights towards zero in every step (L2), which works against memorising. Biases are left alone.",
        Number(0, 1),
        default=0.0,
        usual=USUAL_DECAYS,
    )
    label_smoothing: float = setting(
        "Label smoothing",
        "Asks for so much less than 100 % for the right digit, so that the network does not become too sure.",
        Number(0, 0.9),
        default=0.0,
        usual=(0.0, 0.05, 0.1, 0.2),
        typed=True,
    )
    l1: float = setting(
        "L1", "Pulls weights to exactly zero, so that only a few are left.", Number(0, 1), default=0.0, usual=USUAL_DECAYS
    )
    max_grad_norm: float | None = setting(
        "Gradient clipping",
        "Shortens a gradient that is longer than a limit to this limit, so that no step is too wild.",
        Number(1e-6, 1e6),
        default=None,
        usual=(0.5, 1.0, 5.0),
        none="none",
        old_names=("clip_norm",),
    )
    ema_decay: float | None = setting(  # Polyak & Juditsky, 1992
        "Weight averaging",
        "The result is an average of the weights over the last steps (EMA), often better. The higher, the more steps.",
        Number(0, 0.99999),
        default=None,
        usual=(0.99, 0.999),
        none="none",
        old_names=("averaging",),
    )
    train_size: int = setting(
        "Training images",
        "How many images of the data are used, counted from the first.",
        Integer(1, 10_000_000),
        default=60_000,
        usual=(1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000),
        old_names=("images",),
    )
    patience: int | None = setting(
        "Early stopping",
        "Ends the training after some epochs without a lower validation loss, and goes back to the best epoch.",
        Integer(1, 100_000),
        default=None,
        usual=(3, 5, 10, 20),
        none="none",
    )
    validation_size: int | None = setting(
        "Validation images",
        "How many of the training images are held back, to see how well the network reads images it does not learn from.",
        Integer(0, 10_000_000),
        default=None,
        usual=(0, 1_000, 5_000),
        none="a tenth, at most 5,000",
        old_names=("validation",),
    )
    augmentation: Augmentation | None = setting(
        "Augmentation",
        "Shift, turn and bend each image in a new way every time it is shown, so that none can be memorised.",
        AugmentationKind(),
        default=None,
        none="none",
    )
    shuffle: bool = setting("Shuffle", "Show the images in a new random order in each epoch.", Flag(), default=True)
    seed: int = seed_setting()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.validation_size is not None and self.validation_size >= self.train_size:
            raise InklingError(
                f"validation_size must be a whole number from 0 to {self.train_size - 1:,}, got {self.validation_size}"
            )
        outputs = plan(self.layers, self.input_shape or image_shape(self.layers))[-1].output
        if len(outputs) != 1 or (self.input_shape is None and outputs != (CLASSES,)):
            raise InklingError(f"layers must end in {CLASSES} outputs, one for each digit, got {shown(outputs)}")
        if self.patience is not None and self.validation_size == 0:
            raise InklingError("patience needs a validation set, got validation_size 0")

    def for_classes(self, num_classes: int) -> Self:
        """The same with a last layer of ``num_classes`` outputs, for images of 28 x 28; raises if the last is not dense."""
        if num_classes == CLASSES or self.input_shape is not None:
            return self
        if not isinstance(self.layers[-1], Dense):
            raise InklingError(f"layers must end in a dense layer for {num_classes} classes, got {self.layers[-1]}")
        layers = (*self.layers[:-1], replace(self.layers[-1], units=num_classes))
        return replace(self, layers=layers, input_shape=image_shape(self.layers))

    def split(self, train_set: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset | None]:
        """The images to train on, and those that ``rng`` holds back for validation (None if there are none).

        Raises ``InklingError`` if the data are too few.
        """
        if not len(train_set):
            raise InklingError("a training set must have at least one image, got none")
        if len(train_set) > self.train_size:
            train_set = train_set.subset(slice(self.train_size))
        size = self.num_validation(len(train_set))
        if self.patience is not None and not size:
            raise InklingError(f"patience needs a validation set, and {len(train_set):,} images leave none to hold back")
        return train_set.split(size, rng) if size else (train_set, None)

    def num_validation(self, num_images: int) -> int:
        """How many of ``num_images`` images are held back for validation; raises if none would be left to train on."""
        if self.validation_size is None:
            return min(VALIDATION_SIZE, num_images // 10)
        if self.validation_size >= num_images:
            raise InklingError(
                f"validation_size must leave some of {num_images:,} images to train on, got {self.validation_size:,}"
            )
        return self.validation_size

    def make_network(self, rng: np.random.Generator) -> Network:
        """A new network of these layers, initialised from ``rng``; raises ``InklingError`` if memory is short."""
        self.check_memory()
        return Network(self.layers, self.input_shape, output=LOSSES[self.loss].output, rng=rng)

    def training_bytes(self) -> int:
        """About how many bytes a training needs at least: float32 vectors of the parameters, and a batch at work.

        The vectors are the parameters, their gradients, their values before the step, the optimizer's state, and those
        that ``ema_decay`` and ``patience`` add.
        """
        plans = plan(self.layers, self.input_shape or image_shape(self.layers))
        vectors = 3 + len(OPTIMIZERS[self.optimizer].slots) + (self.ema_decay is not None) + (self.patience is not None)
        batch_size = min(self.batch_size or self.train_size, self.train_size, max_batch_size(plans))
        size = sum(layer_plan.num_parameters for layer_plan in plans)
        return 4 * (vectors * size + batch_size * sum(layer_plan.working_size for layer_plan in plans))

    def check_memory(self) -> None:
        """Raise ``InklingError`` if a training needs more memory than there is, before it is allocated."""
        needed, available = self.training_bytes(), available_memory()
        if needed > available:
            raise InklingError(
                f"this training needs about {needed / 1e6:,.0f} MB of memory, and {available / 1e6:,.0f} MB are available: "
                "choose fewer units or layers, or a smaller batch_size"
            )

    def make_optimizer(self) -> Optimizer:
        """A new optimizer with these hyperparameters."""
        optimizer_class = OPTIMIZERS[self.optimizer]
        if _has_momentum(vars(self)):
            return optimizer_class(momentum=self.momentum)  # pyright: ignore[reportCallIssue]
        return optimizer_class()

    def changed(self, **values: Any) -> Self:
        """The configuration with settings in ``CHANGEABLE`` changed; raises ``InklingError`` for any other."""
        if not values.keys() <= set(CHANGEABLE):
            raise InklingError(f"only {', '.join(CHANGEABLE)} can be changed in a training, got {', '.join(values)}")
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        return asdict(self) | {"layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The configuration that ``to_json`` wrote, today or under old names; raises ``InklingError`` for anything else."""
        if not isinstance(value, dict):
            raise InklingError(f"a configuration must be a JSON object, got {type(value).__name__}")
        value = current_names(cls, value)
        unknown = value.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise InklingError(f"a configuration has no {shown(sorted(map(str, unknown)))}")
        if "layers" in value:
            value["layers"] = layers_from_json(value["layers"])
        if isinstance(value.get("augmentation"), dict):
            value["augmentation"] = Augmentation.from_json(value["augmentation"])
        return cls(**value)

    def differences(self, other: "Config") -> dict[str, tuple[Any, Any]]:
        """The fields that differ from ``other``, with both values: {field: (own value, other value)}."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
