"""Teach a network the hands of the class, as one hand is taught on the page My handwriting."""

from dataclasses import replace

from ui.handwriting.teaching import MY_HAND, show_teaching
from ui.store import ClassRecord, Donation
from ui.translation import N_

CLASS = replace(
    MY_HAND,
    part="class part",
    name=N_("taught class {code}"),
    too_few=N_("When there are {least} drawings, a network can learn from them here."),
    taught=N_("{network} was taught the hands of the class"),
    read_before_and_after=N_("New drawings of the same hands: {before} of {total} right before, {after} after."),
    title=N_("a {label}, read as {before} before and as {after} after"),
)


def show(collection: ClassRecord, donations: list[Donation]) -> None:
    """The settings and Start; then the curves, and what came of it."""
    subject = replace(CLASS, key=collection.code)
    show_teaching(subject, [donation.record for donation in donations])
