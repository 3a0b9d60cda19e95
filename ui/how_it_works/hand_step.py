"""The step that a session takes by hand, which stays through a page switch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.step_by_step import StepByStep
from ui import state

SEED = 34  # of the first weights: with ReLU, each unit is on for some training digits and off for others


@dataclass
class HandStep:
    """A step, and what it was made from; ``version`` counts the networks."""

    step: StepByStep
    made_from: tuple[Any, ...]
    version: int = 1

    def reset(self) -> None:
        """Have the next run of the page begin with a new network."""
        self.made_from = ()


def current(
    inputs: npt.NDArray[np.float64],
    labels: npt.NDArray,
    *,
    activation: str,
    loss: str,
    optimizer: str,
    learning_rate: float,
) -> HandStep:
    """The step of this session with these choices; other images, activations and losses begin anew."""
    session = state.session()
    made_from = (inputs.tobytes(), labels.tobytes(), activation, loss)
    hand = session.hand_step
    if hand is None or hand.made_from != made_from:
        step = StepByStep(
            inputs, labels, activation=activation, loss=loss, optimizer=optimizer, learning_rate=learning_rate, seed=SEED
        )
        session.hand_step = hand = HandStep(step, made_from, hand.version + 1 if hand else 1)
    elif (hand.step.optimizer_name, hand.step.learning_rate) != (optimizer, learning_rate):
        hand.step.choose(optimizer, learning_rate)
    return hand
