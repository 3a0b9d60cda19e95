"""Recipes: the named trainings in ``recipes.toml``, Inkling's own and those of five published from-scratch networks."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.setting_fields import settings_of

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Recipe:
    """A named ``Config``, and its source; the fields are explained at the top of ``recipes.toml``."""

    name: str
    title: str
    config: Config
    claimed: float | None = None
    basis: str = ""
    choices: str = ""
    long: bool = False


def read_recipes(text: str) -> dict[str, Recipe]:
    """The recipes in TOML; raises ``InklingError`` for a value that is not allowed."""
    recipes: dict[str, Recipe] = {}
    settings = settings_of(Config)
    for name, table in tomllib.loads(text).items():
        base = recipes[table.pop("based_on")].config if "based_on" in table else Config()
        values: dict[str, Any] = {key: table.pop(key) for key in settings if key in table}
        for key, value in values.items():
            if isinstance(value, str):
                values[key] = settings[key].from_text(key, value)
        recipes[name] = Recipe(name, config=replace(base, **values), **table)
    return recipes


RECIPES = read_recipes(FILE.read_text(encoding="utf-8"))
