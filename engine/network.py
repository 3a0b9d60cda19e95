"""``Network``: a list of layers over one flat vector of parameters."""

from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from engine.checks import InklingError, check_choice
from engine.layers import Activation, Dense
from engine.losses import OUTPUTS

IMAGE_SHAPE = (28, 28)
FLAT_IMAGE = (784,)
CLASSES = 10
MAX_PARAMETERS = 50_000_000
WORKING_NUMBERS = 1 << 26  # in one layer at once: bounds the memory of very large batches, predictions and evaluations


def dense_layers(hidden, activation="relu", initializer="he_normal", classes=CLASSES):
    """The layers of a multi-layer perceptron with the given ``hidden`` units, e.g. ``(128, 64)``."""
    layers = []
    for units in hidden:
        layers += [Dense(units, initializer), Activation(activation)]
    return (*layers, Dense(classes, initializer))


class LayerPlan(NamedTuple):
    """What a layer makes of one input: the shapes of its output, and of its parameters and statistics by name."""

    output: tuple[int, ...]
    parameters: dict[str, tuple[int, ...]]
    statistics: dict[str, tuple[int, ...]]


def plan(layers, input_shape):
    """The ``LayerPlan`` of each layer of a network for inputs of this shape.

    Nothing is allocated, so it can judge an architecture that came from a file. Raises ``InklingError`` where two layers
    do not fit, or where the whole would be larger than ``MAX_PARAMETERS``.
    """
    if not layers:
        raise InklingError("a network must have at least one layer, got none")
    rows, shape, size = [], tuple(input_shape), 0
    for position, layer in enumerate(layers):
        try:
            output = layer.output_shape(shape)
        except InklingError as error:
            before = f"layer {position}, {layers[position - 1]}, gives" if position else "the input has"
            raise InklingError(f"layer {position + 1}, {layer}, {error}, but {before} the shape {shape}") from None
        rows.append(LayerPlan(output, layer.parameter_shapes(shape), layer.statistic_shapes(shape)))
        size += sum(map(prod, rows[-1].parameters.values()))
        if size > MAX_PARAMETERS:
            raise InklingError(f"a network must have at most {MAX_PARAMETERS:,} parameters, got {size:,} or more")
        shape = output
    return rows


def image_shape(layers):
    """The shape in which these layers take a 28 x 28 image: one channel of rows, or one row of pixels."""
    axes = next((layer.axes for layer in layers if layer.axes), 1)
    return (1, *IMAGE_SHAPE) if axes == 3 else FLAT_IMAGE


def parameter_count(layers, input_shape=None):
    """The number of parameters that a network of these layers has."""
    rows = plan(layers, input_shape or image_shape(layers))
    return sum(prod(shape) for row in rows for shape in row.parameters.values())


