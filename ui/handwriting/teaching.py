"""Teach a network a hand, or those of a class: fine-tune it, watch what it gains and what it forgets, and draw with it."""

from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st

from engine import InklingError
from engine.data.collection import Collection
from engine.data.dataset import Dataset
from engine.finetuning import FineTuned, FineTuningSettings, Measured, ScoresByClass
from engine.jobs import Place, Tuning
from engine.metrics import Score
from engine.setting_fields import settings_of
from ui import DRAW_PAGE, charts, collection, datasets, images, networks, state
from ui.formatting import duration, escape_markdown, number, percent
from ui.handwriting.judging import readings
from ui.state import report_error, session
from ui.store import DrawingRecord, free_name
from ui.train.setting_widget import setting_widget
from ui.train.uploads import MAX_UPLOADS
from ui.translation import N_, _, ngettext
from ui.visitor import workspace

LEAST = 10  # drawings
LOOK_EVERY = 0.7  # seconds
SHOWN = ("rehearsal", "trained_layers", "learning_rate", "drawings")
NEW, OWN, OLD = N_("drawings it has not seen"), N_("drawings it learns from"), N_("test images of the old digits")
COLOURS = {
    NEW: charts.COLOURS[charts.VALIDATION],
    OWN: charts.COLOURS[charts.TRAINING],
    OLD: charts.COLOURS[charts.SMOOTHED],
}
MAX_COMPARED = 60  # drawings that are shown before and after
STARTED = "started lesson"  # whose Start was pressed: the subject's key


@dataclass(frozen=True)
class Subject:
    """Whose drawings are learned from. The texts are translated when they are shown."""

    key: str
    part: str  # key of the tabs that it is in
    name: str  # of the network that has learned
    too_few: str
    taught: str
    read_before_and_after: str
    title: str  # of a drawing's image

    @property
    def network_name(self) -> str:
        """What a network is called that has learned from the drawings."""
        return _(self.name).format(code=self.key)


MY_HAND = Subject(
    "mine",
    "handwriting part",
    N_("taught my hand"),
    N_("Collect at least {least} drawings first. With five of each digit, a network learns a lot about your hand."),
    N_("{network} was taught your hand"),
    N_("New drawings of yours: {before} of {total} right before, {after} after."),
    N_("your {label}, read as {before} before and as {after} after"),
)


@dataclass
class Lesson:
    """A fine-tuning, and the drawings that were there when it began."""

    tuning: Tuning
    records: list[DrawingRecord]
    drawings: Collection
    subject: Subject = MY_HAND
    name: str = ""  # under which the network was kept
    is_wanted: bool = False  # to draw with, as soon as the page can be left

    def records_of(self, part: Collection) -> list[DrawingRecord]:
        """The records of these drawings."""
        wanted = {id(drawing) for drawing in part}
        pairs = zip(self.records, self.drawings, strict=True)
        return [record for record, drawing in pairs if id(drawing) in wanted]


def show() -> None:
    """Teach a network the visitor's own hand."""
    show_teaching(MY_HAND, workspace().drawings())


def show_teaching(subject: Subject, records: list[DrawingRecord]) -> None:
    """The settings and Start; then the curves, and what came of it."""
    lesson = session().teachings.get(subject.key)
    if lesson and not lesson.tuning.is_over:
        st.fragment(_watch, run_every=LOOK_EVERY)(lesson, state.value(subject.part))
        return
    if len(records) < LEAST:
        st.info(_(subject.too_few).format(least=LEAST))
    else:
        _show_settings(subject, records)
    if lesson:
        _show_end(lesson)


def _show_settings(subject: Subject, records: list[DrawingRecord]) -> None:
    candidates = networks.digit_candidates()
    if not candidates:
        st.info(_("There is no network yet. Train one on the Train page."))
        return
    if state.value("pupil") not in candidates:
        state.set_value("pupil", next(iter(candidates)))
    chosen = st.selectbox(
        _("Network to teach"), list(candidates), format_func=lambda name: candidates[name].label, **state.keep("pupil")
    )
    fields, defaults = settings_of(FineTuningSettings), FineTuningSettings()
    with st.container(key="lesson-settings", horizontal=True):
        values = {
            name: setting_widget(fields[name], f"lesson {name}", getattr(defaults, name), slider=name == "rehearsal")
            for name in SHOWN
        }
    press = {"on_click": state.set_value, "args": (STARTED, subject.key)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="start lesson", **press)
        text = _(
            "The network learns from the {count} drawings. You see what it gains, and what it forgets of the old digits."
        )
        st.caption(text.format(count=len(records)))
    if state.value(STARTED) == subject.key:
        state.set_value(STARTED, "")
        _start(subject, candidates[chosen], records, FineTuningSettings(**values))
        st.rerun()


