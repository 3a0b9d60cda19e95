"""``Study``: a sweep in Optuna's storage, what its trials found, and the winner.

Optuna is optional. Nothing imports this module before a sweep is made.
"""

import csv
import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from typing import Any

import numpy as np
import numpy.ma as ma
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, IntegrityError, ProgrammingError, SQLAlchemyError

from engine.checkpoint import load
from engine.checks import InklingError, shorten, shown
from engine.data.dataset import Dataset
from engine.metrics import evaluate
from engine.network import Network
from engine.sweep.claims import Claims
from engine.sweep.look import Look
from engine.sweep.plan import MEASURES, StorageError, Sweep

try:
    import optuna
    from optuna.exceptions import StorageInternalError
    from optuna.trial import FrozenTrial, TrialState
except ImportError:
    raise InklingError("a sweep needs the package optuna: pip install 'inkling[sweep]'") from None

DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)
MAX_ATTEMPTS = 5  # to make the tables, or to delete a study, while others write
DELETED = "the study is no longer in its storage"
SQLITE_SECONDS = 60.0  # that a process waits for others that write to the same file


optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise an ``InklingError`` in place of what the database says, and for a study that was deleted."""
    try:
        yield
    except DATABASE_ERRORS as error:
        cause = error.__cause__ or error
        reason = getattr(cause, "orig", None) or cause  # without SQL
        raise StorageError(f"the sweep's storage cannot be used now: {shorten(reason, 300)}") from error
    except KeyError as error:
        if not is_deleted(error):
            raise
        raise InklingError(DELETED) from error


def is_deleted(error: Exception) -> bool:
    """Whether this says that a study was deleted."""
    return isinstance(error, KeyError) and error.args == ("Record does not exist.",)  # Optuna's words


class Study:
    """A sweep by its name in a storage: ``sqlite:///FILE`` for one machine, ``postgresql://...`` for many."""

    def __init__(self, storage: "optuna.storages.RDBStorage", name: str) -> None:
        self.name, self.claims = name, Claims(storage.engine)
        self.storage = optuna.storages.get_storage(storage)
        try:
            self.id = self.storage.get_study_id_from_name(name)
        except KeyError:
            raise InklingError(f"this storage has no study {shown(name)}: begin it with the command sweep") from None
        attributes = self.storage.get_study_user_attrs(self.id)
        if "sweep" not in attributes:
            raise InklingError(f"the study {shown(name)} was not made by Inkling, or is not complete: choose another name")
        self._attributes = attributes
        self._importances: tuple[int, dict[str, float]] | None = None  # for so many complete trials
        self.sweep = Sweep.from_json(attributes["sweep"])

    @property
    def is_current(self) -> bool:
        """Whether the storage has it as when it was opened: it was neither deleted nor continued since."""
        try:
            now = self.attributes
        except KeyError:
            return False
        return all(now.get(name) == self._attributes[name] for name in ("started", "sweep"))

    def check_exists(self) -> None:
        """Raise ``InklingError`` if it was deleted: SQLite may have given its id to another study since."""
        try:
            exists = self.storage.get_study_id_from_name(self.name) == self.id
        except KeyError:
            exists = False
        if not exists:
            raise InklingError(DELETED)

    @property
    def optuna(self) -> "optuna.Study":
        """Optuna's own study, for its plots and its importances."""
        return self.sampled_by(None)

    def sampled_by(self, number: int | None) -> "optuna.Study":
        """Optuna's study as the trial of this number sees it: with a sampler of its own, so that no two draw the same."""
        sampler = None if number is None else make_sampler(self.sweep, number)
        pruner = make_pruner(self.sweep)
        return optuna.load_study(study_name=self.name, storage=self.storage, sampler=sampler, pruner=pruner)

    def trials(self, *states: "TrialState") -> "list[FrozenTrial]":
        """All trials, or those in these states, in order."""
        return self.storage.get_all_trials(self.id, deepcopy=False, states=states or None)

    @property
    def attributes(self) -> dict[str, Any]:
        """What is stored about it besides its trials."""
        return self.storage.get_study_user_attrs(self.id)

    def look(self) -> Look:
        """The study as it is now."""
        return Look(self.sweep, self.trials(), self.attributes)

    @property
    def is_over(self) -> bool:
        """Whether no trial is left to begin or to continue."""
        return self.look().is_over

    @property
    def is_late(self) -> bool:
        """Whether no other trial may begin: its minutes are over, or it was ended."""
        return Look(self.sweep, [], self.attributes).is_late

    def note_begin(self) -> None:
        """Count the minutes from now on, when the first trial begins: the sweep may have waited for its workers."""
        if self.attributes.get("begun_at") is None:
            self.storage.set_study_user_attr(self.id, "begun_at", time.time())

    @property
    def is_paused(self) -> bool:
        """Whether its workers are to stop; trials that are under way can be continued."""
        return bool(self.attributes.get("is_paused"))

    def pause(self) -> None:
        """Have all workers stop within a few seconds."""
        if not self.is_paused:
            self.storage.set_study_user_attr(self.id, "paused_at", time.time())
            self.storage.set_study_user_attr(self.id, "is_paused", True)

    def resume(self) -> None:
        """Let workers continue; the minutes go on from where they were."""
        attributes = self.attributes
        if attributes.get("is_paused"):
            if attributes.get("begun_at") is not None:
                begun = attributes["begun_at"] + time.time() - attributes["paused_at"]
                self.storage.set_study_user_attr(self.id, "begun_at", begun)
            self.storage.set_study_user_attr(self.id, "is_paused", False)

    def end(self) -> None:
        """Begin no other trial, and end those that are under way as if they were pruned."""
        self.storage.set_study_user_attr(self.id, "is_ended", True)
        for trial in self.trials(TrialState.RUNNING):
            self.end_trial(trial._trial_id)

    @property
    def is_ended(self) -> bool:
        """Whether ``end`` was called."""
        return bool(self.attributes.get("is_ended"))

    def end_trial(self, trial_id: int) -> None:
        """End a running trial as if it was pruned before its first epoch, unless its worker was quicker."""
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            self.storage.set_trial_state_values(trial_id, TrialState.PRUNED)
            self.claims.end(trial_id, keep_networks=False)

    def close(self) -> None:
        """Close the connections of this thread and those that are idle."""
        self.claims.engine.dispose()

    @property
    def best(self) -> "FrozenTrial | None":
        """The best of the complete trials; the first of those that are equal."""
        return self.look().best

    @property
    def winner(self) -> dict[str, Any] | None:
        """What ``measure_winner`` measured; None before that, and if another trial has become the best one since."""
        return self.look().winner

    def importances(self, look: Look) -> dict[str, float]:
        """The share of each setting in what distinguishes good trials from others (PED-ANOVA; Watanabe et al., 2023).

        The shares sum to 1, the largest first; empty if nothing can be said, as when all trials are equal. They are found
        once for the trials that are complete: it takes 0.3 s.
        """
        num_complete = len(look.in_state("COMPLETE"))
        if self._importances is None or self._importances[0] != num_complete:
            self._importances = num_complete, self._find_importances()
        return self._importances[1]

    def _find_importances(self) -> dict[str, float]:
        with warnings.catch_warnings(action="ignore"):  # Optuna calls it experimental
            try:
                evaluator = optuna.importance.PedAnovaImportanceEvaluator()
                varied = list(self.sweep.varied)
                return optuna.importance.get_param_importances(self.optuna, evaluator=evaluator, params=varied)
            except (ValueError, RuntimeError):
                return {}

    def networks(self, trial: "FrozenTrial") -> list[Network]:
        """The networks of a complete trial, one for each seed; of a pruned one, that of the first seed as it was then."""
        return [load(io.BytesIO(network)) for network in self.claims.networks(trial._trial_id)]

    @property
    def num_bytes(self) -> int:
        """How many bytes its networks take in the storage."""
        return self.claims.num_bytes([trial._trial_id for trial in self.trials()])

    def measure_winner(self, test_set: Dataset) -> dict[str, Any]:
        """Measure the networks of the best trial on the test images, once: the second time the stored figures come back.

        Returns ``trial`` (its number), ``accuracies`` and ``errors`` (one for each seed), and ``images``. Raises
        ``InklingError`` if no trial is complete.
        """
        if (best := self.best) is None:
            raise InklingError("no trial of this sweep is complete, so there is no winner")
        if (winner := self.winner) is None:
            if not (networks := self.networks(best)):
                raise InklingError(f"the storage has no network of the best trial, {best.number}: make the sweep anew")
            results = [evaluate(network, test_set) for network in networks]
            winner = {
                "trial": best.number,
                "accuracies": [result.accuracy for result in results],
                "errors": [result.errors for result in results],
                "images": len(test_set),
            }
            self.storage.set_study_user_attr(self.id, "winner", winner)
        return winner

    def cv_results(self) -> dict[str, Any]:
        """The complete trials as ``GridSearchCV.cv_results_`` has them; each seed counts as a split.

        The scores are greater for better trials: a loss is negative. They come from validation images; "test" is
        scikit-learn's word.
        """
        trials = self.trials(TrialState.COMPLETE)
        sign = 1 if MEASURES[self.sweep.measure].greater_is_better else -1
        scores = sign * np.array([trial.user_attrs["values"] for trial in trials]).reshape(len(trials), self.sweep.num_seeds)
        means = scores.mean(axis=1)
        seconds = np.array([trial.user_attrs["seconds"] for trial in trials])
        results: dict[str, Any] = {"mean_fit_time": seconds / self.sweep.num_seeds}
        for name in self.sweep.search:
            values = np.array([trial.params[name] for trial in trials], object)
            results[f"param_{name}"] = ma.masked_array(values, np.zeros(len(trials), bool))
        results["params"] = [dict(trial.params) for trial in trials]
        results |= {f"split{position}_test_score": column for position, column in enumerate(scores.T)}
        results |= {"mean_test_score": means, "std_test_score": scores.std(axis=1), "rank_test_score": _ranks(-means)}
        return results

    def to_csv(self) -> str:
        """A line for each trial, complete or not, and a heading."""
        file = io.StringIO()
        names = list(self.sweep.search)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "state", self.sweep.measure, "epochs", "seconds", "diverged", "error", *names])
        for trial in self.trials():
            value = trial.values[0] if trial.values else ""
            others = [trial.user_attrs.get(name, "") for name in ("epochs", "seconds", "diverged", "error")]
            writer.writerow(
                [trial.number, trial.state.name.lower(), value, *others, *(trial.params.get(n, "") for n in names)]
            )
        return file.getvalue()


