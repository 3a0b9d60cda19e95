"""``Sweep``: what a sweep searches, with which sampler, pruner, measure and budget, checked once and stored as JSON."""

import os
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, Self

from engine.checks import InklingError, check_choice, shown
from engine.config import Config
from engine.data.dataset import Dataset
from engine.files import data_folder
from engine.network import num_parameters
from engine.recipes import RECIPES
from engine.setting_fields import Choice, Integer, Number, check_settings, current_names, setting, settings_of
from engine.sweep.search_space import DENSE_SETTINGS, Dimension, configured, read_dimension

STORAGE_VARIABLE = "INKLING_SWEEPS"  # the address of Optuna's storage
STORAGE_FILE = "inkling-sweeps.sqlite3"  # in the folder for the data of programs, if no other place is named
MAX_TRIALS = 10_000


class StorageError(InklingError):
    """The storage cannot be used. The message is for those who chose the storage, not for visitors."""


def default_storage() -> str:
    """Where sweeps are kept if no other place is named; the app keeps its own there, too, unless its store is elsewhere."""
    if url := os.environ.get(STORAGE_VARIABLE):
        return url
    try:
        data_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InklingError(f"{data_folder()} cannot be made: {error.strerror}; name a --storage") from None
    path = str(data_folder() / STORAGE_FILE)
    return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"


class Named(NamedTuple):
    """An entry of a registry that only has a name for people."""

    label: str


class Measure(NamedTuple):
    """What a trial is measured by: a field of ``EpochEnd``, and whether more of it is better."""

    label: str
    greater_is_better: bool

    @property
    def direction(self) -> str:
        return "maximize" if self.greater_is_better else "minimize"


