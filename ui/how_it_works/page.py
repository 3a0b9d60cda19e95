"""The page How it works: one training step of a small network, part by part, with every number and its formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine.activations import ACTIVATIONS
from engine.config import Config
from engine.layers import Activation
from engine.losses import LOSSES
from engine.optimizers import OPTIMIZERS
from engine.setting_fields import settings_of
from engine.step_by_step import Stage, StepByStep
from ui import DRAW_PAGE, state
from ui.how_it_works import guess, hand_step, images, view
from ui.translation import N_, _

SETTINGS = settings_of(Config) | settings_of(Activation)
SOURCE, DIGIT = "step source", "step digit"  # keys of widgets
ACTIVATION, LOSS, OPTIMIZER, RATE = "step activation", "step loss", "step optimizer", "step rate"
OPEN = "step settings"  # key of the switch
SOURCES = {"one": N_("One image"), "three": N_("Three images"), "own": N_("My drawing")}
PARTS: dict[Stage, tuple[str, str, Callable[[StepByStep], None]]] = {
    Stage.FORWARD: (N_("Forward"), ":material/arrow_forward:", StepByStep.forward),
    Stage.LOSS: (N_("Loss"), ":material/straighten:", StepByStep.compute_loss),
    Stage.BACKWARD: (N_("Backward"), ":material/arrow_back:", StepByStep.backward),
    Stage.UPDATE: (N_("Update"), ":material/tune:", StepByStep.update),
}
NEXT = {  # what is to be done, by what has been done
    Stage.START: N_("**Forward**: let the numbers run through the network, from the pixels to an answer."),
    Stage.FORWARD: N_("The network has an answer. **Loss**: how wrong is it?"),
    Stage.LOSS: N_("The loss says how wrong. **Backward**: which weights had a part in it, and how much?"),
    Stage.BACKWARD: N_("Each weight has its gradient. **Update**: change all weights a little, against their gradients."),
    Stage.UPDATE: N_("That was one step. A training takes thousands of them, with other images each time."),
}


def page() -> None:
    st.title(_("How it works: one step by hand"), anchor=False)
    show_step()


@st.fragment
def show_step() -> None:
    """Everything below the title; a press runs only this again."""
    with st.container(key="step-top", horizontal=True, vertical_alignment="center"):
        inputs, labels = show_images()
        show_settings()
    if inputs is None:
        explain_own_drawing()
    else:
        choices = {"activation": ACTIVATION, "loss": LOSS, "optimizer": OPTIMIZER, "learning_rate": RATE}
        hand = hand_step.current(inputs, labels, **{name: st.session_state[key] for name, key in choices.items()})
        show_parts(hand.step)
        if hand.step.stage is Stage.BACKWARD:
            guess.ask(hand.step)
        elif hand.step.stage is Stage.UPDATE:
            guess.show_result(hand.step)
        view.show(hand.step, hand.version)
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def show_images() -> tuple[npt.NDArray[np.float64] | None, npt.NDArray]:
    """Show the choice of images; return the inputs (N, 49) and labels (N,), or None and no labels if there are none."""
    sources = {key: _(text) for key, text in SOURCES.items()}
    source = st.segmented_control(
        _("Learn from"),
        list(sources),
        format_func=lambda key: sources[key],
        label_visibility="collapsed",
        required=True,
        on_change=guess.forget,
        **state.keep(SOURCE, "one"),
    )
    if source != "own":
        st.button(_("Other images"), icon=":material/refresh:", type="tertiary", on_click=_other_images)
        return images.pick(3 if source == "three" else 1, state.session().hand_images)
    drawing = images.drawing()
    if drawing is not None:
        digit = st.pills(_("Which digit did you draw?"), range(10), on_change=guess.forget, **state.keep(DIGIT))
        if digit is not None:
            return drawing, np.array([digit])
    return None, np.array([], int)


def explain_own_drawing() -> None:
    """Say what is missing to learn from one's own drawing."""
    if images.drawing() is None:
        st.info(_("There is no drawing yet. Draw a digit, and come back."), icon=":material/draw:")
        st.page_link(DRAW_PAGE, label=_("Draw a digit"))
    else:
        st.info(_("Choose the digit that you drew. The network needs to know it, to learn from it."))


def _other_images() -> None:
    state.session().hand_images += 1
    guess.forget()


