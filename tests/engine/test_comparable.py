"""Dataclasses that hold arrays can be compared: by identity, because ``==`` on arrays has no single answer."""

import dataclasses
import importlib
import pkgutil
import typing

import numpy as np
import pytest

import engine
from engine.data import Dataset
from engine.metrics import Evaluation, Mistake

SKIPPED = {"engine.__main__", "engine.sklearn_estimator"}  # runs the command line; needs an optional package
MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(engine.__path__, "engine.")
    if info.name not in SKIPPED
]


def holds_array(hint):
    """Whether a type hint has an array in it, as in ``tuple[int, npt.NDArray] | None``."""
    return hint is np.ndarray or typing.get_origin(hint) is np.ndarray or any(map(holds_array, typing.get_args(hint)))


def has_array_field(cls):
    hints = typing.get_type_hints(cls)
    return any(holds_array(hints[field.name]) for field in dataclasses.fields(cls))


HOLDERS = {
    f"{cls.__module__}.{cls.__name__}": cls
    for module in MODULES
    for cls in vars(module).values()
    if isinstance(cls, type) and cls.__module__ == module.__name__
    if dataclasses.is_dataclass(cls) and has_array_field(cls)
}


def make(cls):
    """An instance with an array in each field, without the checks of its constructor."""
    instance = object.__new__(cls)
    for field in dataclasses.fields(cls):
        object.__setattr__(instance, field.name, np.arange(3))
    return instance


@pytest.mark.parametrize("cls", HOLDERS.values(), ids=HOLDERS)
def test_instances_are_equal_only_to_themselves(cls):
    first, second = make(cls), make(cls)
    assert (first == first) is True
    assert (first == second) is False
    assert (first in [second]) is False
    assert len({first, second}) == 2


def test_the_search_finds_the_classes():
    assert {Dataset, Evaluation, Mistake} <= set(HOLDERS.values())