def _start(
    subject: Subject, candidate: networks.Candidate, records: list[DrawingRecord], settings: FineTuningSettings
) -> None:
    drawings, current = collection.images_only(records, subject.network_name), workspace()
    try:
        tuning = Tuning(
            candidate.network,
            drawings,
            settings,
            *old_digits(),
            candidate.label,
            visitor=current.id,
            is_watched=current.is_watched,
        )
        session().teachings[subject.key] = Lesson(tuning, records, drawings, subject)
    except InklingError as error:
        report_error(error)


def old_digits() -> tuple[Dataset, Dataset]:
    """Images to rehearse, and others to test what is forgotten."""
    return datasets.load("mnist" if datasets.is_local("mnist") else "synthetic")


def _watch(lesson: Lesson, part: str) -> None:
    """Redraw the curves while the network learns, and everything when it has ended or another part was opened."""
    if lesson.tuning.is_over or state.value(lesson.subject.part) != part:
        st.rerun()
    tuning = lesson.tuning
    st.progress(tuning.progress, text=_doing(tuning))
    st.button(_("Stop"), icon=":material/stop:", key="stop lesson", on_click=tuning.stop)
    _show_curves(tuning)


def place_in_words(place: Place) -> str:
    """Where something waits in the queue of the trainings."""
    if place.seconds is None:
        return _("Other trainings are running: number {position} in the queue").format(position=place.position)
    return _("Other trainings are running: number {position} in the queue, starts in about {time}").format(
        position=place.position, time=duration(place.seconds)
    )


def _doing(tuning: Tuning) -> str:
    if place := tuning.place:
        return place_in_words(place)
    fold = tuning.measurements[-1].fold if tuning.measurements else 0
    if not tuning.measurements:
        return _("First it is tested on the old digits")
    if fold:
        text = _("Part {number} of {count}: it learns without a few drawings, to be tested on them")
        return text.format(number=fold, count=tuning.num_folds)
    return _("It learns")


def _show_curves(tuning: Tuning) -> None:
    fold = tuning.measurements[-1].fold if tuning.measurements else 0
    st.html(charts.colour_key(COLOURS))
    st.vega_lite_chart(
        columns([measured for measured in tuning.measurements if measured.fold == fold]),
        spec(tuning.settings.steps),
        key="lesson curves",
        width="stretch",
    )


def columns(measurements: list[Measured]) -> dict[str, list[Any]]:
    """The accuracies by step and curve."""
    points = [
        (measured.step, score.accuracy, _(curve))
        for measured in measurements
        for curve, score in (
            (NEW, measured.held_back),
            (OWN, measured.trained_on),
            (OLD, measured.tested and measured.tested.overall),
        )
        if score is not None
    ]
    return {name: [point[place] for point in points] for place, name in enumerate(("step", "accuracy", "curve"))}


def spec(num_steps: int) -> dict[str, Any]:
    """The chart of ``columns``."""
    percentage = {"labelExpr": "format(100 * datum.value, '.4~f') + ' %'"}
    return {
        "height": 260,
        "mark": {"type": "line", "point": {"size": 40, "filled": True, "aria": False}, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": _("step"), "scale": {"domain": [0, num_steps]}},
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "title": _("read right"),
                "axis": percentage,
                "scale": {"zero": False, "domainMax": 1},
            },
            "color": {
                "field": "curve",
                "type": "nominal",
                "title": _("curve"),
                "legend": None,
                "scale": {"domain": [_(name) for name in COLOURS], "range": list(COLOURS.values())},
            },
        },
    }


def _show_end(lesson: Lesson) -> None:
    tuning, end = lesson.tuning, lesson.tuning.end
    if tuning.error:
        text = _("The network learned nothing: {reason}.").format(reason=tuning.error)
        st.error(escape_markdown(text), icon=":material/error:")
    elif end is None:
        st.caption(_("You stopped it before the end, so the network is as it was."))
    elif not isinstance(end, FineTuned):
        st.error(_("The weights grew without limit. Choose a smaller learning rate."), icon=":material/error:")
    else:
        taught = _(lesson.subject.taught).format(network=escape(tuning.source))
        st.html(f'<h2 class="inkling-end">{taught}</h2>')
        took = _("It took {time}.").format(time=duration(end.seconds))
        st.html(f"{gain(tuning, lesson.subject)}{forgetting(end)}<p><small>{took}</small></p>")
        _show_use(lesson)
        _show_curves(tuning)
        _show_before_and_after(lesson)


