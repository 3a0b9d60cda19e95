"""Run control: start, pause, step, stop, reset and speed, and what can be changed in the middle of a training."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from engine import InklingError
from engine.config import CHANGEABLE, Config
from engine.jobs import JobState, Series, Snapshot, TrainingOver
from engine.network import num_parameters
from ui import current_drawing, datasets, glossary, runs
from ui.formatting import SETTINGS, duration, escape_markdown, is_short, number
from ui.run import Run
from ui.state import keep, report_error, session, set_value, value
from ui.train import race
from ui.train.config_form import Choice
from ui.train.epoch_time import num_batches, seconds_per_epoch
from ui.train.setting_widget import from_widget, setting_widget
from ui.translation import N_, _
from ui.visitor import workspace

RESPONSE_SECONDS = 0.2  # that a click waits for what it asks for, so that the page shows it at once
FULL_SPEED = 0.0
SPEEDS = {1.0: N_("1 batch/s"), 5.0: N_("5 batches/s"), 20.0: N_("20 batches/s"), FULL_SPEED: N_("Full speed")}
MAX_SEEN_SPEED = 5.0  # batches a second, up to which the page shows each of them
MEASURING_SECONDS = 0.4  # between two looks whether the time of an epoch has been measured


def controls(choice: Choice, run: Run | None) -> None:
    """The buttons, for the ``run`` that has not ended yet, if any."""
    config = choice.config
    start = batch = epoch = False
    bar = st.container(horizontal=True, gap="small", vertical_alignment="center", key="play bar")
    with bar.container(horizontal=True, gap="small", key="controls"):
        if run is None:
            start = _button(N_("Start"), "play_arrow", "S", type="primary", disabled=config is None)
            batch = _button(N_("1 batch"), "skip_next", "B", disabled=config is None)
            epoch = _button(N_("1 epoch"), "fast_forward", "E", disabled=config is None)
            ending = True
        else:
            snapshot = run.snapshot()
            going = _going(run)
            ending = all(each.state is JobState.TESTING and each.series.num_seeds == 1 for each in going)
            if all(each.state is JobState.PAUSED for each in going):
                _button(N_("Resume"), "resume", "S", _advance, run, Series.resume, type="primary")
            else:
                _button(N_("Pause"), "pause", "S", _advance, run, Series.pause, type="primary", disabled=ending)
            _button("1 batch", "skip_next", "B", _advance, run, Series.step, disabled=ending)
            _button("1 epoch", "fast_forward", "E", _advance, run, Series.step_epoch, disabled=ending)
        # No shortcuts: a key that is hit by accident must not end a training.
        _button(N_("Stop"), "stop", None, _stop, run, disabled=ending)
        _button(N_("Reset"), "replay", None, _reset, run, disabled=run is None)
    with bar:
        _speed_box(run)
    if run is not None:
        _changeable_settings(run, snapshot)
        for _place in range(2):  # what stands here before a run goes at once, as the boxes do below
            st.empty()
        return
    st.empty()
    if config is None:
        st.caption(_("Can't start: fix the error in the settings."))
        return
    measured = _seconds_per_epoch(config, choice.source) is not None
    st.fragment(_estimate, run_every=None if measured else MEASURING_SECONDS)(config, choice.source, measured)
    if start or batch or epoch:  # not in a callback: a download shows its progress bar in this place
        try:
            started = runs.start_run(config, choice.source, choice.num_seeds, choice.start, not start, _speed())
        except InklingError as error:
            report_error(error)
        else:
            session().error = None
            follow_drawing(started)
            if not start:
                _advance(started, Series.step if batch else Series.step_epoch)
        st.rerun()


def _button(label: str, icon: str, shortcut: str | None, action: Callable | None = None, *args: Any, **look: Any) -> bool:
    return st.button(
        _(label),
        key=label,  # a key for each label: a late click on Pause must not become one on Resume
        icon=f":material/{icon}:",
        shortcut=shortcut,
        on_click=action,
        args=args,
        width="stretch",
        **look,
    )


def _advance(run: Run, request: Callable[[Series], None]) -> None:
    """Ask for something that ends in a pause, or for going on."""
    for each in _act(run, request):
        each.series.wait_until_still(0 if request is Series.resume else RESPONSE_SECONDS)


def _stop(run: Run) -> None:
    session().error = None  # it may have said that the run has to be stopped first
    for each in _act(run, Series.stop):
        each.series.wait_until_over(RESPONSE_SECONDS)


def _act(run: Run, request: Callable[[Series], object]) -> list[Run]:
    """Ask the run for something, and the one that it races against; return both."""
    going = _going(run)
    for each in going:
        try:
            workspace().claim(each)
            request(each.series)
        except InklingError as error:
            report_error(error)
    return going


def _going(run: Run) -> list[Run]:
    """The trainings that the buttons act on: the run, and the one that it races against if that is not over."""
    return [each for each in race.racing(run) if not each.series.is_over]


def _speed_box(run: Run | None) -> None:
    """How fast to train: slow motion shows each batch."""
    if run and (run.series.speed or FULL_SPEED) != value("speed", FULL_SPEED):  # another tab has changed it
        set_value("speed", run.series.speed or FULL_SPEED)
    st.selectbox(
        _("Speed"),
        list(SPEEDS),
        format_func=lambda speed: _(SPEEDS[speed]),
        label_visibility="collapsed",
        filter_mode=None,
        width=150,
        on_change=_change_speed,
        args=(run,),
        **keep("speed", FULL_SPEED),
    )


def _speed() -> float | None:
    """The speed that is chosen, as ``Series.set_speed`` takes it."""
    return value("speed", FULL_SPEED) or None


def _change_speed(run: Run | None) -> None:
    if run:
        _act(run, lambda series: series.set_speed(_speed()))


def refresh_seconds(run: Run) -> float:
    """Seconds between two looks at a run that moves: in slow motion, so few that each batch is seen."""
    speed = run.series.speed
    return min(session().refresh_seconds, 1 / speed) if speed and speed <= MAX_SEEN_SPEED else session().refresh_seconds


def _reset(run: Run) -> None:
    for each in race.racing(run):
        try:
            runs.reset(each)
        except InklingError as error:
            report_error(error)
    follow_drawing(runs.active_run())


def follow_drawing(run: Run | None) -> None:
    """Have the run record its predictions of the current drawing."""
    drawing = current_drawing.current_image()  # in any case: it takes in what the Draw page has reported last
    if run is not None and not run.series.is_over:
        image = current_drawing.network_input(drawing)
        if image is not None:
            run.series.follow(image)


def _changeable_settings(run: Run, snapshot: Snapshot) -> None:
    """The settings that can be changed in the middle of a training, in force from its next step on."""
    if run.series.num_seeds > 1:  # its seeds are compared with the same settings
        st.empty()
        return
    used = _("A change is used from the next step on, and the curves show it.")
    with st.container(horizontal=True, gap="small", key="changeable"):
        st.markdown(_("This run: **{run}**").format(run=escape_markdown(run.name)))
        for name in CHANGEABLE:
            if SETTINGS[name].applies(vars(snapshot.config)):
                key = f"{run.key} {name}"
                setting_widget(
                    SETTINGS[name],
                    key,
                    getattr(snapshot.config, name),
                    others=[getattr(run.config, name)],
                    on_change=_change,
                    args=(run, name, key),
                    disabled=snapshot.state is JobState.TESTING,
                    help=f"{_(SETTINGS[name].help)} {used}",
                )


def _change(run: Run, name: str, key: str) -> None:
    try:
        workspace().claim(run)
        run.series.change(**{name: from_widget(st.session_state[key])})
        run.series.wait_for_changes(RESPONSE_SECONDS)
    except TrainingOver:
        pass  # Stop was faster: a box reports what was typed when another control is clicked
    except InklingError as error:
        report_error(error)


def _estimate(config: Config, source: str, was_measured: bool) -> None:
    """The size of the network and the time of an epoch; redraws the page as soon as that was measured."""
    size = _("{count} parameters").format(count=number(num_parameters(config.layers)))
    seconds = _seconds_per_epoch(config, source)
    if seconds is not None and not was_measured:
        st.rerun()  # the fragment is then drawn without a timer
    if seconds:
        text = _("**{duration}** per epoch here") if is_short(seconds) else _("about **{duration}** per epoch here")
        size += " · " + text.format(duration=duration(seconds))
    elif seconds is None:
        size += " · " + _("measuring the speed …")
    st.caption(glossary.explain(size), unsafe_allow_html=True)


def _seconds_per_epoch(config: Config, source: str) -> float | None:
    """As ``epoch_time`` gives it: None until it was measured, 0 if it cannot be."""
    try:
        same_data = [run for run in runs.all_runs() if run.source == source]
        num_images, speed = datasets.num_train_images(source), _speed()
        seconds = seconds_per_epoch(config, num_images, same_data, workspace().is_watched)
        return max(seconds, num_batches(config, num_images) / speed) if seconds and speed else seconds
    except InklingError:  # settings that do not fit the data: Start shows the error
        return 0.0
