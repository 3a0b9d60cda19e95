"""Going through a lesson: to begin, go on, skip, answer and close; all of these may be called in callbacks."""

from typing import Any

from engine import InklingError
from engine.data import default_source
from ui import state
from ui.draw import canvas, keyboard_grid
from ui.lessons.conditions import NEWEST_RUN
from ui.lessons.lesson import Lesson, Setup, lessons
from ui.lessons.progress import LessonProgress, current_progress, store_progress
from ui.lessons.watching import PANELS, newest_run
from ui.runs import all_runs
from ui.state import report_error, session
from ui.train import config_form
from ui.translation import N_


def open_lesson() -> tuple[Lesson, LessonProgress] | None:
    """The open lesson and how far it is, if one is open."""
    progress = current_progress()
    lesson = lessons().get(progress.name)
    if lesson is None:
        return None
    of_lesson = progress.lessons.get(lesson.name)
    if of_lesson is None or of_lesson.step > len(lesson.steps):  # the file was changed
        of_lesson = progress.lessons[lesson.name] = _from_start()
    return lesson, of_lesson


def begin(name: str, again: bool = True) -> None:
    """Open a lesson where the visitor has left it, or at its start if it was not begun or, with ``again``, is over."""
    progress, lesson = current_progress(), lessons()[name]
    progress.name = name
    of_lesson = progress.lessons.get(name)
    if of_lesson is None or (again and of_lesson.is_over(lesson)):
        progress.lessons[name] = _from_start()
    _prepare()


def next_step(step: int) -> None:
    """Go on from this step to the next, and prepare the pages for it; a late second press does nothing."""
    opened = open_lesson()
    if opened and opened[1].step == step:
        lesson, progress = opened
        progress.step = min(progress.step + 1, len(lesson.steps))
        _prepare()


def note_done() -> None:
    """The page has noticed that the step is done."""
    if opened := open_lesson():
        progress = opened[1]
        progress.done = sorted({*progress.done, progress.step})
        store_progress()


def note_answer() -> None:
    """The question was answered rightly."""
    if opened := open_lesson():
        opened[1].is_answered = True
        store_progress()


def close() -> None:
    """Close the lesson; what is done in it stays."""
    current_progress().name = ""
    session().lesson_changed = True
    store_progress()


def target_page() -> str | None:
    """The page that the lesson wants to be open now; asked once for each step."""
    page, session().lesson_page = session().lesson_page, None
    return page


def _from_start() -> LessonProgress:
    return LessonProgress(since=max((run.number for run in all_runs()), default=0))


def _prepare() -> None:
    """Prepare the pages for the step to do."""
    session().lesson_changed = True
    store_progress()
    opened = open_lesson()
    if not opened:
        return
    lesson, progress = opened
    setup = lesson.steps[progress.step].setup if progress.step < len(lesson.steps) else None
    if setup is None or progress.is_step_done:
        return
    session().lesson_page = setup.page
    try:
        _set_up(setup, progress.since, lesson)
    except InklingError as error:
        report_error(error)


def _set_up(setup: Setup, since: int, lesson: Lesson) -> None:
    if setup.config is not None:
        config_form.fill(setup.config, N_("the lesson"), default_source())
        state.set_value("num_seeds", setup.seeds)
    if setup.network is not None:
        run = newest_run(since) if setup.network == NEWEST_RUN else None
        _set("network", run.key if run else setup.network)
    if setup.drawing is not None:
        canvas.current_drawing().replace(setup.drawing)
        keyboard_grid.turn_off()
    if setup.panel is not None and setup.page in PANELS:
        state.open_tab(setup.panel, PANELS[setup.page])


def _set(key: str, value: Any) -> None:
    state.set_value(key, value)
