"""What is asked of a sweep."""

import json
from dataclasses import replace

import pytest
from helpers import ROOT, make_digits, outcome

from engine.checks import InklingError
from engine.network import dense_layers
from engine.recipes import RECIPES
from engine.sweep import plan
from engine.sweep.plan import Sweep, read_file

FILE = """
data = "synthetic"
trials = 12
pruner = "hyperband"
seeds = 3
[settings]
epochs = 4
activation = "tanh"
[search]
learning_rate = "1e-4..1e-1:log"
hidden = [64, [128, 64]]
"""


def test_a_file_says_what_is_searched():
    sweep = Sweep.from_table(read_file(FILE))
    assert (sweep.data, sweep.trials, sweep.pruner, sweep.num_seeds) == ("synthetic", 12, "hyperband", 3)
    assert sweep.config.epochs == 4
    assert {name: dimension.to_text() for name, dimension in sweep.search.items()} == {
        "learning_rate": "0.0001..0.1:log",
        "hidden": '64,"128,64"',
        "activation": "tanh",  # it makes the layers together with the searched units
    }
    assert Sweep.from_json(json.loads(json.dumps(sweep.to_json()))) == sweep


def test_a_recipe_and_settings_are_what_stays():
    table = {"recipe": "cnn", "search": {"learning_rate": "1e-3..1e-1"}, "settings": {"epochs": "2"}}
    sweep = Sweep.from_table(table)
    assert sweep.config.layers == RECIPES["cnn"].config.layers
    assert sweep.config.epochs == 2
    quick = Sweep.from_table({"recipe": "quick", "search": {"hidden": [32]}, "settings": {}})
    assert quick.search["hidden"].values() == [(32,)]
    fixed = Sweep.from_table({"search": {"learning_rate": "1e-3..1e-1"}, "settings": {"hidden": "32"}})
    assert fixed.config.layers == dense_layers((32,))
    fixed = Sweep.from_table({"search": {"learning_rate": "1e-3..1e-1"}, "settings": {"hidden": 32}})
    assert fixed.config.layers == dense_layers((32,))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "a sweep must search at least one setting, got none"),
        ({"search": 3}, "[search] and [settings] must be tables"),
        ({"search": {"epochs": "1..3"}, "trials": 0}, "trials must be a whole number from 1 to 10,000, got 0"),
        ({"search": {"epochs": "1..3"}, "sampler": "cmaes"}, "sampler must be one of default, random, tpe, grid"),
        ({"search": {"epochs": "1..3"}, "epochs": 3}, "a sweep has no ['epochs']; settings of the trainings belong under"),
        ({"search": {"epochs": "1..3"}, "settings": {"trials": 3}}, "a training has no ['trials']"),
        ({"search": {"epochs": "1..3"}, "recipe": "x"}, "recipe must be one of quick"),
        ({"search": {"hidden": [32]}, "recipe": "cnn"}, "hidden would replace the layers of the recipe cnn"),
        ({"search": {"hidden": [32], "layers": ["dense:10"]}}, "layers describe the whole network"),
        ({"search": {"epochs": "1..3"}, "settings": {"validation_size": 0}}, "validation_size must not be 0"),
        ({"search": {"validation_size": [0, 10]}}, "validation_size must not be 0"),
        ({"search": {"hidden": "8,\r16"}}, "hidden must be a list of values in one line"),
        ({"search": {"epochs": "1..3"}, "settings": {"hidden": None}}, "hidden must be a whole number"),
        ({"search": {"layers": ["dense:7"]}}, "layers must end in 10 outputs"),
    ],
)
def test_what_cannot_work_is_refused_before_a_trial_begins(table, message):
    error = outcome(InklingError, Sweep.from_table, table)[1]
    assert message in error
    assert "\n" not in error


def test_the_readmes_example_starts_from_quick_and_takes_five_minutes():
    sweep = Sweep.from_table(read_file((ROOT / ".github" / "sweep.toml").read_text()))
    assert (sweep.trials, sweep.minutes, sweep.data) == (40, 5, "mnist")
    assert sweep.config == replace(RECIPES["quick"].config, epochs=sweep.max_epochs)


def test_a_file_that_is_not_toml_is_refused():
    assert "a sweep's file must be TOML" in outcome(InklingError, read_file, "a = ")[1]
    assert "a sweep's file must be TOML" in outcome(InklingError, read_file, "a = " + "9" * 5000)[1]


def test_too_few_images_leave_none_to_choose_by():
    sweep = Sweep.from_table({"search": {"epochs": "1..3"}})
    assert "9 images leave none" in outcome(InklingError, sweep.check_data, make_digits(9))[1]


def test_a_grid_has_no_more_trials_than_combinations():
    search = {"epochs": "1..3", "hidden": [16, 32]}
    assert Sweep.from_table({"search": search, "sampler": "grid"}).num_trials == 6
    assert Sweep.from_table({"search": search, "sampler": "grid", "trials": 4}).num_trials == 4
    assert Sweep.from_table({"search": search}).num_trials == 40
    assert Sweep.from_table({"search": search}).max_epochs == 3


def test_settings_with_one_value_are_not_varied():
    sweep = Sweep.from_table({"search": {"learning_rate": "1e-3..1e-1", "hidden": [32, 64]}, "settings": {"dropout": "0.1"}})
    assert list(sweep.search) == ["learning_rate", "hidden", "dropout"]
    assert list(sweep.varied) == ["learning_rate", "hidden"]


def test_a_trials_parameters_are_its_configuration():
    sweep = Sweep.from_table(
        {"search": {"learning_rate": "1e-3..1e-1", "hidden": [32, [64, 16]]}, "settings": {"epochs": 2}}
    )
    config = sweep.config_of({"learning_rate": 0.01, "hidden": "64,16"})
    assert (config.learning_rate, config.epochs, config.layers) == (0.01, 2, dense_layers((64, 16)))
    with pytest.raises(KeyError):
        sweep.config_of({"learning_rate": 0.01})


def test_the_memory_of_a_sweep_is_that_of_its_largest_trial():
    search = {
        "hidden": [16, [512, 512], 32],
        "batch_size": [32, 4096],
        "optimizer": ["sgd", "adam"],
        "learning_rate": "1e-3..1e-1",
    }
    sweep = Sweep.from_table({"search": search, "sampler": "grid", "trials": 1000, "num_seeds": 2})
    every = [
        sweep.config_of({"hidden": hidden, "batch_size": batch, "optimizer": optimizer, "learning_rate": 0.01})
        for hidden in ("16", "512,512", "32")
        for batch in ("32", "4096")
        for optimizer in ("sgd", "adam")
    ]
    assert sweep.training_bytes() == max(config.training_bytes() for config in every)
    largest = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert sweep.network_bytes() == 4 * largest * (3 * 2 * 2 * 5) * 2


def test_a_combination_that_cannot_work_does_not_count():
    sweep = Sweep.from_table({"search": {"validation_size": [60, 299], "train_size": [100, 300]}})
    assert sweep.training_bytes() > 0


@pytest.mark.parametrize("folder", ["plain", "ü b", "50%25", "what?"])
def test_the_default_storage_is_a_file_in_a_folder_of_any_name(monkeypatch, tmp_path, folder):
    make_url = pytest.importorskip("sqlalchemy.engine").make_url
    monkeypatch.delenv("INKLING_SWEEPS", raising=False)
    monkeypatch.setattr(plan, "data_folder", lambda: tmp_path / folder)
    assert make_url(plan.default_storage()).database == str(tmp_path / folder / "inkling-sweeps.sqlite3")
