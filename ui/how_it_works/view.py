"""The small network as a diagram in which every number can be pointed at (``ui/assets/step.js``).

The browser gets all numbers of the step, the engine's formulas, and the sentences to put them in. It computes none itself.
"""

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import InklingError, step_by_step
from engine.activations import ACTIVATIONS
from engine.losses import LOSSES, OUTPUT_FORMULAS
from engine.step_by_step import MAX_NUDGE, Nudge, Stage, StepByStep
from ui.components import make_component
from ui.how_it_works.formulas import assignment, tree
from ui.translation import N_, _, language

KEY = "step view"
HTML = """<div class="inkling-step"><div class="diagram"><div class="choices"></div>
<svg role="group"></svg></div><div class="details"><h2></h2><div class="content"></div>
<div class="nudge" hidden></div></div></div>"""
TEXTS = {
    "diagram": N_("The network: arrow keys move, Enter keeps a part chosen"),
    "hint": N_("Point at any part of the network, or press it, to see what it is and how its number comes about."),
    "start": N_("What is this?"),
    "pixels": N_("Pixels"),
    "weights": N_("Weights"),
    "units": N_("Units"),
    "scores": N_("Scores"),
    "probabilities": N_("Probability"),
    "loss": N_("Loss"),
    "show values": N_("Values"),
    "show gradients": N_("Gradients"),
    "show changes": N_("Changes"),
    "image": N_("Image {image}: {label}"),
    "not yet": N_("This number comes with “{part}”."),
    "part 1": N_("Forward"),
    "part 2": N_("Loss"),
    "part 3": N_("Backward"),
    "part 4": N_("Update"),
    "pixel": N_("Pixel, row {row}, column {column}"),
    "pixel is": N_("How much ink there is, x: 0 is none, 1 is full. It is the mean of 4 x 4 pixels of the image."),
    "pixel gradient": N_("How the loss would change with more ink here. Each weight of the pixel takes part:"),
    "weight 1": N_("Weight from the pixel in row {row}, column {column} to unit {unit}"),
    "weight 2": N_("Weight from unit {unit} to the score of {digit}"),
    "weight is": N_("How much its input counts, w. Above 0 it speaks for, below 0 against."),
    "weight gradient": N_("Its gradient: how the loss changes if this weight grows. Input times the gradient behind it:"),
    "weight gradient 3": N_(
        "Its gradient: how the loss changes if this weight grows. For each image, input times the gradient behind it:"
    ),
    "bias 1": N_("Bias of unit {unit}"),
    "bias 2": N_("Bias of the score of {digit}"),
    "bias is": N_("A number b that is added to the sum, whatever the input is."),
    "bias gradient": N_("Its gradient is the gradient of the sum that it is a part of:"),
    "unit": N_("Unit {unit}"),
    "unit sum": N_("Its sum z: each pixel times its weight, all added up, and the bias. The largest parts are shown:"),
    "unit activation": N_("Its output a: the activation ({activation}) of the sum:"),
    "unit gradient": N_("How the loss changes with its output. The gradients of the scores come back through the weights:"),
    "sum gradient": N_("How the loss changes with its sum: back through the activation, by the chain rule:"),
    "score": N_("Score of {digit}"),
    "score sum": N_("The sum z: each unit's output times its weight, added up, and the bias. The largest parts are shown:"),
    "score gradient": N_("How the loss changes with this score. Here the way back begins:"),
    "probability": N_("Probability of {digit}"),
    "probability is": N_("The scores become numbers from 0 to 1 that add up to 1:"),
    "target": N_("The target t is 1 for the right digit and 0 for the others. Here:"),
    "loss is": N_("How wrong the answer is, as one number: {loss}. The right digit is {digit}."),
    "loss mean": N_("Of all images together: the mean."),
    "loss after": N_("With the new weights:"),
    "update is": N_("The new weight. {optimizer} goes against the gradient:"),
    "update bias": N_("The new bias. {optimizer} goes against the gradient:"),
    "to sums": N_("From the pixels to the sums: each pixel goes to every unit, times a weight."),
    "to outputs": N_("Through the activation: a bend that makes many layers more than one."),
    "to scores": N_("From the units to the scores: the same sums once more, with other weights."),
    "to probabilities": N_("From the scores to the probabilities."),
    "to loss": N_("From the probabilities to the loss: how wrong is the answer?"),
    "from loss": N_("Back from the loss to the scores: which score should be higher, which lower?"),
    "from scores": N_("Back from the scores to the units, through the same weights."),
    "from outputs": N_("Back through the activation, to the sums."),
    "from sums": N_("Back from the sums to the weights: who had a part in the mistake?"),
    "example": N_("For example:"),
    "forward arrow": N_("Forward"),
    "backward arrow": N_("Backward"),
    "nudge": N_("Nudge this weight by hand"),
    "nudge later": N_("Once the loss is known, you can nudge this weight by hand here."),
    "nudge by": N_("by {by}"),
    "nudge less": N_("Less"),
    "nudge more": N_("More"),
    "nudge change": N_("The loss goes from {before} to {after}: it changes by {change}."),
    "nudge slope": N_("Change of the loss divided by this nudge"),
    "tiny slope": N_("The same with a tiny nudge of 0.00001"),
    "gradient": N_("The gradient, from backpropagation"),
    "nudge agrees": N_("The tiny nudge and the gradient agree: that is what a gradient is. Large nudges follow a curve."),
    "nudge differs": N_("The tiny nudge and the gradient differ: the loss has a kink here."),
    "nudge gradient later": N_("Press Backward to see what the gradient says."),
}
SYMBOLS = {  # MathML, by the names in formulas
    "dz": ("∂L", "∂z"),
    "da": ("∂L", "∂a"),
    "dx": ("∂L", "∂x"),
    "dw": ("∂L", "∂w"),
    "db": ("∂L", "∂b"),
    "l": "L",
    "weight": "w",
    "gradient": "g",
    "learning_rate": "η",
    "velocity": "v",
    "momentum": "μ",
    "square": "s",
    "sum": "m",
    "square_sum": "s",
    "decay": "δ",
    "beta1": "β₁",
    "beta2": "β₂",
    "epsilon": "ε",
    "steps": "t",
}
NAMES = {  # what the symbols of an optimizer's formula mean
    "weight": N_("weight"),
    "gradient": N_("gradient"),
    "learning_rate": N_("learning rate"),
    "velocity": N_("velocity, what is left of the last steps"),
    "momentum": N_("momentum"),
    "square": N_("running mean of the squared gradients"),
    "sum": N_("running sum of the gradients"),
    "square_sum": N_("running sum of the squared gradients"),
    "decay": N_("how much of the past is kept"),
    "beta1": N_("how much of the past gradients is kept"),
    "beta2": N_("how much of the past squares is kept"),
    "epsilon": N_("a tiny number, so that nothing is divided by 0"),
    "steps": N_("number of the step"),
}
AGREEMENT = 1e-4  # between the gradient and the finite difference


