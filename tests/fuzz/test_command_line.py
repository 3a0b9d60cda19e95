"""Any command line ends with status 0, or with status 2 and one line on stderr."""

import argparse
import re

import pytest
from fuzz.conftest import examples
from helpers import make_digits
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from engine.cli import calibrate, data, evaluate, finetune, recipes, train
from engine.cli.main import MAX_LINE, main, make_parser
from engine.config import Config
from engine.setting_fields import settings_of

COMMANDS = ["train", "finetune", "calibrate", "recipes", "export", "evaluate", "predict", "samples", "data", "collect"]
SETS = make_digits(20, 1), make_digits(10, 2)


def all_flags():
    """The options of all commands, as ``--name``."""
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return sorted({flag for parser in commands.choices.values() for a in parser._actions for flag in a.option_strings})


WRONG = ["--", "-", "", "=", ":", "+", "-1", "1e999", "nan", "9" * 5000, "a" * 300, "\udcff", "a\nb", "\x1b[2J", "\u2028"]
RIGHT = ["none", "0", "1", "on", "adam", "dense:10", "shift=1", "mixed", "{missing}", "{model}", "/dev/full", "/proc/x"]
TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=12)  # the operating system allows all but NUL
VALUES = st.sampled_from(WRONG + RIGHT) | TEXTS
FLAGS = st.sampled_from(all_flags()) | st.sampled_from(["--o", "--no-such", "-x", "--"])
WORDS = VALUES | FLAGS | st.tuples(FLAGS, VALUES).map("=".join)
LINES = st.tuples(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=6)).map(lambda parts: [parts[0], *parts[1]])
LINES |= st.tuples(
    st.sampled_from(["show", "export"]), st.lists(WORDS | st.sampled_from(["--format", "csv"]), max_size=4)
).map(lambda parts: ["collect", parts[0], *parts[1]])
LINES |= st.lists(WORDS, max_size=3)
# All settings from their own texts, so that what depends on several of them is reached too.
ASSIGNMENTS = st.tuples(st.sampled_from([f"--{name.replace('_', '-')}" for name in settings_of(Config)]), VALUES).map(
    "=".join
)
LINES |= st.lists(ASSIGNMENTS, min_size=1, max_size=4).map(lambda words: ["train", *words])


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """A function that runs a command line without data, training and files; ``{model}`` is no network."""

    def stop(*_, **__):
        raise InklingError("it began to work")

    for module in (train, finetune, calibrate, evaluate, recipes, data):
        monkeypatch.setattr(module, "load_data", lambda *_, **__: SETS)
    monkeypatch.setattr(data, "load_mnist", stop)
    monkeypatch.setattr(train.Trainer, "from_config", stop)
    monkeypatch.setattr(data.Image, "fromarray", stop)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").write_bytes(b"PK\x03\x04 and then nothing")

    def run(arguments):
        arguments = [a.format(missing="none", model="model") if a in ("{missing}", "{model}") else a for a in arguments]
        status = main(arguments)
        return status, *capsys.readouterr()

    return run


@settings(deadline=None, max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
@example(["train", "--augmentation=--"])
@example(["train", "--out=--"])
@example(["train", "--hidden=--", "--seed=--"])
@example(["train", "--out", "a" * 300])
@example(["evaluate", "{model}", "--data", "a" * 300])
@example(["predict", "{model}", "a" * 300])
@example(["export", "{model}", "/dev/full"])
@example(["collect", "show", "model"])
@example(["collect", "show", "."])
@example(["collect", "export", "model", "--out", "/dev/full"])
@example(["fly\nhigh"])
def test_any_command_line(command, arguments):
    status, out, err = command(arguments)
    if status:
        assert status == 2
        assert re.fullmatch(r"inkling: [^\n]+\n", err), err
        assert len(err.splitlines()) == 1
        assert len(err) < 3 * MAX_LINE
    else:
        assert err == ""
        assert out


@settings(deadline=None, max_examples=examples(30))
@given(st.sampled_from(all_flags()).filter(lambda flag: flag not in ("-h", "--help")))
def test_two_dashes_are_no_value(flag):
    assert main(["train", f"{flag}=--"]) == 2
