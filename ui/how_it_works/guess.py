"""Guess first: before the update, the learner says what will happen to the loss; then the page says why it did."""

import streamlit as st

from engine.step_by_step import StepByStep
from ui import formatting, state
from ui.translation import N_, _

DIRECTION, SIZE = "guessed direction", "guessed size"  # keys of the two choices
DIRECTIONS = {"fall": N_("It falls"), "rise": N_("It rises")}
SIZES = (0.001, 0.01, 0.1, 0.3, 1.0)
NEAR = 3.0  # a guess that is off by at most this factor is near


def forget() -> None:
    """Begin without a guess."""
    for key in (DIRECTION, SIZE):
        state.set_value(key, None)


def is_made() -> bool:
    return state.value(DIRECTION) in DIRECTIONS and state.value(SIZE) in SIZES


def ask(step: StepByStep) -> None:
    """Ask what the update will do to the loss."""
    with st.container(key="guess", border=True, gap="small"):
        text = _("**Guess first.** The loss is {loss}. What will the update do to it? Choose both, then press Update.")
        st.markdown(text.format(loss=formatting.loss(step.loss)))
        with st.container(key="guesses", horizontal=True, gap="medium"):
            directions = {key: _(text) for key, text in DIRECTIONS.items()}
            st.pills(_("The loss"), list(directions), format_func=directions.__getitem__, **state.keep(DIRECTION))
            st.pills(_("by about"), SIZES, format_func=lambda size: f"{size:g}", **state.keep(SIZE))


def show_result(step: StepByStep) -> None:
    """Show what has happened to the loss, how good the guess was, and why it happened."""
    change = step.loss_after - step.loss
    values = {"before": formatting.loss(step.loss), "after": formatting.loss(step.loss_after)}
    with st.container(key="guess", border=True, gap="small"):
        if change < 0:
            happened = _("The loss **fell** from {before} to **{after}**.").format(**values)
        elif change > 0:
            happened = _("The loss **rose** from {before} to **{after}**.").format(**values)
        else:
            happened = _("The loss **stayed** at {before}.").format(**values)
        st.markdown(" ".join([happened, judge(change)] if is_made() else [happened]))
        st.markdown(explain(step))


def judge(change: float) -> str:
    """How good the guess was."""
    sign = -1 if state.value(DIRECTION) == "fall" else 1
    size = state.value(SIZE)
    if change * sign <= 0:
        return _("Your guess was the other way. Look below why.")
    if abs(change) > size * NEAR:
        return _("You were right about the direction. The change was larger than you thought.")
    if abs(change) < size / NEAR:
        return _("You were right about the direction. The change was smaller than you thought.")
    return _("Your guess was good: the direction is right, and so is the size.")


def signed(number: float) -> str:
    """A change with its sign."""
    return f"{number:+.4f}".replace("-", "\N{MINUS SIGN}")


def explain(step: StepByStep) -> str:
    """Why the loss changed as it did: a word on the slope, and on how far it can be trusted."""
    change, expected = step.loss_after - step.loss, step.expected_change
    values = {"expected": signed(expected), "change": signed(change), "rate": f"{step.learning_rate:g}"}
    if not step.gradients.any():
        return _("All gradients are 0, so there is no way down from here.")
    if expected > 0:
        text = _(
            "The optimizer went on in the direction of its last steps, although the slope leads up now: "
            "that promised {expected}, and the loss changed by {change}."
        )
    elif change > 0:
        text = _(
            "The slope promised {expected}, but the step was too long: it jumped over the valley and landed higher up, "
            "at {change}. Choose a learning rate below {rate}, and try again."
        )
    elif change > expected / 2:
        text = _(
            "Each weight went against its gradient, downhill. The slope promised {expected}, but it became flatter on "
            "the way: the loss changed by {change} only."
        )
    elif change < expected * 2:
        text = _(
            "Each weight went against its gradient, downhill. The slope promised {expected}, and became steeper on "
            "the way: the loss changed by {change}."
        )
    else:
        text = _(
            "Each weight went against its gradient, downhill. The slope promised {expected} (gradient times change, "
            "added up over all weights), and the loss changed by {change}."
        )
    return text.format(**values)