def show(step: StepByStep, version: int) -> None:
    """Show the network as far as the step has come; a ``version`` is a network that starts anew."""
    component = make_component("step", HTML)
    component(data=view_data(step, version, _nudge(step, version)), key=KEY, on_nudge_change=lambda: None)


def _nudge(step: StepByStep, version: int) -> dict[str, Any] | None:
    """What the nudge that the browser asks for does; None without one, or if it is not of this network."""
    asked = st.session_state.get(KEY, {}).get("nudge")
    if not isinstance(asked, dict) or asked.get("of") != [version, step.number] or step.stage < Stage.LOSS:
        return None
    with suppress(InklingError):  # the browser may send something else
        position, by = asked.get("position"), asked.get("by")
        return nudge_data(step, position, step.nudge(position, by))  # pyright: ignore[reportArgumentType]
    return None


def nudge_data(step: StepByStep, position: Any, nudge: Nudge) -> dict[str, Any]:
    """A nudge for the browser, and whether its finite difference is the gradient."""
    data: dict[str, Any] = {"position": position, **nudge._asdict(), "before": step.loss}
    if nudge.by:
        data["slope"] = nudge.change / nudge.by
    if step.stage >= Stage.BACKWARD:
        data["gradient"] = float(step.gradients[position])
        data["agrees"] = abs(data["gradient"] - nudge.finite_difference) <= AGREEMENT
    return data


def view_data(step: StepByStep, version: int, nudge: dict[str, Any] | None = None) -> dict[str, Any]:
    """The message to the browser."""
    stage, loss = step.stage, LOSSES[step.loss_name]
    lines = [assignment(line) for line in step.optimizer.formula]
    data: dict[str, Any] = {
        "of": [version, step.number],
        "stage": int(stage),
        "language": language(),
        "texts": {key: _(text) for key, text in TEXTS.items()},
        "symbols": SYMBOLS,
        "names": {name: _(text) for name, text in NAMES.items()},
        "activation": _(ACTIVATIONS[step.activation].label),
        "loss_name": _(loss.label),
        "optimizer": _(step.optimizer.label),
        "labels": step.labels.tolist(),
        "maxNudge": MAX_NUDGE,
        "formulas": {
            "sum": tree(step_by_step.WEIGHTED_SUM),
            "weight_gradient": tree(step_by_step.WEIGHT_GRADIENT),
            "bias_gradient": tree(step_by_step.BIAS_GRADIENT),
            "input_gradient": tree(step_by_step.INPUT_GRADIENT),
            "activation": tree(ACTIVATIONS[step.activation].formula),
            "activation_gradient": tree(ACTIVATIONS[step.activation].derivative),
            "probability": tree(OUTPUT_FORMULAS[loss.output]),
            "loss": tree(loss.formula),
            "loss_gradient": tree(loss.derivative),
            "mean_loss": tree("total(l) / N"),
            "optimizer": lines,
        },
        "inputs": _numbers(step.inputs),
        "targets": _numbers(step.targets),
        "before": _numbers(step.before),
        "hyperparameters": step.hyperparameters,
        "stateBefore": {name: _numbers(vector) for name, vector in step.state_before.items()},
        "nudge": nudge,
    }
    if stage >= Stage.FORWARD:
        sums, hidden, scores = map(_numbers, step.outputs)
        data |= {"sums": sums, "hidden": hidden, "scores": scores, "probabilities": _numbers(step.probabilities)}
    if stage >= Stage.LOSS:
        data |= {"losses": _numbers(step.losses), "loss": step.loss}
    if stage >= Stage.BACKWARD:
        sums, hidden, scores = map(_numbers, step.output_gradients)
        data |= {"sumGradients": sums, "hiddenGradients": hidden, "scoreGradients": scores}
        data |= {"inputGradients": _numbers(step.input_gradient), "gradients": _numbers(step.gradients)}
    if stage >= Stage.UPDATE:
        data |= {"after": _numbers(step.after), "lossAfter": step.loss_after}
        data["changes"] = _numbers(step.after - step.before)
        data["stateAfter"] = {name: _numbers(vector) for name, vector in step.optimizer.state.items()}
    return data


def _numbers(array: npt.NDArray) -> list[Any]:
    """The numbers of an array with seven digits, which is more than the page shows."""
    rows = np.nan_to_num(array)
    return [float(f"{number:.7g}") for number in rows.tolist()] if rows.ndim == 1 else [_numbers(row) for row in rows]
