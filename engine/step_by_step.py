"""One training step of a small network, taken apart: forward, loss, backward and update, with every number on the way.

The network, the loss and the optimizer are those of any training, in float64, so that finite differences agree with the
gradient to many digits.
"""

from copy import deepcopy
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.activations import ACTIVATIONS
from engine.checks import InklingError, check_choice, check_integer, check_number
from engine.losses import LOSSES, OUTPUTS, targets
from engine.network import CLASSES, IMAGE_SHAPE, Network, as_pixels, dense_layers
from engine.optimizers import OPTIMIZERS

SIDE = 7  # pixels of an image that the small network sees, of 4 x 4 pixels each
HIDDEN = 8  # units
MAX_IMAGES = 3
MAX_NUDGE = 1.0
TINY_NUDGE = 1e-5  # for the finite difference: a larger one measures a curve, a smaller one the rounding

# What ``Dense`` does, as the page How it works shows it. ``total`` adds up over the inputs, the images or the units.
WEIGHTED_SUM = "total(w * x) + b"
WEIGHT_GRADIENT = "total(x * dz)"
BIAS_GRADIENT = "total(dz)"
INPUT_GRADIENT = "total(w * dz)"


class Stage(IntEnum):
    """How far a step has come."""

    START, FORWARD, LOSS, BACKWARD, UPDATE = range(5)


class Nudge(NamedTuple):
    """What happens to the loss if one parameter is changed ``by`` something and all others stay as they are.

    ``finite_difference`` is the change of the loss for a tiny nudge up and down, divided by the nudge: what the gradient
    should be.
    """

    by: float
    loss: float
    change: float
    finite_difference: float


def shrink(images: npt.NDArray) -> npt.NDArray[np.float64]:
    """Images (N, 28, 28), uint8 or floats in [0, 1], as inputs (N, 49): each number is the mean of 4 x 4 pixels."""
    if images.shape[1:] != IMAGE_SHAPE:
        raise InklingError(f"images must be (N, 28, 28), got {images.shape}")
    block = IMAGE_SHAPE[0] // SIDE
    blocks = as_pixels(images).reshape(-1, SIDE, block, SIDE, block)
    return blocks.mean(axis=(2, 4), dtype=np.float64).reshape(-1, SIDE * SIDE)