def list_studies(url: str) -> dict[str, dict[str, Any]]:
    """The attributes of each sweep in a storage by name, the newest first; raises ``InklingError`` if it cannot be used."""
    rdb = _open_storage(url)
    try:
        studies = rdb.get_all_studies()
    finally:
        rdb.remove_session()
        rdb.engine.dispose()
    return {study.study_name: study.user_attrs for study in reversed(studies) if "sweep" in study.user_attrs}


def open_study(url: str, name: str) -> Study:
    """The study of this name; raises ``InklingError`` if there is none, or the storage cannot be used."""
    return Study(_open_storage(url), name)


def delete_study(url: str, name: str) -> None:
    """Delete a study with all its trials and networks, also one that cannot be opened here, as one of another version."""
    rdb = _open_storage(url)
    try:
        with suppress(KeyError):  # it is deleted, perhaps by another one, who was quicker
            for _attempt in range(MAX_ATTEMPTS):
                study_id = rdb.get_study_id_from_name(name)
                rdb.set_study_user_attr(study_id, "is_ended", True)
                for trial in rdb.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,)):
                    with suppress(optuna.exceptions.UpdateFinishedTrialError):
                        rdb.set_trial_state_values(trial._trial_id, TrialState.FAIL)  # its worker reports nothing more
                rdb.delete_study(study_id)  # does nothing, and does not say so, while a worker reports
            rdb.get_study_id_from_name(name)
            raise StorageError(f"the study {shown(name)} cannot be deleted now: its workers still write to it")
        Claims(rdb.engine).forget_deleted()
    finally:
        rdb.remove_session()
        rdb.engine.dispose()


