"""``recipes``: list the recipes, or train them and compare the results with the published ones."""

import argparse
import json
import sys

from engine.checks import check_choice
from engine.cli.options import Commands, add_command, add_data, add_json, percent
from engine.cli.train import make_report, train_to_the_end
from engine.data import load_data
from engine.metrics import evaluate
from engine.recipes import RECIPES
from engine.training import Diverged, Trainer

TABLE_HEAD = """\
| recipe | published | measured on | test accuracy here | its first 1,000 | seconds |
|---|---|---|---|---|---|"""


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "recipes", run_recipes, "list the recipes")
    help = "train these, or all that take less than an hour, and compare"
    parser.add_argument("--run", nargs="*", metavar="NAME", dest="names", help=help)
    add_data(parser)
    add_json(parser)


def run_recipes(options: argparse.Namespace) -> None:
    if options.names is not None:
        _train_and_compare(options)
    elif options.json:
        print(json.dumps({name: recipe.config.to_json() for name, recipe in RECIPES.items()}))
    else:
        for recipe in RECIPES.values():
            print(f"{recipe.name:<20} {recipe.title}")


def _train_and_compare(options: argparse.Namespace) -> None:
    for name in options.names:
        check_choice("--run", name, RECIPES)
    train_set, test_set = load_data(options.data, progressbar=True)
    if not options.json:
        print(TABLE_HEAD, flush=True)
    rows = []
    for name in options.names or [name for name, recipe in RECIPES.items() if not recipe.long]:
        recipe = RECIPES[name]
        trainer = Trainer.from_config(recipe.config, train_set)
        if isinstance(train_to_the_end(trainer, quiet=True), Diverged):
            print(f"inkling: {name} diverged at step {trainer.step:,}", file=sys.stderr)
            continue
        report = make_report(trainer, test_set)
        first_accuracy = evaluate(trainer.result, test_set.subset(slice(1_000)), trainer.loss).accuracy
        rows.append({"recipe": name, "claimed": recipe.claimed, "first_1000_accuracy": first_accuracy} | report)
        if not options.json:
            claimed = "-" if recipe.claimed is None else percent(recipe.claimed)
            results = f"{percent(report['test_accuracy'])} | {percent(first_accuracy, 1)} | {trainer.seconds:.0f}"
            print(f"| `{name}` | {claimed} | {recipe.basis or '-'} | {results} |", flush=True)
    if options.json:
        print(json.dumps(rows))
