"""``python -m engine COMMAND``: the parser, and errors as one line on stderr."""

import argparse
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import takewhile
from typing import Any, NoReturn

from engine.checks import InklingError, shorten, shown
from engine.cli import calibrate, collect, data, evaluate, export, finetune, recipes, sweep, train
from engine.cli.options import MAX_LINE, print_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, or 2 after one line on stderr that says what was wrong."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # engine/__init__.py has set it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the command began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may have characters that cannot be printed
            stream.reconfigure(errors="backslashreplace")
    status, line = _run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        if not status and not isinstance(error, BrokenPipeError):
            status, line = 2, _output_error(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails again when it ends
    if line:
        print_error(line)
    return status


def _run(arguments: Sequence[str]) -> tuple[int, str]:
    """Run one command; return the exit status, and the line to show if it failed."""
    warnings.filterwarnings("ignore", module="PIL")  # an image that cannot be read is an error, reported in one line
    try:
        parser = make_parser()
        for argument in takewhile(lambda argument: argument != "--", arguments):
            if re.fullmatch(r"--?[^=]+=--", argument):  # argparse would make an empty list of it
                parser.error(f"{shown(argument[:-3])} must have a value, got --")
        options = parser.parse_args(arguments)
        if any(getattr(options, name, None) for name in ("out", "pause_to", "csv")):
            sys.stdout = _Output(sys.stdout)
        return options.run(options) or 0, ""
    except SystemExit as end:  # after --help, or an error that argparse found
        return (end.code if isinstance(end.code, int) else 0), ""
    except InklingError as error:
        return 2, str(error)
    except MemoryError:
        return 2, "this takes more memory than there is: try fewer units, or a smaller --batch-size"
    except BrokenPipeError:  # the reader of the output, such as ``head``, has closed it
        return 0, ""
    except OSError as error:
        return 2, _output_error(error)
    except KeyboardInterrupt:
        return 130, "interrupted"
    finally:
        if isinstance(sys.stdout, _Output):
            sys.stdout = sys.stdout.stream


def _output_error(error: OSError) -> str:
    reason = error.strerror or error
    return f"{error.filename}: {reason}" if error.filename else f"the output cannot be written: {reason}"


class _Output:
    """A stream whose reader, such as ``head``, may close it: the command goes on, for it has a file to save."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with suppress(BrokenPipeError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(BrokenPipeError):
            self.stream.flush()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"inkling: {shorten(message, MAX_LINE)} (see {self.prog} --help)\n")

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file)  # argparse's own would hide that the output is full


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; its choices are what is registered at this moment."""
    parser = _Parser(prog="python -m engine", description="Inkling: a neural network from scratch in NumPy.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for family in (train, sweep, finetune, calibrate, recipes, export, evaluate, data, collect):
        family.add_commands(commands)
    return parser