def gain(tuning: Tuning, subject: Subject) -> str:
    """What the network reads better than before, in HTML."""
    first = next(measured for measured in tuning.measurements if not measured.fold)
    end = tuning.end
    if not isinstance(end, FineTuned) or first.held_back is None or end.held_back is None:
        return f"<p>{_('No drawing was held back, so nobody knows how well it reads new ones.')}</p>"
    if tuning.num_folds:
        how = _(
            "With so few drawings, each was tested once: the network learned {count} times without some of them "
            "(cross-validation)."
        ).format(count=tuning.num_folds)
    else:
        how = _("These {count} drawings were held back: it did not learn from them.").format(count=end.held_back.total)
    said = _(subject.read_before_and_after).format(
        before=first.held_back.correct, total=end.held_back.total, after=end.held_back.correct
    )
    return f"<p><b>{said}</b> {how} {_expected(end.held_back)}</p>"


def _expected(score: Score) -> str:
    low, high = (round(100 * share) for share in score.interval)
    return _("For many more we would expect {low} to {high} %.").format(low=low, high=high)


def forgetting(end: FineTuned) -> str:
    """What the network reads worse than before, by digit, in HTML."""
    if end.before is None or end.after is None:
        return ""
    before, after = errors(end.before), errors(end.after)
    more = sum(after) - sum(before)
    text = _("Old digits: {before} right before, {after} after.")
    right = text.format(before=percent(end.before.overall.accuracy, 2), after=percent(end.after.overall.accuracy, 2))
    if more > 0:
        wrong = _("Of {total} test images, {count} more are wrong.")
    elif more < 0:
        wrong = _("Of {total} test images, {count} fewer are wrong.")
    else:
        wrong = _("Of {total} test images, as many are wrong as before.")
    wrong = wrong.format(total=number(end.after.overall.total), count=number(abs(more)))
    rows = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{count}</td>" for count in counts)}</tr>'
        for name, counts in ((_("before"), before), (_("after"), after))
    )
    heads = "".join(f'<th scope="col">{digit}</th>' for digit in range(len(before)))
    return (
        f"<p><b>{right}</b> {wrong}</p>"
        f'<table class="inkling-forgotten"><caption>{_("Test images read wrong, by digit")}</caption>'
        f'<thead><tr><th scope="col">{_("digit")}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def errors(scores: ScoresByClass) -> list[int]:
    """How many test images of each digit are read wrong."""
    return [score.total - score.correct for score in scores.by_class]


def _show_use(lesson: Lesson) -> None:
    if lesson.name in workspace().networks:
        text = _("It is kept as {name}. You find it on the Draw page and on My work.")
        st.caption(text.format(name=escape_markdown(lesson.name)))
    press = {"on_click": _draw_with, "args": (lesson,)}
    st.button(_("Draw with this network"), type="primary", icon=":material/draw:", key="draw with pupil", **press)
    if lesson.is_wanted:
        lesson.is_wanted = False
        st.switch_page(DRAW_PAGE)


def _draw_with(lesson: Lesson) -> None:
    try:
        keep(lesson)
        state.set_value("network", networks.upload_label(lesson.name))
        lesson.is_wanted = True
    except InklingError as error:
        report_error(error)


def keep(lesson: Lesson) -> None:
    """Keep the network that has learned in the workspace, once; raises ``InklingError`` if there is no room."""
    current = workspace()
    if lesson.name in current.networks or lesson.tuning.network is None:
        return
    if len(current.networks) >= MAX_UPLOADS:
        text = _("There is room for {count} uploaded networks. Delete one on the page My work.")
        raise InklingError(text.format(count=MAX_UPLOADS))
    lesson.name = free_name(lesson.subject.network_name, current.networks)
    current.add_network(lesson.name, lesson.tuning.network)


def _show_before_and_after(lesson: Lesson) -> None:
    tuning = lesson.tuning
    part = tuning.held_back if len(tuning.held_back) else tuning.trained_on
    records = lesson.records_of(part)
    if tuning.network is None or not records:
        return
    before, after = readings(tuning.start, records), readings(tuning.network, records)
    shown = [record for record in records if not before[record.key] == after[record.key] == record.label]
    st.html(f'<h2 class="inkling-end">{_("The same drawings before and after")}</h2>')
    if part is tuning.trained_on:
        st.caption(_("It has learned from these, so it should know them now."))
    title = _(lesson.subject.title)
    figures = (
        images.digit(
            collection.image(record),
            f"{before[record.key]} → <b>{after[record.key]}</b>",
            wrong=after[record.key] != record.label,
            title=title.format(label=record.label, before=before[record.key], after=after[record.key]),
        )
        for record in shown[:MAX_COMPARED]
    )
    others = len(records) - len(shown)
    if shown:
        st.html(images.digits(figures))
    if (more := len(shown) - MAX_COMPARED) > 0:
        st.caption(ngettext("and {count} more", "and {count} more", more).format(count=more))
    text = _("{count} of {total} drawings were read right before and after.")
    st.caption(text.format(count=others, total=len(records)) if others else "")