def as_pixels(images):
    """Images as floats in [0, 1], float32 unless they are float64 already; bytes are divided by 255."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images


class Network:
    """Layers over one flat vector.

    ``values`` is all that a network knows, one contiguous vector whose views the layers work on. It begins with the
    ``parameters``: those that weight decay applies to (``parameters[:decayed]``), then the others that train
    (``parameters[:trained]``), then those of frozen layers. Behind them come the statistics that layers gather.
    ``gradients`` is laid out as ``parameters``. Without ``rng`` all is zero, to be filled by whoever loads or copies.

    ``at_once`` is how many inputs may go through together within bounded memory. ``output`` names how raw outputs read as
    probabilities (``losses.OUTPUTS``). ``info`` is what a checkpoint says of the network: its training configuration,
    metrics and data.
    """

    def __init__(self, layers, input_shape=None, *, output="softmax", rng=None, dtype=np.float32, info=None):
        self.input_shape = tuple(input_shape or image_shape(layers))
        rows = plan(layers, self.input_shape)
        self.layers = [replace(layer) for layer in layers]
        self.output_shape = rows[-1].output
        self.output = check_choice("output", output, OUTPUTS)
        self.info = info or {}
        self._bind(rows, dtype)
        if rng is not None:
            for layer in self.layers:
                layer.initialize(rng)

    def _bind(self, rows, dtype):
        """Lay out the flat vectors, and give each layer its views into them."""
        parts = {"decayed": [], "trained": [], "frozen": [], "statistics": []}
        for layer, row in zip(self.layers, rows, strict=True):
            for name, shape in row.parameters.items():
                part = "frozen" if layer.frozen else "decayed" if name in layer.decayed else "trained"
                parts[part].append((layer, name, shape))
            parts["statistics"] += [(layer, name, shape) for name, shape in row.statistics.items()]
        decayed, others, frozen, statistics = (sum(prod(entry[2]) for entry in part) for part in parts.values())
        self.decayed, self.trained = decayed, decayed + others
        self.values = np.zeros(self.trained + frozen + statistics, dtype)
        self.parameters = self.values[: self.trained + frozen]
        self.gradients = np.zeros_like(self.parameters)
        shapes = [self.input_shape] + [row.output for row in rows]
        largest = max(layer.working_size(shape) for layer, shape in zip(self.layers, shapes, strict=False))
        self.at_once = min(max(WORKING_NUMBERS // largest, 1), 4096)
        learns = [bool(row.parameters) and not layer.frozen for layer, row in zip(self.layers, rows, strict=True)]
        self._first_to_learn = learns.index(True) if True in learns else len(learns)
        start = 0
        for layer, name, shape in (entry for part in parts.values() for entry in part):
            place = slice(start, start + prod(shape))
            setattr(layer, name, self.values[place].reshape(shape))
            if start < self.parameters.size:
                setattr(layer, "d" + name, self.gradients[place].reshape(shape))
            start = place.stop

    def copy(self):
        """A network of its own with the same values."""
        twin = Network(self.layers, self.input_shape, output=self.output, dtype=self.values.dtype, info=dict(self.info))
        twin.values[:] = self.values
        return twin

    def __getstate__(self):
        """What a pickle or a deep copy takes along: the values once, not also each layer's views of them."""
        layers = [replace(layer) for layer in self.layers]
        return {"layers": layers, "input_shape": self.input_shape, "output": self.output, "info": self.info}, self.values

    def __setstate__(self, state):
        described, values = state
        self.__init__(**described, dtype=values.dtype)
        self.values[:] = values

    def as_input(self, images):
        """Images (N, ...) of a data set as inputs (N, *input_shape)."""
        return as_pixels(images).reshape(len(images), *self.input_shape)

    def forward(self, x, training=False):
        """Raw outputs (N, K) for inputs (N, *input_shape); outside training nothing of the network changes."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy, input_gradient=False):
        """Fill ``gradients`` from dL/d(outputs); return dL/dx if asked for: else it stops at the first layer that learns."""
        first = 0 if input_gradient else self._first_to_learn
        for position in reversed(range(first, len(self.layers))):
            dy = self.layers[position].backward(dy, input_gradient or position > first)
        return dy

    def probabilities(self, inputs):
        """Probabilities (N, K) float32 for inputs (N, *input_shape) that need no check; bytes count as pixels."""
        found = np.empty((len(inputs), *self.output_shape), np.float32)
        for start in range(0, len(inputs), self.at_once):
            batch = self.as_input(inputs[start : start + self.at_once]).astype(self.values.dtype, copy=False)
            found[start : start + len(batch)] = OUTPUTS[self.output](self.forward(batch))
        return found

    def predict_proba(self, images):
        """Probabilities (N, K) float32 for images (N, 28, 28) or (N, 784): uint8, or floats in [0, 1]."""
        return self.probabilities(self._checked(images))

    def predict(self, images):
        """The likeliest class of each image, (N,) int."""
        return self.predict_proba(images).argmax(axis=1)

    def _checked(self, images):
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
            if images.size and not (images.min() >= 0 and images.max() <= 1):  # also false where one is NaN
                raise InklingError(f"images must be in [0, 1], got {images.min():g} to {images.max():g}; keep bytes uint8")
        return images.reshape(len(images), *self.input_shape)