class StepByStep:
    """A training step on ``inputs`` (N, 49) with ``labels`` (N,), of which each part is carried out by a call of its own.

    ``stage`` says what has been computed, and with it which of these can be read:

    - always ``before``, the parameters (P,) at the start of the step, and ``number``, which counts the steps from 1;
    - from FORWARD on ``outputs``, those of each layer, (N, 8), (N, 8) and (N, 10), and ``probabilities`` (N, 10);
    - from LOSS on ``losses`` (N,) of the images, and their mean ``loss``;
    - from BACKWARD on ``output_gradients``, dL/d(outputs) of each layer, ``input_gradient`` (N, 49) and ``gradients`` (P,);
    - from UPDATE on ``after`` (P,), ``loss_after`` and ``expected_change``.

    ``state`` is what the optimizer remembers: vectors (P,) by name, before the step and, from UPDATE on, after it.
    """

    def __init__(
        self,
        inputs: npt.NDArray[np.float64],
        labels: npt.NDArray[np.integer],
        *,
        activation: str = "relu",
        loss: str = "cross_entropy",
        optimizer: str = "sgd",
        learning_rate: float = 0.2,
        seed: int = 0,
    ) -> None:
        check_choice("activation", activation, ACTIVATIONS)
        if not 1 <= len(inputs) <= MAX_IMAGES or inputs.shape != (len(labels), SIDE * SIDE):
            raise InklingError(
                f"inputs must be 1 to {MAX_IMAGES} rows of {SIDE * SIDE} numbers, one for each label, "
                f"got {inputs.shape} and {len(labels)} labels"
            )
        self.inputs = np.asarray(inputs, np.float64)
        self.labels = np.array([check_integer("label", int(label), 0, CLASSES - 1) for label in labels])
        self.targets = targets(self.labels, CLASSES, np.float64)
        self.activation = activation
        self.loss_name = check_choice("loss", loss, LOSSES)
        self.network = Network(
            dense_layers((HIDDEN,), activation),
            (SIDE * SIDE,),
            output=LOSSES[loss].output,
            rng=np.random.default_rng(seed),
            dtype=np.float64,
        )
        self.number = 1
        self._begin()
        self.choose(optimizer, learning_rate)

    def _begin(self) -> None:
        self.stage = Stage.START
        self.before = self.network.parameters.copy()

    def choose(self, optimizer: str, learning_rate: float) -> None:
        """Set how weights are changed. An update that was made is taken back; another optimizer starts without a state."""
        learning_rate = check_number("learning_rate", learning_rate, 0, 10, True)
        if self.stage is Stage.UPDATE:
            self._take_back(Stage.BACKWARD)
        if optimizer != getattr(self, "optimizer_name", None):
            self.optimizer = OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)]()
            self.optimizer.start(self.network.parameters)
        self.optimizer_name, self.learning_rate = optimizer, learning_rate

    def _take_back(self, stage: Stage) -> None:
        self.network.parameters[:], self.optimizer = self.before, self._optimizer_before
        self.stage = stage

    def forward(self) -> None:
        """Let each layer compute its outputs."""
        x, self.outputs = self.inputs, []
        for layer in self.network.layers:
            x = layer.forward(x, training=True)
            self.outputs.append(x.copy())  # a layer uses its memory again
        self.probabilities = OUTPUTS[self.network.output](x)
        self.stage = Stage.FORWARD

    def compute_loss(self) -> None:
        """Compute the loss of each image and of the batch, and how it depends on the last layer's outputs."""
        loss = LOSSES[self.loss_name]
        self.losses = np.array([loss(self.outputs[-1][[n]], self.labels[[n]])[0] for n in range(len(self.labels))])
        self.loss, self._loss_gradient = loss(self.outputs[-1], self.labels)
        self.stage = Stage.LOSS

    def backward(self) -> None:
        """Let each layer, the last one first, compute its gradients from those of its outputs."""
        dy, self.output_gradients = self._loss_gradient, []
        for layer in reversed(self.network.layers):
            self.output_gradients.insert(0, dy.copy())
            dy = layer.backward(dy)
            assert dy is not None
        self.input_gradient = dy.copy()
        self.gradients = self.network.gradients.copy()
        self.stage = Stage.BACKWARD

    def update(self) -> None:
        """Let the optimizer change the parameters, and measure the loss again.

        ``expected_change`` is how much the loss would change if its slope were the same all the way.
        """
        self._optimizer_before = deepcopy(self.optimizer)
        self.optimizer.step(self.network.parameters, self.gradients.copy(), self.learning_rate)
        self.after = self.network.parameters.copy()
        self.loss_after = self._loss_of(self.network)
        self.expected_change = float(self.gradients @ (self.after - self.before))
        self.stage = Stage.UPDATE

    @property
    def state_before(self) -> dict[str, npt.NDArray]:
        """What the optimizer remembers at the start of the step."""
        return (self._optimizer_before if self.stage is Stage.UPDATE else self.optimizer).state

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The numbers in the optimizer's formula that are the same for all weights."""
        steps = self.optimizer.steps + (self.stage is not Stage.UPDATE)
        own = {name: value for name, value in vars(self.optimizer).items() if name not in ("state", "steps")}
        return own | {"learning_rate": self.learning_rate, "steps": steps}

    def again(self) -> None:
        """Go back to the start of this step."""
        if self.stage is Stage.UPDATE:
            self._take_back(Stage.START)
        self.stage = Stage.START

    def next_step(self) -> None:
        """Begin another step with the weights of now."""
        self.number += 1
        self._begin()

    def nudge(self, position: int, by: float) -> Nudge:
        """Change the parameter at ``position`` of the flat vector, at the start of this step, and measure the loss.

        The network itself stays as it is.
        """
        position = check_integer("position", position, 0, self.before.size - 1)
        by = check_number("by", by, -MAX_NUDGE, MAX_NUDGE)
        twin = self.network.copy()

        def loss(nudge: float) -> float:
            twin.parameters[:] = self.before
            twin.parameters[position] += nudge
            return self._loss_of(twin)

        slope = (loss(TINY_NUDGE) - loss(-TINY_NUDGE)) / (2 * TINY_NUDGE)
        nudged = loss(by)
        return Nudge(by, nudged, nudged - loss(0), slope)

    def _loss_of(self, network: Network) -> float:
        return LOSSES[self.loss_name](network.forward(self.inputs), self.labels)[0]