def make_study(url: str, name: str, sweep: Sweep, train_set: Dataset, **attributes: Any) -> Study:
    """The study of this name: a new one, or the one that is there if it does the same as ``sweep``.

    A study that is there can get more trials and minutes. ``attributes`` are JSON values to store with it. Raises
    ``InklingError`` if it does something else, and if ``train_set`` leaves no images for validation.
    """
    sweep.check_data(train_set)
    rdb = _open_storage(url)
    Claims(rdb.engine).forget_deleted()
    try:
        study_id = rdb.create_new_study([_direction(sweep)], name)
        rdb.set_study_user_attr(study_id, "begun", sweep.to_json())
    except optuna.exceptions.DuplicatedStudyError:
        study_id = rdb.get_study_id_from_name(name)
    stored = rdb.get_study_user_attrs(study_id)
    before = stored.get("sweep", stored.get("begun"))
    if before is None:
        raise InklingError(f"the study {shown(name)} was not made by Inkling: choose another name")
    free = {"trials": sweep.trials, "minutes": sweep.minutes}
    if before | free != _as_stored(sweep):
        raise InklingError(f"the study {shown(name)} has other settings: choose another name for this sweep")
    data = train_set.fingerprint()
    if stored.get("data", data)["sha256"] != data["sha256"]:
        raise InklingError(f"the study {shown(name)} began with other data than {sweep.data} has now: choose another name")
    combinations = _combinations(sweep) if sweep.sampler == "grid" else [{}] * sweep.trials
    optuna_study = optuna.load_study(study_name=name, storage=rdb)
    for parameters in combinations[len(rdb.get_all_trials(study_id, deepcopy=False)) :]:
        optuna_study.enqueue_trial(parameters)
    rdb.set_study_user_attr(study_id, "started", time.time())
    for key, value in {"data": data, "begun_at": None, "is_ended": False, "is_paused": False, **attributes}.items():
        rdb.set_study_user_attr(study_id, key, value)
    rdb.set_study_user_attr(study_id, "sweep", sweep.to_json())  # last: a study that has it is complete
    return Study(rdb, name)


