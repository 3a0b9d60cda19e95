"""``Network``: a list of layers over one flat vector of parameters."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_choice, shorten
from engine.layers import Activation, Dense, Dropout, Layer, check_num_layers
from engine.losses import OUTPUTS

IMAGE_SHAPE = (28, 28)
FLAT_IMAGE = (784,)
CLASSES = 10
MAX_NAME_LENGTH = 30  # characters of a class's name
MAX_PARAMETERS = 50_000_000
WORKING_NUMBERS = 1 << 26  # numbers that one layer may work on at once: limits the size of inputs and of batches


def dense_layers(
    hidden: Iterable[int],
    activation: str = "relu",
    initializer: str = "he_normal",
    classes: int = CLASSES,
    dropout: float = 0.0,
) -> tuple[Layer, ...]:
    """The layers of a multi-layer perceptron with the given ``hidden`` units, e.g. ``(128, 64)``.

    With ``dropout``, the rate of a dropout layer behind each activation.
    """
    hidden = tuple(hidden)
    check_num_layers((3 if dropout else 2) * len(hidden) + 1)
    layers: list[Layer] = []
    for units in hidden:
        layers += [Dense(units, initializer), Activation(activation), *([Dropout(dropout)] if dropout else [])]
    return (*layers, Dense(classes, initializer))


class LayerPlan(NamedTuple):
    """The shapes of a layer for one input shape: of its output, and of its parameters and buffers by name.

    ``working_size`` is how many numbers the layer needs in memory for one input.
    """

    output: tuple[int, ...]
    parameters: dict[str, tuple[int, ...]]
    buffers: dict[str, tuple[int, ...]]
    working_size: int

    @property
    def num_parameters(self) -> int:
        return sum(map(prod, self.parameters.values()))


def plan(layers: Sequence[Layer], input_shape: Iterable[int]) -> list[LayerPlan]:
    """The ``LayerPlan`` of each layer of a network for inputs of this shape.

    Nothing is allocated, so an architecture from a file can be checked before it is built. Raises ``InklingError`` if two
    layers do not fit together, if there are more than ``MAX_LAYERS`` layers or ``MAX_PARAMETERS`` parameters, or if a layer
    needs more than ``WORKING_NUMBERS`` numbers for one input.
    """
    return list(iterate_plan(layers, input_shape))


def iterate_plan(layers: Sequence[Layer], input_shape: Iterable[int]) -> Iterator[LayerPlan]:
    """Like ``plan``, one layer at a time: the layers before one that does not fit have their ``LayerPlan``."""
    if not layers:
        raise InklingError("a network must have at least one layer, got none")
    check_num_layers(len(layers))
    shape, size = tuple(input_shape), 0
    for position, layer in enumerate(layers):
        try:
            output = layer.output_shape(shape)
        except InklingError as error:
            source = f"layer {position}, {layers[position - 1]}, gives" if position else "the input has"
            raise InklingError(f"layer {position + 1}, {layer}, {error}, but {source} the shape {shape}") from None
        layer_plan = LayerPlan(output, layer.parameter_shapes(shape), layer.buffer_shapes(shape), layer.working_size(shape))
        size += layer_plan.num_parameters
        if size > MAX_PARAMETERS:
            raise InklingError(f"a network must have at most {MAX_PARAMETERS:,} parameters, got {size:,} or more")
        largest = max(layer_plan.working_size, prod(shape))
        if largest > WORKING_NUMBERS:
            raise InklingError(
                f"a layer must need at most {WORKING_NUMBERS:,} numbers in memory for one input, "
                f"got {largest:,} for layer {position + 1}, {layer}"
            )
        yield layer_plan
        shape = output


def max_batch_size(plans: Iterable[LayerPlan]) -> int:
    """How many inputs a network with these plans may take at once, so that every layer has room for its work."""
    return min(max(WORKING_NUMBERS // max(layer_plan.working_size for layer_plan in plans), 1), 4096)


def image_shape(layers: Iterable[Layer]) -> tuple[int, ...]:
    """The shape in which these layers take a 28 x 28 image: (1, 28, 28), or (784,)."""
    axes = next((layer.input_axes for layer in layers if layer.input_axes), 1)
    return (1, *IMAGE_SHAPE) if axes == 3 else FLAT_IMAGE


def num_parameters(layers: Sequence[Layer], input_shape: Iterable[int] | None = None) -> int:
    """The number of parameters of a network with these layers."""
    return sum(layer_plan.num_parameters for layer_plan in plan(layers, input_shape or image_shape(layers)))


def as_pixels(images: npt.NDArray) -> npt.NDArray:
    """Images as floats in [0, 1]: uint8 is divided by 255 and becomes float32, floats are returned unchanged."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images


