"""``Worker``: takes trials of a study, one after another, trains them, and says what they gave.

Any number of workers may join a study, on any number of machines. One that is killed loses a few seconds of work: another
one, or itself when it is started again, continues the trial from the last state that was saved, bit for bit.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from statistics import mean
from threading import Event as Flag
from threading import Thread
from time import monotonic, sleep
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from engine.checkpoint import load_training, save, save_training
from engine.checks import InklingError, shorten
from engine.data.dataset import Dataset
from engine.sweep.claims import Claim, LostClaim, Result
from engine.sweep.search_space import configured
from engine.sweep.study import DATABASE_ERRORS, Study, is_deleted
from engine.training import Diverged, EpochEnd, Trainer

GRACE_SECONDS = 30.0  # of silence, after which a worker counts as gone
BEATS = 6  # in this time
ASK_SECONDS = 0.1  # between two questions whether to stop, while there is nothing to train
SAVE_SECONDS = 5.0  # between two saved states of a training

log = logging.getLogger(__name__)


class _Pruned(Exception):
    """The trial ends early, because it is worse than others or has diverged."""


class _Stopped(Exception):
    """The worker is to stop; the trial is saved."""


class _Signals(NamedTuple):
    """What the thread that beats says to the one that trains."""

    is_lost: Flag
    is_paused: Flag


class Worker:
    """Trains trials of ``study`` on ``train_set``. ``is_stopped`` is asked between two steps, and saves the trial.

    Raises ``InklingError`` if these are other data than those that the study began with.
    """

    def __init__(
        self,
        study: Study,
        train_set: Dataset,
        is_stopped: Callable[[], bool] = lambda: False,
        grace_seconds: float = GRACE_SECONDS,
        save_seconds: float = SAVE_SECONDS,
    ) -> None:
        self.study, self.sweep, self.claims = study, study.sweep, study.claims
        self.train_set, self.is_stopped = train_set, is_stopped
        self.grace_seconds, self.save_seconds = grace_seconds, save_seconds
        self.beat_seconds = min(grace_seconds, GRACE_SECONDS) / BEATS  # another worker's grace may be the usual one
        self._seen: dict[int, tuple[Claim, float]] = {}  # each claim, and when it was first seen like this
        began_with = study.attributes["data"]
        if train_set.fingerprint()["sha256"] != began_with["sha256"]:
            raise InklingError(f"the study {study.name} began with other data than {self.sweep.data} has here")

    def run(self) -> Iterator[FrozenTrial]:
        """Train until nothing is left to do, the study is paused or ``is_stopped``; yield each trial that it has ended."""
        while not self.is_stopped() and not self.study.is_paused:
            self.study.check_exists()
            trial_id = self._take()
            if trial_id is not None:
                try:
                    self._run_trial(trial_id)
                except _Stopped:
                    return
                except (LostClaim, optuna.exceptions.UpdateFinishedTrialError):  # another worker has it, or has ended it
                    continue
                yield self.study.storage.get_trial(trial_id)
            elif self.study.is_over:
                self._end_claims()
                return
            else:  # others work on what is left; one of them may fall silent
                self._wait()

    def _wait(self) -> None:
        until = monotonic() + self.beat_seconds
        while monotonic() < until and not self.is_stopped():
            sleep(ASK_SECONDS)

    def _take(self) -> int | None:
        """Claim a trial: one that was given up or whose worker is silent, or else the next one that waits."""
        claims = self._look()
        unfinished = self.study.trials(TrialState.RUNNING, TrialState.WAITING)
        for trial in unfinished:
            claim = claims.get(trial._trial_id)
            if claim is None or not self._is_abandoned(trial._trial_id, claim):
                continue
            if self.claims.take_over(trial._trial_id, claim) and self._begin(trial._trial_id):
                return trial._trial_id
        for trial_id in (trial._trial_id for trial in unfinished if trial._trial_id not in claims):
            if self.study.is_late:
                break
            if self.claims.take(trial_id) and self._begin(trial_id):
                return trial_id
        return None

    def _begin(self, trial_id: int) -> bool:
        """Mark a claimed trial as running; whether it is not over already, as it may be since it was listed."""
        state = self.study.storage.get_trial(trial_id).state
        if state.is_finished():
            self._end_claim(trial_id, state)
            return False
        if state == TrialState.WAITING:
            self.study.storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            if self.study.is_ended:  # just now, by somebody who did not see this trial running
                self.study.end_trial(trial_id)
                return False
            self.study.note_begin()
        return True

    def _end_claims(self) -> None:
        """End the claims on trials that are over: a worker may have been killed just before it did."""
        claims = self.claims.all()
        for trial in self.study.trials():
            if trial.state.is_finished() and trial._trial_id in claims:
                self._end_claim(trial._trial_id, trial.state)

    def _end_claim(self, trial_id: int, state: TrialState) -> None:
        self.claims.end(trial_id, keep_networks=state != TrialState.FAIL)

    def _look(self) -> dict[int, Claim]:
        """All claims, after noting which of them have changed."""
        claims, now = self.claims.all(), monotonic()
        before = self._seen
        self._seen = {
            trial_id: before[trial_id] if trial_id in before and before[trial_id][0] == claim else (claim, now)
            for trial_id, claim in claims.items()
        }
        return claims

    def _is_abandoned(self, trial_id: int, claim: Claim) -> bool:
        return not claim.owner or monotonic() - self._seen[trial_id][1] > self.grace_seconds

    @contextmanager
    def _heartbeat(self, trial_id: int) -> Iterator[_Signals]:
        """Say regularly that this worker lives, and see whether the study is paused, or the trial lost all the same."""
        is_over, signals = Flag(), _Signals(Flag(), Flag())

        def beat() -> None:
            while not is_over.wait(self.beat_seconds):
                try:
                    self.claims.beat(trial_id)
                    self._look()
                    if self.study.is_paused:
                        signals.is_paused.set()
                except LostClaim:
                    signals.is_lost.set()
                    return
                except Exception as error:  # the database may be back for the next beat
                    if is_deleted(error):
                        signals.is_lost.set()
                        return
                    log.warning("a heartbeat failed", exc_info=True)

        thread = Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield signals
        finally:
            is_over.set()
            thread.join()

    def _run_trial(self, trial_id: int) -> None:
        """Train a trial that this worker has claimed, and tell Optuna what it gave."""
        number = self.study.storage.get_trial(trial_id).number
        study = self.study.sampled_by(number)
        trial = optuna.trial.Trial(study, trial_id)
        value, state = None, TrialState.COMPLETE
        with self._heartbeat(trial_id) as signals:
            try:
                value = self._train_seeds(trial, signals)
            except _Pruned:
                state = TrialState.PRUNED
            except InklingError as error:  # a combination that cannot work
                trial.set_user_attr("error", str(error))
                state = TrialState.FAIL
            except (_Stopped, LostClaim, optuna.exceptions.UpdateFinishedTrialError, *DATABASE_ERRORS):
                raise
            except Exception as error:  # such as too little memory for this trial; the next one may work
                if is_deleted(error):
                    raise LostClaim from None
                log.warning("trial %d failed", number, exc_info=True)
                trial.set_user_attr("error", shorten(f"{type(error).__name__}: {error}", 300))
                state = TrialState.FAIL
            self.claims.beat(trial_id)  # raises if it is lost
        try:
            study.tell(number, value, state)
        except ValueError:  # another one has ended it in the meantime
            raise LostClaim from None
        self._end_claim(trial_id, state)

    def _train_seeds(self, trial: optuna.Trial, signals: _Signals) -> float:
        """The mean value of the trainings from all seeds."""
        chosen = {name: dimension.suggest(trial) for name, dimension in self.sweep.search.items()}
        config = configured(self.sweep.config, chosen).for_classes(len(self.train_set.class_names))
        results, training = self.claims.saved(trial._trial_id)
        for position in range(len(results), self.sweep.num_seeds):
            if training:
                trainer = load_training(BytesIO(training), self.train_set)
            else:
                trainer = Trainer.from_config(replace(config, seed=config.seed + position), self.train_set)
            self._train(trainer, trial, results, signals)
            training = None
            results.append(self._result(trainer))
            self.claims.save(trial._trial_id, results, network=_network_bytes(trainer, is_complete=True))
        _note(trial, results)
        return mean(result["value"] for result in results)

    def _train(self, trainer: Trainer, trial: optuna.Trial, results: list[Result], signals: _Signals) -> None:
        """Run a training to its end, and report the epochs of the first one for the pruner."""
        saved = monotonic()
        for event in trainer:
            if signals.is_lost.is_set():
                raise LostClaim
            if isinstance(event, Diverged):
                trial.set_user_attr("diverged", True)
            if isinstance(event, Diverged) or (
                isinstance(event, EpochEnd) and not results and self._is_pruned_after(event, trial)
            ):
                _note(trial, [*results, self._result(trainer)])
                if trainer.history:
                    self.claims.save(trial._trial_id, results, network=_network_bytes(trainer, is_complete=False))
                raise _Pruned
            is_stopped = self.is_stopped() or signals.is_paused.is_set()
            if is_stopped or monotonic() - saved > self.save_seconds:
                file, saved = BytesIO(), monotonic()
                save_training(file, trainer, compress=False)
                self.claims.save(trial._trial_id, results, file.getvalue())
            if is_stopped:
                self.claims.give_up(trial._trial_id)
                raise _Stopped

    def _is_pruned_after(self, event: EpochEnd, trial: optuna.Trial) -> bool:
        """Tell the pruner about an epoch; whether the trial is to end here."""
        reported = self.study.storage.get_trial(trial._trial_id).intermediate_values
        if event.epoch not in reported:  # else the worker that had the trial before has reported it
            trial.report(getattr(event, self.sweep.measure), event.epoch)
        return trial.should_prune()

    def _result(self, trainer: Trainer) -> Result:
        """What a training gave: the last epoch's network, or with early stopping the best one's."""
        epochs = len(trainer.history)
        result_epoch = trainer.best[1] if trainer.best else epochs
        value = getattr(trainer.history[result_epoch - 1], self.sweep.measure) if epochs else None
        return {"value": value, "epochs": epochs, "seconds": trainer.seconds}


def _note(trial: optuna.Trial, results: list[Result]) -> None:
    """Add to the trial what tables and charts show of its trainings."""
    trial.set_user_attr("values", [result["value"] for result in results])
    trial.set_user_attr("epochs", sum(result["epochs"] for result in results))
    trial.set_user_attr("seconds", round(sum(result["seconds"] for result in results), 3))


def _network_bytes(trainer: Trainer, is_complete: bool) -> bytes:
    """The result, and in its ``info`` what a viewer sees of the training."""
    training = {
        "history": [list(event) for event in trainer.history],
        "curve": trainer.curve.points().tolist(),
        "best_epoch": trainer.best[1] if trainer.best else None,
        "is_complete": is_complete,
    }
    file = BytesIO()
    save(file, trainer.result, training=training)
    return file.getvalue()