def show_settings() -> None:
    """Show what decides the step, and the switch that shows the choices."""
    for key, default in ((ACTIVATION, "relu"), (LOSS, "cross_entropy"), (OPTIMIZER, "sgd")):
        st.session_state.setdefault(key, default)
    st.session_state.setdefault(RATE, OPTIMIZERS[st.session_state[OPTIMIZER]].usual_learning_rate)
    is_open = st.toggle(_("Settings"), **state.keep(OPEN, False))
    chosen = zip((ACTIVATION, LOSS, OPTIMIZER), (ACTIVATIONS, LOSSES, OPTIMIZERS), strict=True)
    names = ", ".join(_(registry[st.session_state[key]].label) for key, registry in chosen)
    text = _("{names}, learning rate {rate}").format(names=names, rate=f"{st.session_state[RATE]:g}")
    st.caption(text, width="content")
    if not is_open:
        return
    rates = sorted({*SETTINGS["learning_rate"].usual, st.session_state[RATE]})
    with st.container(key="step-settings", horizontal=True):
        _choice("function", ACTIVATION, ACTIVATIONS, _("Activation"))
        _choice("loss", LOSS, LOSSES, _("Loss"))
        _choice("optimizer", OPTIMIZER, OPTIMIZERS, _("Optimizer"), on_change=_use_its_rate)
        st.select_slider(
            _("Learning rate"),
            rates,
            format_func=lambda rate: f"{rate:g}",
            help=_(SETTINGS["learning_rate"].help),
            on_change=guess.forget,
            **state.keep(RATE),
        )


def _choice(setting: str, key: str, registry: dict[str, Any], label: str, **look: Any) -> None:
    look = {"on_change": guess.forget, "help": _(SETTINGS[setting].help), **state.keep(key), **look}
    st.selectbox(label, list(registry), format_func=lambda name: _(registry[name].label), **look)


def _use_its_rate() -> None:
    state.set_value(RATE, OPTIMIZERS[st.session_state[OPTIMIZER]].usual_learning_rate)
    guess.forget()


def show_parts(step: StepByStep) -> None:
    """Show the four parts of a step as buttons, and the ways on from it."""
    st.markdown(_(NEXT[step.stage]))
    with st.container(key="step-buttons", horizontal=True):
        with st.container(key="step-parts", horizontal=True, gap="small"):
            for stage, (label, icon, part) in PARTS.items():
                is_next = stage == step.stage + 1
                st.button(
                    _(label),
                    icon=icon,
                    key=f"step {stage.name}",
                    type="primary" if is_next else "secondary",
                    disabled=not is_next or (stage is Stage.UPDATE and not guess.is_made()),
                    on_click=_take,
                    args=(part, stage),
                )
        with st.container(key="step-ways", horizontal=True, vertical_alignment="center", gap="small"):
            _show_ways(step)


def _show_ways(step: StepByStep) -> None:
    is_over = step.stage is Stage.UPDATE
    st.button(
        _("Next step"),
        icon=":material/skip_next:",
        type="primary" if is_over else "tertiary",
        disabled=not is_over,
        on_click=_go,
        args=(StepByStep.next_step,),
        help=_("Goes on with the new weights."),
    )
    st.button(
        _("Again"),
        icon=":material/replay:",
        type="tertiary",
        disabled=step.stage is Stage.START,
        on_click=_go,
        args=(StepByStep.again,),
        help=_("Takes the same step again, with the weights of before."),
    )
    st.button(
        _("Reset"),
        icon=":material/restart_alt:",
        type="tertiary",
        disabled=step.stage is Stage.START and step.number == 1,
        on_click=_reset,
        help=_("Begins anew with the first weights."),
    )
    st.caption(_("Step {number}").format(number=step.number), width="content")


def _take(part: Callable[[StepByStep], None], stage: Stage) -> None:
    hand = state.session().hand_step
    if hand and hand.step.stage == stage - 1:  # a second press may come late
        part(hand.step)


def _go(way: Callable[[StepByStep], None]) -> None:
    if (hand := state.session().hand_step) and (hand.step.stage is Stage.UPDATE or way is not StepByStep.next_step):
        way(hand.step)
        guess.forget()


def _reset() -> None:
    if hand := state.session().hand_step:
        hand.reset()
        guess.forget()


page()
