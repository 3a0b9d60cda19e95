import json

from engine.config import Config
from engine.recipes import RECIPES


def test_recipes_are_listed(run):
    status, out, _ = run("recipes")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(RECIPES)
    configs = json.loads(run("recipes", "--json")[1])
    assert {name: Config.from_json(value) for name, value in configs.items()} == {
        name: recipe.config for name, recipe in RECIPES.items()
    }


def test_recipes_are_trained_and_compared(run, idx_folder):
    status, out, err = run("recipes", "--run", "stenger-2018", "--data", idx_folder, "--json")
    assert (status, err) == (0, "")
    (row,) = json.loads(out)
    assert row["recipe"] == "stenger-2018"
    assert row["claimed"] == RECIPES["stenger-2018"].claimed
    assert row["test_images"] == 300
    assert row["first_1000_accuracy"] == row["test_accuracy"]
    status, out, _ = run("recipes", "--run", "stenger-2018", "--data", idx_folder)
    assert status == 0
    assert "| `stenger-2018` | 61.30 % |" in out


def test_an_unknown_recipe_is_refused(refused, idx_folder):
    refused(["recipes", "--run", "soup", "--data", idx_folder], "--run", "soup", "quick")
    refused(["train", "--recipe", "soup", "--data", idx_folder], "--recipe", "soup", "quick")
