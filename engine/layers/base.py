"""``Layer``: the base class of all layers."""

from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from engine.initializers import INITIALIZERS
from engine.setting_fields import Choice, Flag, check_settings, setting

MAX_UNITS = 65_536


def initializer_setting() -> Any:
    """The field of a layer that names the initializer of its weights."""
    return setting(
        "Initial weights",
        "he_* suits ReLU; glorot_* and lecun_* suit sigmoid and tanh. With zeros, hidden layers cannot learn.",
        Choice(INITIALIZERS),
        default="he_normal",
    )


@dataclass
class Layer:
    """Base class of the layers: a dataclass of the settings that describe the layer.

    Two layers are equal if their settings are. A ``Network`` works on copies, each bound to its place in the network's flat
    vectors: a bound layer has an array for each parameter ``P``, one for its gradient ``dP``, and one for each buffer. A
    layer without parameters needs ``forward`` and ``backward`` only. The parameters of a ``frozen`` layer do not change in
    training.
    """

    kind: ClassVar[str]  # its key in ``LAYERS`` and in JSON
    label: ClassVar[str]  # its name for people
    main_setting: ClassVar[str | None] = None  # the setting that needs no name in a link or on the page
    input_axes: ClassVar[int | None] = None  # of one input: 1 for rows of numbers, 3 for images, None for either
    decayed_parameters: ClassVar[tuple[str, ...]] = ()  # those that weight decay applies to

    _: KW_ONLY
    frozen: bool = setting(
        "Frozen", "A frozen layer's parameters do not change in training.", Flag(), default=False, repr=False
    )

    def __post_init__(self) -> None:
        check_settings(self)

    if TYPE_CHECKING:  # a network adds arrays, a trainer the random generator

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def summary(self) -> str:
        """The layer in one or two words, for a one-line description of a network."""
        return self.label.lower()

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one output; raises an ``InklingError`` that begins with "takes" if the input does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by name."""
        return {}

    def buffer_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shape of each buffer by name: an array that training updates without a gradient."""
        return {}

    def working_size(self, input_shape: tuple[int, ...]) -> int:
        """How many numbers the layer needs in memory for one input, which limits the size of a batch."""
        return prod(input_shape) + prod(self.output_shape(input_shape))

    def initialize(self, rng: np.random.Generator) -> None:
        """Set the bound parameters and buffers to their values before training."""

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        """The outputs for a batch of inputs; stores what ``backward`` needs only if ``training``."""
        raise NotImplementedError

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        """Fill the parameters' gradients from dL/dy; return dL/dx, or None without ``input_gradient``."""
        raise NotImplementedError

    def scratch(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray:
        """An array for results of a step, reused at the next step to save the allocation; zeros when it is new."""
        return self._reused(name, (shape, dtype), lambda: np.zeros(shape, dtype))

    def scratch_like(self, name: str, other: npt.NDArray) -> npt.NDArray:
        """Like ``scratch``, with the shape and memory layout of ``other``; not set to zero when it is new."""
        return self._reused(name, (other.shape, other.strides, other.dtype), lambda: np.empty_like(other))

    def _reused(self, name: str, layout: tuple, make: Callable[[], npt.NDArray]) -> npt.NDArray:
        arrays = self.__dict__.setdefault("_scratch", {})
        if name not in arrays or arrays[name][0] != layout:
            arrays[name] = layout, make()
        return arrays[name][1]

    def to_json(self) -> dict[str, Any]:
        """The layer's kind and settings as a dict, which ``layer_from_json`` reads."""
        return {"layer": self.kind, **asdict(self)}
