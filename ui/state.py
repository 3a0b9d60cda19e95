"""What a visitor's session holds: ``Session`` for the app's own objects, and the values of widgets.

Streamlit forgets the value of a widget that is not shown. Widgets keep theirs with ``persist_state="session"`` (``keep``).
Tabs and expanders have no such option, so ``tabs`` and ``expander`` store what is open in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import streamlit as st

from ui.formatting import escape_markdown
from ui.translation import _

if TYPE_CHECKING:
    from engine.config import Config
    from ui.class_collection.visit import Visit
    from ui.draw.challenges import Progress
    from ui.draw.digit_keys import Kept
    from ui.draw.drawing import Drawing
    from ui.draw.keyboard_grid import Cells
    from ui.draw.panels.drawing_map import Request, Shown
    from ui.draw.picture import Picture
    from ui.draw.prediction import LatestDrawing, LatestOutputs
    from ui.handwriting.collecting import Collecting
    from ui.handwriting.judging import Readings
    from ui.handwriting.teaching import Lesson
    from ui.handwriting.wall import Wall
    from ui.how_it_works.hand_step import HandStep
    from ui.lessons.progress import Progress as Lessons
    from ui.puzzles.puzzle import Puzzle
    from ui.store import LessonReport
    from ui.train.epoch_map import Turned
    from ui.train.network_builder import Block
    from ui.workspace import Workspace

ERROR_SECONDS = 10.0  # for which an error stays on the page


@dataclass
class Session:
    """All that one visitor's session holds besides the values of widgets."""

    workspace: "Workspace | None" = None
    page: str = ""
    is_presenting: bool | None = None  # None until the address was read
    surface_changed: bool = False  # whether the canvas or the grid is shown again, and has to be told what is on it
    explains: bool = False  # whether to open the dialog "How it works"
    welcomed_with: tuple[Any, ...] = ()  # what the Draw page was last shown with as a whole
    shown_with: tuple[Any, ...] = ()  # what all below its title was last shown with
    drawing: "Drawing | None" = None
    cells: "Cells | None" = None
    kept: "Kept | None" = None  # the drawing that got a label on the Draw page last
    collecting: "Collecting | None" = None
    wall: "Wall | None" = None
    teachings: "dict[str, Lesson]" = field(default_factory=dict)  # by the key of their subject
    added_drawings: str = ""  # what an upload has added
    readings: "Readings" = field(default_factory=WeakKeyDictionary)
    class_visit: "Visit | None" = None
    challenges: "Progress | None" = None
    lessons: "Lessons | None" = None
    lesson_changed: bool = False  # what is on the page, by a button of the lesson's panel
    lesson_page: str | None = None  # that the lesson wants to be open
    lesson_ink: bytes | None = None  # the drawing at the last look at it
    lesson_report: "tuple[tuple[str, LessonReport] | None, float] | None" = None  # the last one, and when it failed
    latest_drawing: "LatestDrawing | None" = None
    latest_outputs: "LatestOutputs | None" = None
    image_map: "Shown | None" = None
    map_request: "Request | None" = None
    run_map: "Turned | None" = None  # the map of a run that was shown last
    picture: "Picture | None" = None
    puzzle: "Puzzle | None" = None
    picture_is_read: bool = False  # from the store
    num_pictures: int = 0  # that were brought
    sample_seed: int = 0  # of the ten sample digits on the Draw page
    hand_step: "HandStep | None" = None  # of the page How it works
    hand_images: int = 0  # the seed of its images
    refresh_seconds: float = 0.7  # between two looks at a running training
    shown_run: int | None = None
    preset: "tuple[str, Config] | None" = None  # what the settings started from: its name and configuration
    stored_settings: dict[str, Any] | None = None
    sweep_defaults: dict[str, Any] = field(default_factory=dict)  # of the widgets of the form for a sweep, by key
    blocks: "list[Block]" = field(default_factory=list)  # the network builder's layers
    num_blocks: int = 0
    opened_link: dict[str, str] | None = None
    error: tuple[str, float] | None = None  # a line to show, and when it happened
    upload_result: str = ""
    own_sources: list[str] = field(default_factory=list)  # data sets that this session brought
    image_error: str = ""
    kept_keys: set[str] = field(default_factory=set)  # of the widgets that keep their values
    open_parts: dict[str, Any] = field(default_factory=dict)  # of tabs and expanders, by key
    unconfirmed: dict[str, tuple[Any, Any]] = field(
        default_factory=dict
    )  # widgets' new and old values, until a run is complete