def make_sampler(sweep: Sweep, number: int) -> "optuna.samplers.BaseSampler | None":
    """The sampler for one trial; None means Optuna's own choice.

    Its random numbers come from the trial's number: a random search is the same with any number of workers.
    """
    seeds = [sweep.sampler_seed, number]
    if sweep.sampler == "default":
        return None
    if sweep.sampler == "tpe":  # a constant liar: what others try at this moment counts as bad, so that workers spread out
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            return optuna.samplers.TPESampler(seed=_seed(seeds), multivariate=True, constant_liar=True)
    return _RandomSampler(seeds)  # a grid's trials have all their values already


class _RandomSampler(optuna.samplers.RandomSampler):
    """Random numbers for each setting of its own: what is drawn does not depend on what was drawn before a kill."""

    def __init__(self, seeds: list[int]) -> None:
        super().__init__()
        self.seeds = seeds

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        sampler = optuna.samplers.RandomSampler(_seed([*self.seeds, *param_name.encode()]))
        return sampler.sample_independent(study, trial, param_name, param_distribution)


def _seed(seeds: list[int]) -> int:
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])


def make_pruner(sweep: Sweep) -> "optuna.pruners.BasePruner":
    """The pruner; it looks at the validation measure after each epoch of a trial's first seed."""
    if sweep.pruner == "median":
        return optuna.pruners.MedianPruner()
    if sweep.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=sweep.max_epochs)
    return optuna.pruners.NopPruner()


def _direction(sweep: Sweep) -> "optuna.study.StudyDirection":
    return optuna.study.StudyDirection[MEASURES[sweep.measure].direction.upper()]


def _combinations(sweep: Sweep) -> list[dict[str, Any]]:
    """The first ``num_trials`` combinations of a grid, in an order drawn from the sampler's seed."""
    grids = [dimension.grid() for dimension in sweep.search.values()]
    combinations = [dict(zip(sweep.search, values, strict=True)) for values in product(*grids)]
    order = np.random.default_rng(sweep.sampler_seed).permutation(len(combinations))
    return [combinations[position] for position in order[: sweep.num_trials]]


def _as_stored(sweep: Sweep) -> dict[str, Any]:
    """The sweep as it comes back from JSON, where tuples are lists."""
    return Sweep.from_json(sweep.to_json()).to_json()


def _open_storage(url: str) -> "optuna.storages.RDBStorage":
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        parsed = None
    if parsed is not None and parsed.drivername == "postgres":
        parsed = parsed.set(drivername="postgresql")
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        got = "something else" if parsed is None else _place(parsed)
        raise StorageError(f"the storage must be sqlite:///FILE or postgresql://user:password@host/database, got {got}")
    options: dict[str, Any] = {"pool_pre_ping": True}
    if parsed.get_backend_name() == "sqlite":
        options = {"connect_args": {"timeout": SQLITE_SECONDS}}
    elif parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        return _with_tables(parsed.render_as_string(hide_password=False), options)
    except ImportError:
        raise InklingError("PostgreSQL needs another package: pip install 'inkling[postgresql]'") from None
    except Exception as error:  # the driver's, or Optuna's about tables of another version
        raise StorageError(f"the storage {_place(parsed)} cannot be used: {_reason(error, parsed)}") from None


def _with_tables(address: str, options: dict[str, Any]) -> "optuna.storages.RDBStorage":
    """The storage, with its tables, which other processes may be making at the same time: then PostgreSQL refuses ours."""
    attempts = MAX_ATTEMPTS
    while True:
        attempts -= 1
        try:
            storage = optuna.storages.RDBStorage(address, engine_kwargs=options)
            Claims(storage.engine)
            return storage
        except (IntegrityError, ProgrammingError):
            if not attempts:
                raise


def _place(url: sa.URL) -> str:
    """The kind of a storage and the name of its database: the rest of its address is secret."""
    return f"{url.get_backend_name()}:///{url.database or ''}"


def _reason(error: Exception, url: sa.URL) -> str:
    """What the driver says, without what is secret in the address."""
    text = str(getattr(error, "orig", None) or error)  # without SQL
    for secret in filter(None, (url.password, *url.normalized_query.values())):
        for part in [secret] if isinstance(secret, str) else secret:
            text = text.replace(part, "...")
    return shorten(text, 300)


def _ranks(values: npt.NDArray) -> npt.NDArray[np.int32]:
    """The rank of each value, from 1; equal values have the same."""
    return np.searchsorted(np.sort(values), values).astype(np.int32) + 1
