"""The ``Situation`` of this visitor, and the lesson's step that it completes."""

from typing import Any

import streamlit as st

from engine.jobs import Snapshot
from ui import current_drawing, networks, runs, state
from ui.draw.panels.tabs import KEY as DRAW_PANEL
from ui.draw.prediction import Prediction, answer
from ui.lessons.conditions import CHOSEN, NEWEST_RUN, SETTINGS
from ui.lessons.lesson import DRAW, Lesson
from ui.lessons.progress import LessonProgress
from ui.lessons.situation import RunSeen, Situation
from ui.run import Run
from ui.state import session
from ui.train.setting_widget import from_widget

PANELS = {DRAW: DRAW_PANEL, "train": "panel"}  # keys of the tabs of a page


def notice(lesson: Lesson, progress: LessonProgress, page: str) -> bool:
    """Whether the step to do has been done since the last look. Not while a stroke grows: the pen goes first."""
    drawing = session().drawing
    if progress.step >= len(lesson.steps) or progress.is_step_done or (drawing and drawing.pending):
        return False
    situation = current_situation(page, progress.since)
    ink, session().lesson_ink = session().lesson_ink, None if situation.image is None else situation.image.tobytes()
    if session().lesson_ink != ink:  # perhaps the next stroke follows at once: look again
        return False
    return lesson.steps[progress.step].is_done(situation)


def current_situation(page: str, since: int) -> Situation:
    """What is on the pages now; of the runs, those with a number above ``since``."""
    everything = runs.all_runs()
    begun = [run for run in everything if run.number > since]
    image = current_drawing.current_image() if page == DRAW else None

    def read(network: str) -> Prediction | None:
        if image is None or (found := _network(network, begun)) is None:
            return None
        answered = answer(found, image)
        return None if answered is None or answered.is_number else answered.last

    return Situation(
        page,
        str(state.value(PANELS[page], "")) if page in PANELS else "",
        str(state.value("network", "")),
        _settings(),
        {str(key): value for key, value in st.session_state.items() if isinstance(value, bool)},
        tuple(map(_seen, begun)),
        tuple(_seen(everything[row]) for row in _ticked() if row < len(everything)),
        image,
        read,
    )


def newest_run(since: int) -> Run | None:
    """The newest run with a number above ``since``."""
    return next((run for run in reversed(runs.all_runs()) if run.number > since), None)


def _network(which: str, begun: list[Run]) -> Any:
    if which == NEWEST_RUN:
        return begun[-1].snapshot().network if begun else None
    if which == CHOSEN:
        candidates = networks.candidates()
        chosen = candidates.get(state.value("network")) or next(iter(candidates.values()), None)
        return chosen and chosen.network
    return networks.shipped_networks()[0].get(which)


def _settings() -> dict[str, str]:
    """The settings on the Train page, shown or not, that have a plain widget."""
    values = {name: from_widget(st.session_state[name]) for name in SETTINGS if name in st.session_state}
    return {name: value if isinstance(value, str) else SETTINGS[name].to_text(value) for name, value in values.items()}


def _ticked() -> list[int]:
    table = st.session_state.get("runs table") or {}
    return [row for row in table.get("selection", {}).get("rows", []) if isinstance(row, int)]


def _seen(run: Run) -> RunSeen:
    snapshot: Snapshot = run.snapshot()
    last = snapshot.history[-1] if snapshot.history else None
    return RunSeen(
        run.number,
        run.config,
        run.series.num_seeds,
        run.series.is_over,
        snapshot.step,
        last and last.accuracy,
        last and last.validation_accuracy,
        snapshot.test.accuracy if snapshot.test else None,
    )
