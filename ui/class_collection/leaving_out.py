"""Leave one writer out: each hand is read by a network that has learned from all others. Results come hand by hand."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import streamlit as st

from engine import InklingError
from engine.data.collection import Collection, LabelledDrawing
from engine.finetuning import BATCH_SIZE, MEASUREMENTS, FineTuningSettings, training_config
from engine.jobs import LeavingOut
from engine.metrics import Score
from ui import collection as drawings_of_workspace
from ui import state
from ui.class_collection.visit import current
from ui.formatting import duration, escape_markdown
from ui.handwriting.teaching import LOOK_EVERY, old_digits, place_in_words
from ui.networks import Candidate
from ui.store import Donation
from ui.train.epoch_time import seconds_per_epoch
from ui.translation import _
from ui.visitor import workspace

LEAST = 5  # drawings of a hand, to be read
MAX_HANDS, MAX_SECONDS = 40, 600.0  # that are tested, and that this takes at most
SETTINGS = FineTuningSettings(steps=100, drawings=1_000, held_back=0)
STARTED = "started leaving out"  # whose Start was pressed: the collection's code


@dataclass
class Test:
    """A test under way or over, and what it began with."""

    work: LeavingOut
    code: str
    network: str  # its label
    num_drawings: Mapping[str, int]  # of each phone


@dataclass
class Plan:
    """Which hands are tested, and about how many seconds that takes; None if that is not known yet."""

    hands: list[str]
    seconds: float | None
    num_small: int  # hands that have too few drawings
    is_capped: bool  # whether there are more hands than can be tested


def make_plan(donations: list[Donation], seconds_each: float | None) -> Plan:
    """Test all hands that have enough drawings, or as many as there is time for, if one takes ``seconds_each``."""
    counts = Counter(donation.phone for donation in donations)
    hands = [phone for phone, count in counts.most_common() if count >= LEAST]
    most = min(MAX_HANDS, max(int(MAX_SECONDS / seconds_each), 2)) if seconds_each else MAX_HANDS
    seconds = None if seconds_each is None else seconds_each * min(len(hands), most)
    return Plan(hands[:most], seconds, len(counts) - len(hands), len(hands) > most)


def as_collection(donations: list[Donation]) -> Collection:
    """The drawings, with the phones as writers."""
    return Collection(
        tuple(
            LabelledDrawing(donation.record.label, drawings_of_workspace.image(donation.record), (), donation.phone)
            for donation in donations
        ),
        "class",
    )


def seconds_for_one_hand(candidate: Candidate, num_drawings: int) -> float | None:
    """About how long one hand takes on this machine; None if that is not known yet, and 0 if it cannot be measured."""
    num_trained = SETTINGS.steps * BATCH_SIZE
    num_read = (MEASUREMENTS + 1) * min(num_drawings, SETTINGS.drawings or num_drawings)
    config = training_config(candidate.network, SETTINGS)
    config = replace(config, train_size=num_trained + num_read, validation_size=num_read)
    return seconds_per_epoch(config, config.train_size, is_watched=workspace().is_watched)


def show(code: str, candidate: Candidate, donations: list[Donation], names: Mapping[str, str]) -> Test | None:
    """What this does, Start or Stop; return the test of this collection."""
    test = current().test
    test = test if test and test.code == code else None
    if test and not test.work.is_over:
        st.fragment(_watch, run_every=LOOK_EVERY)(test, names)
        return test
    st.markdown(
        _(
            "For each hand, the network learns from the hands of all others and then reads this one. So it reads a hand "
            "that it has never seen."
        )
    )
    _show_start(code, candidate, donations)
    if test and test.work.error:
        st.error(escape_markdown(_("The test has ended early: {error}.").format(error=test.work.error)))
    return test


def _show_start(code: str, candidate: Candidate, donations: list[Donation]) -> None:
    plan = make_plan(donations, seconds_for_one_hand(candidate, len(donations)))
    if not plan.hands or all(donation.phone == plan.hands[0] for donation in donations):
        st.info(_("This needs two hands, one of them with {least} drawings.").format(least=LEAST))
        return
    known = plan.seconds is not None
    press = {"on_click": state.set_value, "args": (STARTED, code), "disabled": not known}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="start leaving out", **press)
        st.markdown(_how_long(plan), width="content")
    notes = []
    if plan.is_capped:
        notes.append(
            _("Only the {count} hands with the most drawings are tested, so that this ends in time.").format(
                count=len(plan.hands)
            )
        )
    if plan.num_small:
        notes.append(
            _("Hands with fewer than {least} drawings are not tested; the network learns from them.").format(least=LEAST)
        )
    if notes:
        st.caption(" ".join(notes))
    if state.value(STARTED) == code and known:
        state.set_value(STARTED, "")
        _start(code, candidate, donations, plan)
        st.rerun()


def _how_long(plan: Plan) -> str:
    if plan.seconds is None:
        return _("{count} hands. The page measures how long this takes …").format(count=len(plan.hands))
    if not plan.seconds:
        return _("{count} hands.").format(count=len(plan.hands))
    return _("{count} hands, which takes about {time}.").format(count=len(plan.hands), time=duration(plan.seconds))


def _start(code: str, candidate: Candidate, donations: list[Donation], plan: Plan) -> None:
    owner = workspace()
    # not in the order in which they came, which would tell who is who
    hands = np.random.default_rng(crc32(code.encode())).permutation(sorted(plan.hands)).tolist()
    try:
        work = LeavingOut(
            candidate.network,
            as_collection(donations),
            hands,
            SETTINGS,
            old_digits()[0],
            visitor=owner.id,
            is_watched=owner.is_watched,
        )
        if earlier := current().test:  # of another class: nobody could stop it any more
            earlier.work.stop()
        current().test = Test(work, code, candidate.label, Counter(donation.phone for donation in donations))
    except InklingError as error:
        state.report_error(error)


def _watch(test: Test, names: Mapping[str, str]) -> None:
    """Progress and Stop, while it goes on."""
    if test.work.is_over:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(test.work.progress, text=escape_markdown(_doing(test.work, names)))
        st.button(_("Stop"), icon=":material/stop:", key="stop leaving out", on_click=test.work.stop)


def _doing(work: LeavingOut, names: Mapping[str, str]) -> str:
    if place := work.place:
        return place_in_words(place)
    number = min(len(work.tested) + len(work.diverged) + 1, len(work.writers))
    if name := names.get(work.writer):
        return _("Hand {number} of {count}: the network learns from all others than {name}").format(
            number=number, count=len(work.writers), name=name
        )
    return _("Hand {number} of {count}: the network learns from all others").format(number=number, count=len(work.writers))


def measured_on(test: Test, donations: list[Donation]) -> str:
    """What the results were measured on, in sentences; to be escaped."""
    work = test.work
    others = min(sum(test.num_drawings.values()), work.settings.drawings or 0)
    sentences = [
        _("Measured with {network}, on {count} of {total} hands.").format(
            network=test.network, count=len(work.tested), total=len(work.writers)
        ),
        _(
            "Each time it learned in {steps} steps from at most {drawings} drawings of all others, mixed with {rehearsal} % "
            "of old digits. Each hand was read once, with all drawings that it had given."
        ).format(steps=work.settings.steps, drawings=others, rehearsal=work.settings.rehearsal),
    ]
    if work.diverged:
        sentences.append(_("{count} hands are missing: the weights grew without limit.").format(count=len(work.diverged)))
    if Counter(donation.phone for donation in donations) != test.num_drawings:
        sentences.append(_("Since then the collection has changed."))
    return " ".join(sentences)


def results(test: Test, donations: list[Donation]) -> dict[str, tuple[Score, Score]]:
    """The scores of each phone before and after, of those who have not taken their drawings back."""
    phones = {donation.phone for donation in donations}
    return {result.writer: (result.before, result.after) for result in test.work.tested if result.writer in phones}