SAMPLERS = {
    "default": Named("Optuna's own choice"),
    "random": Named("Random"),
    "tpe": Named("TPE: near what was good"),  # Bergstra et al., 2011
    "grid": Named("Grid: every combination"),
}
PRUNERS = {
    "none": Named("None"),
    "median": Named("Median: worse than half of the others"),
    "hyperband": Named("Hyperband"),  # Li et al., 2018
}
MEASURES = {
    "validation_loss": Measure("Validation loss", greater_is_better=False),
    "validation_accuracy": Measure("Validation accuracy", greater_is_better=True),
}


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep searches: all but what."""

    trials: int = setting("Trials", "How many combinations are tried at most.", Integer(1, MAX_TRIALS), default=40)
    minutes: float | None = setting(
        "Minutes",
        "So many minutes after the first trial began, no other one begins.",
        Number(0, 100_000, open_low=True),
        default=None,
        usual=(5.0, 15.0, 60.0),
        none="no limit",
    )
    sampler: str = setting("Sampler", "The rule that chooses the next combination.", Choice(SAMPLERS), default="default")
    pruner: str = setting(
        "Pruning", "The rule that ends a trial early that is much worse than the others.", Choice(PRUNERS), default="none"
    )
    measure: str = setting(
        "Measure",
        "What makes a trial better than another, on the validation images.",
        Choice(MEASURES),
        default="validation_loss",
    )
    num_seeds: int = setting(
        "Seeds",
        "Each combination is trained from so many seeds, and counts with the mean.",
        Integer(1, 100),
        default=1,
        old_names=("seeds",),
    )
    sampler_seed: int = setting(
        "Sampler's seed", "The start of the sampler's random numbers.", Integer(0, 2**32 - 1), default=0
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class Sweep(SweepSettings):
    """A search for the best settings. What ``search`` does not name is as in ``config``."""

    search: Mapping[str, Dimension]
    config: Config = field(default_factory=Config)
    data: str = "mnist"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.search:
            raise InklingError("a sweep must search at least one setting, got none")
        if "layers" in self.search and self.search.keys() & DENSE_SETTINGS.keys():
            raise InklingError(f"layers describe the whole network: do not search {', '.join(DENSE_SETTINGS)} beside them")
        searched_sizes = self.search["validation_size"].values() if "validation_size" in self.search else []
        if 0 in (searched_sizes or [self.config.validation_size]):
            raise InklingError("a sweep chooses by the validation images: validation_size must not be 0")
        for name, dimension in self.search.items():
            for value in dimension.values():
                configured(self.config, {name: value})

    @property
    def num_trials(self) -> int:
        """How many trials there are: a grid has no more than it has combinations."""
        combinations = prod(len(dimension.grid()) for dimension in self.search.values())
        return min(self.trials, combinations) if self.sampler == "grid" else self.trials

    @property
    def varied(self) -> dict[str, Dimension]:
        """What is searched, without the settings that have one value only."""
        return {name: dimension for name, dimension in self.search.items() if len(dimension.values()) > 1}

    @property
    def max_epochs(self) -> int:
        """How many epochs the longest trial has."""
        return max(self.search["epochs"].values()) if "epochs" in self.search else self.config.epochs

    def config_of(self, parameters: Mapping[str, Any]) -> Config:
        """The configuration of the trial with these parameters of Optuna's; raises ``KeyError`` if some are missing."""
        return configured(self.config, {name: d.chosen(parameters[name]) for name, d in self.search.items()})

    def training_bytes(self) -> int:
        """About how many bytes a training of the largest network needs: of each setting, the value that needs most."""
        return self._largest().training_bytes()

    def network_bytes(self) -> int:
        """About how many bytes the networks of all trials take when they are stored."""
        config = self._largest()
        size = num_parameters(config.layers, config.input_shape)
        return 4 * size * self.num_trials * self.num_seeds

    def _largest(self) -> Config:
        config, chosen = self.config, {}
        for name, dimension in self.search.items():
            for value in dimension.values():
                with suppress(InklingError):  # a combination that cannot work: its trial fails
                    other = configured(self.config, chosen | {name: value})
                    if name not in chosen or other.training_bytes() > config.training_bytes():
                        config, chosen = other, chosen | {name: value}
        return config

    def check_data(self, train_set: Dataset) -> None:
        """Raise ``InklingError`` if too few images are left for validation."""
        if not self.config.num_validation(min(len(train_set), self.config.train_size)):
            raise InklingError(f"a sweep chooses by the validation images, and {len(train_set):,} images leave none")

    def to_json(self) -> dict[str, Any]:
        """The sweep as plain JSON values."""
        settings = {name: getattr(self, name) for name in settings_of(SweepSettings)}
        search = {name: dimension.to_text() for name, dimension in self.search.items()}
        return settings | {"search": search, "config": self.config.to_json(), "data": self.data}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The sweep that ``to_json`` wrote; raises ``InklingError`` for anything else."""
        if not isinstance(value, dict) or not isinstance(value.get("search"), dict):
            raise InklingError(f"a sweep must be a JSON object with what is searched, got {shown(value)}")
        value = dict(value)
        search = {name: read_dimension(name, text) for name, text in value.pop("search").items()}
        return cls(search=search, config=Config.from_json(value.pop("config", {})), **_known(value, cls, {"data"}))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """The sweep in a table, as a file or the command line gives it; raises ``InklingError`` for what is not allowed.

        It has the settings of a sweep, ``data``, ``recipe``, and two tables: ``settings`` stay as they are, and ``search``
        has a range or a list for each setting that is searched.
        """
        table = dict(table)
        searched, given, recipe = table.pop("search", {}), table.pop("settings", {}), table.pop("recipe", None)
        if not isinstance(searched, dict) or not isinstance(given, dict):
            raise InklingError('[search] and [settings] must be tables, as in [search] and learning_rate = "1e-4..1e-1:log"')
        if DENSE_SETTINGS.keys() & searched.keys():  # they make the layers together
            searched = searched | {name: [given[name]] for name in DENSE_SETTINGS if name in given and name not in searched}
            given = {name: value for name, value in given.items() if name not in DENSE_SETTINGS}
        search = {name: read_dimension(name, values) for name, values in searched.items()}
        search = {dimension.name: dimension for dimension in search.values()}
        return cls(search=search, config=_starting_config(recipe, given, search), **_known(table, cls, {"data"}))


def read_file(text: str) -> dict[str, Any]:
    """The table in a sweep's TOML file, for ``Sweep.from_table``; raises ``InklingError`` if it is not TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # the former also for numbers of thousands of digits
        raise InklingError(f"a sweep's file must be TOML: {error}") from None


def _starting_config(recipe: Any, given: Mapping[str, Any], searched: Mapping[str, Dimension]) -> Config:
    """The configuration of a recipe, or the default, with the settings that are given as values or as texts."""
    if recipe is not None:
        check_choice("recipe", recipe, RECIPES)
    base = RECIPES[recipe].config if recipe else Config()
    settings = settings_of(Config) | DENSE_SETTINGS
    values = {
        name: settings[name].from_text(name, value) if isinstance(value, str) else settings[name].check(name, value)
        for name, value in _known(given, Config, DENSE_SETTINGS).items()
    }
    replaced = DENSE_SETTINGS.keys() & {*given, *searched}
    if replaced and ("layers" in given or base.layers != Config().layers):
        what = f"the layers of the recipe {recipe}" if recipe else "layers"
        raise InklingError(f"{', '.join(sorted(replaced))} would replace {what}: leave one of them out")
    return configured(base, values)


def _known(values: Mapping[str, Any], cls: type, others: Collection[str]) -> dict[str, Any]:
    """``values`` with today's names if they are settings of ``cls`` or ``others``; raises ``InklingError`` otherwise."""
    values = current_names(cls, values)
    unknown = values.keys() - settings_of(cls).keys() - set(others)
    if unknown:
        what = "a sweep" if cls is not Config else "a training"
        raise InklingError(f"{what} has no {shown(sorted(unknown))}; settings of the trainings belong under [settings]")
    return values
