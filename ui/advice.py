"""What ``engine.diagnosis`` finds in a run, in the visitor's language."""

from weakref import WeakKeyDictionary

from engine import InklingError
from engine.diagnosis import Diagnosis, Examination, diagnose, examine
from engine.jobs import Series, Snapshot
from ui.translation import _

_examined: WeakKeyDictionary[Snapshot, Examination] = WeakKeyDictionary()


def in_words(diagnosis: Diagnosis) -> str:
    """What is wrong, the evidence, and one thing to try: a paragraph."""
    return " ".join(sentences(diagnosis))


def sentences(diagnosis: Diagnosis) -> tuple[str, str, str]:
    """What is wrong, the evidence, and one thing to try."""
    title, evidence, advice = (
        _(text).format(**diagnosis.values) for text in (diagnosis.title, diagnosis.evidence, diagnosis.advice)
    )
    return title, evidence, advice


def findings(series: Series, snapshot: Snapshot) -> list[Diagnosis]:
    """What is wrong with one of a series' trainings, the most likely cause first. Once it is over, its data count, too."""
    if snapshot.is_over and snapshot.step and snapshot not in _examined:
        try:
            _examined[snapshot] = examine(snapshot.network, snapshot.config, *series.data())
        except InklingError:  # the data are not on this server any more
            return diagnose(snapshot)
    return diagnose(snapshot, _examined.get(snapshot))
