"""The page Lessons: every lesson with its goal, its length and how far one is, and the teacher's view of a class."""

from html import escape
from urllib.parse import urlencode, urlsplit

import streamlit as st

from engine import InklingError
from ui import PATHS, state
from ui.class_collection.join import PARAMETER as CLASS_PARAMETER
from ui.class_collection.visit import classes
from ui.formatting import escape_markdown
from ui.lessons import course, teacher
from ui.lessons.lesson import Lesson, lessons
from ui.lessons.panel import PARAMETER
from ui.lessons.progress import LessonProgress, current_progress
from ui.translation import N_, _
from ui.visitor import workspace


def page() -> None:
    st.title(_("Lessons"), anchor=False)
    st.markdown(
        _(
            "Each lesson leads you through the real pages: you draw, you train, and the page notices what you do. "
            "A teacher can hand out the link of a lesson."
        )
    )
    try:
        codes = [collection.code for collection in classes().of_workspace(workspace().id)]
    except InklingError as error:
        st.warning(escape_markdown(f"{error}."), icon=":material/cloud_off:")
        codes = []
    code = teacher.choose(codes) if codes else ""
    if not code:
        _cards(code)
        return
    cards, progress = state.tabs([N_("Lessons"), N_("How far is the class?")], key="lessons part")
    if cards.open:
        with cards:
            _cards(code)
    if progress.open:
        with progress:
            teacher.show(code)


@st.fragment
def _cards(code: str) -> None:
    """One card for each lesson."""
    if state.session().lesson_changed:  # a button has opened a lesson
        st.rerun()
    progress = current_progress().lessons
    with st.container(key="lesson cards"):
        for lesson in lessons().values():
            with st.container(border=True, key=f"card {lesson.name}"):
                _card(lesson, progress.get(lesson.name), code)
        broken = next((file for file, path in PATHS.items() if path == "broken"), None)
        if broken:
            with st.container(border=True, key="card broken"):
                title, goal = _("Broken networks"), _("Find out what is wrong with a network from its curves, and mend it.")
                st.html(
                    f'<h2 class="inkling-card-title">{escape(title)}</h2><p class="inkling-card-goal">{escape(goal)}</p>'
                )
                st.page_link(broken, label=_("Open the page"), icon=":material/arrow_forward:")


def _card(lesson: Lesson, progress: LessonProgress | None, code: str) -> None:
    done, total = progress.num_done if progress else 0, lesson.num_parts
    is_over = bool(progress and progress.is_over(lesson))
    minutes = _("{minutes} minutes").format(minutes=lesson.minutes)
    st.html(
        f'<h2 class="inkling-card-title">{lesson.number}. {escape(lesson.title)}</h2>'
        f'<p class="inkling-card-goal">{escape(lesson.goal)}</p>'
        f'<p class="inkling-card-facts"><span>{escape(minutes)}</span>{progress_html(done, total)}</p>'
    )
    if is_over:
        label, icon = _("Do it again"), "replay"
    elif done or (progress and progress.step):
        label, icon = _("Go on"), "play_arrow"
    else:
        label, icon = _("Begin"), "play_arrow"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            label,
            icon=f":material/{icon}:",
            key=f"begin {lesson.name}",
            type="secondary" if is_over else "primary",
            on_click=course.begin,
            args=(lesson.name,),
        )
        with st.popover(_("Link"), icon=":material/link:"):
            st.markdown(_("This link opens the lesson “{title}”.").format(title=escape_markdown(lesson.title)))
            st.code(address(lesson.name, code), language=None, wrap_lines=True)


def progress_html(done: int, total: int) -> str:
    """A small bar with how many parts are done."""
    text = _("{done} of {total}").format(done=done, total=total)
    return (
        f'<span class="inkling-card-progress{" all" if done >= total else ""}">'
        f'<i aria-hidden="true"><b style="width:{100 * done / total:.0f}%"></b></i>{escape(text)}</span>'
    )


def address(name: str, code: str = "") -> str:
    """The link that opens a lesson; with the code of a class, also that class."""
    url = urlsplit(str(st.context.url or ""))
    path = url.path.removesuffix("/").removesuffix("/lessons")
    return f"{url.scheme}://{url.netloc}{path}/?{urlencode({PARAMETER: name} | ({CLASS_PARAMETER: code} if code else {}))}"


page()
