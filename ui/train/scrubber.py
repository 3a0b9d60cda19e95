"""The slider that goes back through a training: its network, its curves and its predictions as they were then."""

from collections.abc import Sequence

import streamlit as st

from engine.jobs import Keyframe, Snapshot
from engine.jobs.keyframes import capacity
from ui.formatting import number
from ui.run import Run
from ui.state import keep, set_value, value
from ui.translation import N_, _

NOW = -1  # the slider's right end, which follows the training
START = 0  # a step
LABEL = N_("Look back")


def moment(run: Run, snapshot: Snapshot, keyframes: Sequence[Keyframe]) -> Snapshot:
    """``snapshot``, or what it was at the moment, one of the ``keyframes``, that the slider stands at."""
    key = _key(run)
    chosen = value(key, NOW)
    if chosen != NOW and all(frame.step != chosen for frame in keyframes):  # it was dropped: the nearest one is shown
        chosen = min((frame.step for frame in keyframes), key=lambda step: abs(step - chosen), default=NOW)
        set_value(key, chosen)
    keyframe = next((frame for frame in keyframes if frame.step == chosen), None)
    return snapshot.at(keyframe, keyframes) if keyframe else snapshot


def show(run: Run, snapshot: Snapshot, keyframes: Sequence[Keyframe]) -> None:
    """Draw the slider."""
    names = {frame.step: moment_name(frame, snapshot.config.epochs) for frame in keyframes} or {START: _("start")}
    st.select_slider(
        _(LABEL) if keyframes or not snapshot.step else f"{_(LABEL)}: {why_not(run, snapshot)}",
        [*names, NOW],
        format_func=lambda step: names.get(step, _("now")),
        disabled=not keyframes,
        help=_("Weights, predictions and curves as they were then. The training goes on meanwhile."),
        **keep(_key(run), NOW),
    )


def _key(run: Run) -> str:
    return f"{run.key} moment"


def past(run: Run, snapshot: Snapshot) -> list[Keyframe]:
    """The moments to go back to."""
    return [frame for frame in run.keyframes.frames if frame.step < snapshot.step]


def moment_name(keyframe: Keyframe, epochs: int) -> str:
    """A moment in words."""
    if not keyframe.step:
        return _("start")
    return _("epoch {epoch} of {count} · step {step}").format(
        epoch=number(keyframe.epoch, ".2f"), count=number(epochs), step=number(keyframe.step)
    )


def why_not(run: Run, snapshot: Snapshot) -> str:
    """Why a training that has taken steps has no moments to go back to."""
    if run.keyframes.were_dropped:
        return _("its earlier moments were dropped to free memory")
    limit = capacity(snapshot.network.state_vector.size)[0]
    return _("its earlier moments are not saved with it") if limit else _("its network is too large for that")