class Network:
    """Layers over one flat vector.

    ``state_vector`` is one contiguous vector with everything that the network has learned; the layers' arrays are views
    into it. First come the ``parameters``: those that weight decay applies to (``parameters[:num_decayed]``), then the
    others that are trained (up to ``parameters[:num_trainable]``), then those of frozen layers. The layers' buffers come
    last. ``gradients`` has the layout of ``parameters``. Without ``rng`` everything is zero, to be filled by the caller.

    ``output`` names how raw outputs become probabilities (``losses.OUTPUTS``). ``info`` is stored in checkpoints: the
    configuration of the training, metrics and data. Batches of at most ``max_batch_size`` inputs fit into memory.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Iterable[int] | None = None,
        *,
        output: str = "softmax",
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
        info: dict[str, Any] | None = None,
    ) -> None:
        self.input_shape = tuple(input_shape or image_shape(layers))
        plans = plan(layers, self.input_shape)
        self.layers = [replace(layer) for layer in layers]
        self.output_shape = plans[-1].output
        self.output = check_choice("output", output, OUTPUTS)
        self.info = info or {}
        self._bind(plans, dtype)
        if rng is not None:
            for layer in self.layers:
                layer.initialize(rng)

    def _bind(self, plans: list[LayerPlan], dtype: npt.DTypeLike) -> None:
        """Allocate the flat vectors, and give each layer its views into them."""
        groups: dict[str, list[tuple[Layer, str, tuple[int, ...]]]]
        groups = {"decayed": [], "trained": [], "frozen": [], "buffers": []}
        for layer, shapes in zip(self.layers, plans, strict=True):
            for name, shape in shapes.parameters.items():
                group = "frozen" if layer.frozen else "decayed" if name in layer.decayed_parameters else "trained"
                groups[group].append((layer, name, shape))
            groups["buffers"] += [(layer, name, shape) for name, shape in shapes.buffers.items()]
        decayed, trained, frozen, buffers = (sum(prod(shape) for *_, shape in group) for group in groups.values())
        self.num_decayed, self.num_trainable = decayed, decayed + trained
        self.state_vector = np.zeros(self.num_trainable + frozen + buffers, dtype)
        self.parameters = self.state_vector[: self.num_trainable + frozen]
        self.gradients = np.zeros_like(self.parameters)
        start = 0
        for layer, name, shape in (entry for group in groups.values() for entry in group):
            place = slice(start, start + prod(shape))
            setattr(layer, name, self.state_vector[place].reshape(shape))
            if start < self.parameters.size:
                setattr(layer, "d" + name, self.gradients[place].reshape(shape))
            start = place.stop
        self.max_batch_size = max_batch_size(plans)
        learns = [bool(shapes.parameters) and not layer.frozen for layer, shapes in zip(self.layers, plans, strict=True)]
        self._first_to_learn = learns.index(True) if True in learns else len(learns)

    def copy(self, layers: Sequence[Layer] | None = None) -> Self:
        """An independent network with the same state. ``layers`` may say anew which layers are frozen."""
        twin = type(self)(
            layers or self.layers, self.input_shape, output=self.output, dtype=self.state_vector.dtype, info=dict(self.info)
        )
        if layers is None:
            twin.state_vector[:] = self.state_vector
            return twin
        for own, other, shapes in zip(self.layers, twin.layers, plan(self.layers, self.input_shape), strict=True):
            for name in (*shapes.parameters, *shapes.buffers):  # frozen ones have another place in the vector
                getattr(other, name)[...] = getattr(own, name)
        return twin

    def __getstate__(self) -> tuple[dict[str, Any], npt.NDArray]:
        """What a pickle or a deep copy contains: the state vector once, without the layers' views of it."""
        layers = [replace(layer) for layer in self.layers]
        arguments = {"layers": layers, "input_shape": self.input_shape, "output": self.output, "info": self.info}
        return arguments, self.state_vector

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the K outputs stand for, as ``info`` says, which may come from anyone; the numbers from 0 if it does not."""
        (K,), names = self.output_shape, self.info.get("class_names")
        if not isinstance(names, list) or len(names) != K or not all(isinstance(name, str) and name for name in names):
            return tuple(map(str, range(K)))
        return tuple(shorten(name, MAX_NAME_LENGTH) for name in names)

    def __setstate__(self, state: tuple[dict[str, Any], npt.NDArray]) -> None:
        arguments, state_vector = state
        self.__init__(**arguments, dtype=state_vector.dtype)
        self.state_vector[:] = state_vector

    def as_input(self, images: npt.NDArray) -> npt.NDArray:
        """Images (N, ...) of a data set as inputs (N, *input_shape)."""
        return as_pixels(images).reshape(len(images), *self.input_shape)

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        """Raw outputs (N, K) for inputs (N, *input_shape). Unless ``training``, the network does not change."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: npt.NDArray, input_gradient: bool = False) -> npt.NDArray:
        """Fill ``gradients`` from dL/d(outputs), after a ``forward`` with ``training``.

        Returns dL/dx with ``input_gradient``. Without it, layers before the first one that learns are skipped.
        """
        first = 0 if input_gradient else self._first_to_learn
        for position in reversed(range(first, len(self.layers))):
            dy = self.layers[position].backward(dy, input_gradient or position > first)  # pyright: ignore[reportAssignmentType]
        return dy

    def probabilities(self, inputs: npt.NDArray) -> npt.NDArray:
        """Probabilities (N, K) float32 for inputs (N, *input_shape), which are not checked; uint8 counts as pixels."""
        probabilities = np.empty((len(inputs), *self.output_shape), np.float32)
        for start in range(0, len(inputs), self.max_batch_size):
            batch = self.as_input(inputs[start : start + self.max_batch_size]).astype(self.state_vector.dtype, copy=False)
            probabilities[start : start + len(batch)] = OUTPUTS[self.output](self.forward(batch))
        return probabilities

    def predict_proba(self, images: npt.ArrayLike) -> npt.NDArray:
        """Probabilities (N, K) float32 for images (N, 28, 28) or (N, 784): uint8, or floats in [0, 1].

        Raises ``InklingError`` for anything else.
        """
        return self.probabilities(self._checked(images))

    def predict(self, images: npt.ArrayLike) -> npt.NDArray:
        """The most probable class of each image, (N,) int; takes and raises what ``predict_proba`` does."""
        return self.predict_proba(images).argmax(axis=1)

    def _checked(self, images: npt.ArrayLike) -> npt.NDArray:
        try:
            images = np.asarray(images)
        except ValueError:
            raise InklingError("images must be one array, got rows of different lengths") from None
        size = prod(self.input_shape)
        shapes = {(size,), self.input_shape} | ({IMAGE_SHAPE} if (size,) == FLAT_IMAGE else set())
        if images.shape[1:] not in shapes:
            expected = " or ".join(f"(N, {', '.join(map(str, shape))})" for shape in sorted(shapes, key=len, reverse=True))
            hint = "; add the batch axis with image[None]" if images.shape in shapes else ""
            raise InklingError(f"images must be {expected}, got {images.shape}{hint}")
        if images.dtype != np.uint8:
            if not np.issubdtype(images.dtype, np.floating):
                raise InklingError(f"images must be uint8 or floats in [0, 1], got {images.dtype}")
            if images.size and not (images.min() >= 0 and images.max() <= 1):  # NaN fails this, too
                raise InklingError(
                    f"images must be in [0, 1], got {images.min():g} to {images.max():g}; leave pixels of 0 to 255 as uint8"
                )
        return images.reshape(len(images), *self.input_shape)
