"""The panel of the open lesson, beside every page; on a narrow screen a bar at the bottom, which opens."""

from html import escape

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import DRAW_PAGE, LESSONS_PAGE, PATHS
from ui.lessons import course, reporting
from ui.lessons.lesson import DRAW, Lesson, lessons
from ui.lessons.progress import LessonProgress
from ui.lessons.watching import notice
from ui.state import keep, session
from ui.translation import _

PARAMETER = "lesson"  # of the page's address
LOOK_SECONDS = 1.0  # between two looks at what the visitor does
IS_OPEN = "lesson open"  # key of the bar's switch


def show(page: StreamlitPage, pages: list[StreamlitPage]) -> None:
    """Show the open lesson, if there is one, beside ``page``; first open the one that the address names."""
    path = page.url_path or DRAW
    _open_link()
    reporting.current_class()  # which was left, perhaps
    wanted = course.target_page()
    if wanted and wanted != path:
        st.switch_page(next(other for other in pages if (other.url_path or DRAW) == wanted))
    opened = course.open_lesson()
    session().lesson_changed = False
    if opened:
        st.fragment(_panel)(path)


def _open_link() -> None:
    name = st.query_params.pop(PARAMETER, None)
    if name is None:
        return
    reporting.open_link()
    if name in lessons():
        course.begin(name, again=False)
    else:
        st.toast(_("There is no lesson under the link that you opened."), icon=":material/link_off:")


def _panel(page: str) -> None:
    """The whole panel."""
    opened = course.open_lesson()
    if session().lesson_changed or opened is None:  # a button of the panel has changed what is on the page
        st.rerun()
    lesson, progress = opened
    reporting.report()
    with st.container(key="lesson"):
        with st.container(key="lesson bar"):
            _bar(lesson, progress)
        with st.container(key="lesson body"):
            _body(lesson, progress, page)
        if progress.step < len(lesson.steps) and not progress.is_step_done:
            st.fragment(_watch, run_every=LOOK_SECONDS)(page)


def _watch(page: str) -> None:
    """Look whether the step is done. It shows nothing, so that the pen does not wait for it."""
    if (opened := course.open_lesson()) and notice(*opened, page):
        course.note_done()
        st.rerun()


def _bar(lesson: Lesson, progress: LessonProgress) -> None:
    """What to do now, in one or two lines, and the switch that opens the panel."""
    if progress.is_over(lesson):
        text, kind = _("You have finished this lesson."), "done"
    elif progress.step >= len(lesson.steps):
        text, kind = _("One question is left."), "done"
    elif progress.is_step_done:
        text, kind = _("Done! Open this to see what it shows."), "done"
    else:
        text, kind = lesson.steps[progress.step].do.replace("**", ""), "todo"
    st.html(f'<p class="inkling-lesson-bar {kind}"><b>{_place(lesson, progress)}</b><span>{escape(text)}</span></p>')
    st.checkbox(_("Show the lesson"), **keep(IS_OPEN, False))


def _place(lesson: Lesson, progress: LessonProgress) -> str:
    if progress.step >= len(lesson.steps):
        return "✓" if progress.is_over(lesson) else "?"
    return "✓" if progress.is_step_done else f"{progress.step + 1}/{len(lesson.steps)}"


def _body(lesson: Lesson, progress: LessonProgress, page: str) -> None:
    with st.container(key="lesson head", horizontal=True, vertical_alignment="center"):
        st.html(f'<h2 class="inkling-lesson-title">{escape(lesson.title)}</h2>')
        st.button(_("Close the lesson"), icon=":material/close:", type="tertiary", key="close lesson", on_click=course.close)
    st.html(_dots(lesson, progress))
    if progress.step >= len(lesson.steps):
        _question(lesson, progress)
    else:
        _step(lesson, progress, page)
    reporting.show_sharing()


def _dots(lesson: Lesson, progress: LessonProgress) -> str:
    """The steps and the question as a row of dots."""
    kinds = []
    for number in range(lesson.num_parts):
        is_done = number in progress.done or (number == len(lesson.steps) and progress.is_answered)
        kinds.append("done" if is_done else "now" if number == progress.step else "")
    if progress.step < len(lesson.steps):
        text = _("Step {number} of {count}").format(number=progress.step + 1, count=len(lesson.steps))
    else:
        text = _("Question")
    dots = "".join(f'<i class="{kind}"></i>' for kind in kinds)
    return f'<p class="inkling-lesson-dots"><span aria-hidden="true">{dots}</span>{escape(text)}</p>'


def _step(lesson: Lesson, progress: LessonProgress, page: str) -> None:
    step = lesson.steps[progress.step]
    if progress.step == 0 and not progress.is_step_done:
        st.markdown(lesson.introduction)
    with st.container(key="lesson task"):
        st.markdown(step.do)
    needed = lesson.page_of(progress.step)
    if needed and needed != page:
        files = {DRAW: DRAW_PAGE} | {path: file for file, path in PATHS.items()}
        st.page_link(files[needed], label=_("To the page of this step"), icon=":material/arrow_back:")
    on_click = {"on_click": course.next_step, "args": (progress.step,)}
    if progress.is_step_done:
        st.success(step.then, icon=":material/check_circle:")
        last = progress.step + 1 == len(lesson.steps)
        label = _("To the question") if last else _("Next step")
        st.button(label, type="primary", icon=":material/arrow_forward:", key="lesson next", **on_click)
    else:
        st.caption(_("The page notices by itself when you have done it."))
        st.button(_("Skip this step"), type="tertiary", icon=":material/skip_next:", key="lesson skip", **on_click)


def _question(lesson: Lesson, progress: LessonProgress) -> None:
    question = lesson.question
    key = f"lesson answer {lesson.name}"
    choice = st.radio(
        question.ask,
        range(len(question.choices)),
        index=None,
        format_func=question.choices.__getitem__,
        key=key,
        on_change=_answer,
        args=(key, question.right),
    )
    if choice not in (None, question.right):
        st.info(_("Not quite. Think about what you have just seen, and try another answer."), icon=":material/help:")
    if progress.is_answered:
        st.success(f"**{question.choices[question.right]}**\n\n{question.answer}", icon=":material/check_circle:")
        st.markdown(f"**{_('What to read next')}**")
        st.markdown(lesson.read)
        if following := lessons().get(lesson.next):
            label = _("Next lesson: {title}").format(title=following.title)
            st.button(
                label,
                type="primary",
                icon=":material/school:",
                key="next lesson",
                on_click=course.begin,
                args=(following.name,),
            )
        st.page_link(LESSONS_PAGE, label=_("All lessons"), icon=":material/list:")


def _answer(key: str, right: int) -> None:
    if st.session_state[key] == right:
        course.note_answer()
