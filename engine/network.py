"""``Network``: a list of layers over one flat vector of parameters."""

from dataclasses import replace
from math import prod

import numpy as np

from engine.checks import InklingError, check_choice
from engine.layers import Activation, Dense
from engine.losses import OUTPUTS

IMAGE_SHAPE = (28, 28)
FLAT_IMAGE = (784,)
CLASSES = 10
MAX_PARAMETERS = 50_000_000
PREDICTION_BATCH = 2048  # images at a time: bounds the memory that a prediction takes


def dense_layers(hidden, activation="relu", initializer="he_normal", classes=CLASSES, output_activation="identity"):
    """The layers of a multi-layer perceptron with the given ``hidden`` units, e.g. ``(128, 64)``."""
    layers = []
    for units in hidden:
        layers += [Dense(units, initializer), Activation(activation)]
    layers.append(Dense(classes, initializer))
    if output_activation != "identity":
        layers.append(Activation(output_activation))
    return tuple(layers)


def plan(layers, input_shape):
    """What each layer makes of one input: a list of (output shape, parameter shapes by name), one for each layer.

    Nothing is allocated, so it can judge an architecture that came from a file. Raises ``InklingError`` where two layers
    do not fit, or where the whole would be larger than ``MAX_PARAMETERS``.
    """
    if not layers:
        raise InklingError("a network must have at least one layer, got none")
    rows, shape, size = [], tuple(input_shape), 0
    for position, layer in enumerate(layers):
        try:
            shapes, output = layer.parameter_shapes(shape), layer.output_shape(shape)
        except InklingError as error:
            before = f"after layer {position}, {layers[position - 1]}" if position else "as the first layer"
            raise InklingError(f"layer {position + 1} does not fit {before}: {error}") from None
        size += sum(map(prod, shapes.values()))
        if size > MAX_PARAMETERS:
            raise InklingError(f"a network must have at most {MAX_PARAMETERS:,} parameters, got {size:,} or more")
        rows.append((output, shapes))
        shape = output
    return rows


def parameter_count(layers, input_shape=FLAT_IMAGE):
    """The number of parameters that a network of these layers has."""
    return sum(prod(shape) for _, shapes in plan(layers, input_shape) for shape in shapes.values())


def as_pixels(images):
    """Images as floats in [0, 1], float32 unless they are float64 already; bytes are divided by 255."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images


class Network:
    """Layers over one flat vector.

    ``parameters`` holds every weight, then every bias, as one contiguous vector whose views the layers work on, so that
    ``parameters[:decayed]`` is what weight decay applies to. ``gradients`` is laid out the same. Without ``rng`` the
    parameters are zero, to be filled by whoever loads or copies.

    ``output`` names how raw outputs read as probabilities (``losses.OUTPUTS``). ``info`` is what a checkpoint says of
    the network: its training configuration, metrics and data.
    """

    def __init__(self, layers, input_shape=FLAT_IMAGE, *, output="softmax", rng=None, dtype=np.float32, info=None):
        rows = plan(layers, input_shape)
        self.layers = [replace(layer) for layer in layers]
        self.input_shape, self.output_shape = tuple(input_shape), rows[-1][0]
        self.output = check_choice("output", output, OUTPUTS)
        self.info = info or {}
        self._bind([shapes for _, shapes in rows], dtype)
        if rng is not None:
            for layer in self.layers:
                layer.initialize(rng)

    def _bind(self, shapes_by_layer, dtype):
        """Give each layer its views into the flat vectors, the parameters that are decayed first."""
        entries = [
            (layer, name, shape)
            for layer, shapes in zip(self.layers, shapes_by_layer, strict=True)
            for name, shape in shapes.items()
        ]
        entries.sort(key=lambda entry: entry[1] not in entry[0].decayed)  # stable: layer order within each part
        size = sum(prod(shape) for _, _, shape in entries)
        self.parameters, self.gradients = np.zeros(size, dtype), np.zeros(size, dtype)
        self.decayed = sum(prod(shape) for layer, name, shape in entries if name in layer.decayed)
        start = 0
        for layer, name, shape in entries:
            part = slice(start, start + prod(shape))
            setattr(layer, name, self.parameters[part].reshape(shape))
            setattr(layer, "d" + name, self.gradients[part].reshape(shape))
            start = part.stop

    def copy(self):
        """A network of its own with the same parameters."""
        twin = Network(self.layers, self.input_shape, output=self.output, dtype=self.parameters.dtype, info=dict(self.info))
        twin.parameters[:] = self.parameters
        return twin

    def as_input(self, images):
        """Images (N, ...) of a data set as inputs (N, *input_shape)."""
        return as_pixels(images).reshape(len(images), *self.input_shape)

    def forward(self, x, training=False):
        """Raw outputs (N, K) for inputs (N, *input_shape); outside training nothing of the network changes."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy, input_gradient=False):
        """Fill ``gradients`` from dL/d(outputs); return dL/dx if asked for, which the first layer else spares itself."""
        for position in reversed(range(len(self.layers))):
            dy = self.layers[position].backward(dy, input_gradient or position > 0)
        return dy

    def predict_proba(self, images):
        """Probabilities (N, K) float32 for images (N, 28, 28) or (N, 784): uint8, or floats in [0, 1]."""
        images = self._checked(images)
        probabilities = np.empty((len(images), *self.output_shape), np.float32)
        for start in range(0, len(images), PREDICTION_BATCH):
            batch = as_pixels(images[start : start + PREDICTION_BATCH]).astype(self.parameters.dtype, copy=False)
            probabilities[start : start + len(batch)] = OUTPUTS[self.output](self.forward(batch))
        return probabilities

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
