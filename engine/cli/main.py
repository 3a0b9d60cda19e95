"""``python -m engine COMMAND``: the parser, and errors as one line on stderr."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from engine.checks import InklingError
from engine.cli import calibrate, data, evaluate, export, recipes, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, or 2 after one line on stderr that says what was wrong."""
    options = make_parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # an image that cannot be read is an error, reported in one line
    try:
        options.run(options)
    except InklingError as error:
        print(f"inkling: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except MemoryError:
        print("inkling: this takes more memory than there is: try fewer units, or a smaller --batch-size", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as ``head``, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("inkling: interrupted", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"inkling: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; its choices are what is registered at this moment."""
    parser = _Parser(prog="python -m engine", description="Inkling: a neural network from scratch in NumPy.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for family in (train, calibrate, recipes, export, evaluate, data):
        family.add_commands(commands)
    return parser