def session() -> Session:
    return st.session_state.setdefault("session", Session())


def begin_run(page: str) -> None:
    """At the top of every run of the script, with the title of its page."""
    current = session()
    if page != current.page:
        current.page, current.surface_changed = page, True
    for key, (new, old) in current.unconfirmed.items():  # a click that left the browser earlier must not undo them
        if st.session_state.get(key, old) in (new, old):  # any other value is the visitor's own
            st.session_state[key] = new


def end_run() -> None:
    """At the end of a run that was not cut short: the browser has all values now."""
    session().unconfirmed.clear()


def report_error(text: object) -> None:
    """Have the page show this line for a while."""
    session().error = str(text), monotonic()


def show_error() -> None:
    """What went wrong with the last click, in one line; for a while, although the page is redrawn by itself."""
    line, since = session().error or ("", 0.0)
    if line and monotonic() - since < ERROR_SECONDS:
        st.error(escape_markdown(line), icon=":material/error:")


def keep(key: str, default: Any = None) -> dict[str, Any]:
    """The arguments of a widget that keeps its value while it is not shown: ``st.toggle("Log", **keep("log", False))``.

    The options of a select box that is kept must not change their labels: the browser stores its choice as a label.
    """
    st.session_state.setdefault(key, default)
    session().kept_keys.add(key)
    return {"key": key, "persist_state": "session"}


def keep_through_new_labels() -> None:
    """Have the widgets that keep their values do so although all labels change: to be called in a callback."""
    for key in session().kept_keys & {str(key) for key in st.session_state}:
        set_value(key, st.session_state[key])


def value(key: str, default: Any = None) -> Any:
    """The value of a widget, shown or not."""
    return st.session_state.get(key, default)


def set_value(key: str, value: Any) -> None:
    """Set a widget's value, in a callback or before the widget is shown."""
    old = session().unconfirmed.get(key, (None, st.session_state.get(key)))[1]
    session().unconfirmed[key] = value, old
    st.session_state[key] = value


def forget(prefix: str) -> None:
    """Drop the values of all widgets whose keys begin with ``prefix``."""
    for key in [key for key in st.session_state if str(key).startswith(prefix)]:
        del st.session_state[key]
        session().unconfirmed.pop(str(key), None)


def tabs(labels: Sequence[str], key: str) -> Sequence[Any]:
    """Tabs, of which the open one stays open through a page switch; only its content need be computed (``tab.open``).

    The ``labels`` are marked for translation, and shown in the visitor's language.
    """
    names = {_(label): label for label in labels}
    if st.session_state.get(key) not in names:  # it is new, or the language has changed
        st.session_state[key] = _(session().open_parts.get(key, labels[0]))
    return st.tabs(list(names), key=key, on_change=_store_open, args=(key, names))


def open_tab(label: str, key: str) -> None:
    """Have this tab of ``tabs`` open; to be called in a callback."""
    set_value(key, _(label))
    session().open_parts[key] = label


def expander(label: str, icon: str, key: str) -> Any:
    """An expander that stays open through a page switch; only then need its content be computed (``expander.open``)."""
    st.session_state.setdefault(key, session().open_parts.get(key, False))
    return st.expander(label, icon=icon, key=key, on_change=_store_open, args=(key,))


def _store_open(key: str, names: Mapping[Any, Any] | None = None) -> None:
    opened = st.session_state[key]
    session().open_parts[key] = names.get(opened, opened) if names else opened
