"""The options that several commands share, and the flags that come from the settings of a dataclass, such as ``Config``."""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

from engine.checkpoint import load
from engine.checks import InklingError, shorten
from engine.config import Config
from engine.data import SOURCES, Dataset
from engine.data.augmentation import AUGMENTATIONS, AugmentationKind
from engine.data.dataset import DIGITS
from engine.files import check_writable
from engine.layers import LAYERS, LayersKind
from engine.network import CLASSES, FLAT_IMAGE, Network
from engine.setting_fields import NONE_TEXT, Choice, Flag, Integer, Kind, Number, Setting, settings_of

MAX_LINE = 2_000  # characters of an error: an argument or a file may be far longer

Commands = Any  # what ``ArgumentParser.add_subparsers`` returns; argparse has no public name for it


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int | None], help: str
) -> argparse.ArgumentParser:
    """A parser for the command ``name``, which calls ``run``; this may return an exit status."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    return parser


def add_model(parser: argparse.ArgumentParser, help: str = "a network's .npz file") -> None:
    parser.add_argument("model", metavar="MODEL", help=help)


def add_out(parser: argparse.ArgumentParser, required: bool = False) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", required=required, help="where to save the network (.npz)")
    parser.add_argument("--float16", action="store_true", help="save it with 16 bits a number: half the file")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        default="mnist",
        metavar="DATA",
        help=f"{', '.join(SOURCES)}, scribbles, a folder of IDX files, an .npz or CSV file of images, or a file of pen "
        "strokes; several can be joined by + (default: mnist)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON value on stdout")


def add_settings(parser: argparse.ArgumentParser, cls: type = Config) -> None:
    """A flag for each setting of ``cls``. The old names work too, but are not listed."""
    defaults = cls()
    for name, setting in settings_of(cls).items():
        details: dict[str, Any] = {"dest": name, "metavar": _metavar(name, setting.kind)}
        parser.add_argument(_flag(name), help=_help(setting, getattr(defaults, name)), **details)
        for old_name in setting.old_names:
            parser.add_argument(_flag(old_name), help=argparse.SUPPRESS, **details)


def given_settings(options: argparse.Namespace, cls: type = Config) -> dict[str, Any]:
    """The settings of ``cls`` that the command line gives, by name; raises ``InklingError`` for a wrong value."""
    texts = {name: getattr(options, name) for name in settings_of(cls) if getattr(options, name) is not None}
    if texts.get("batch_size") == "full":  # an older word for all images
        texts["batch_size"] = NONE_TEXT
    return {name: settings_of(cls)[name].from_text(_flag(name), text) for name, text in texts.items()}


def check_place(flag: str, path: Path | None) -> None:
    """Raise ``InklingError`` unless a file can be written to ``path``, so that no work is lost for that."""
    if path is None:
        return
    if str(path) == "-":
        raise InklingError(f"{flag} must be the name of a file, got -: write a file, and send that to the pipe")
    try:
        check_writable(path)
    except InklingError as error:
        raise InklingError(f"{flag}: {error}") from None


def load_digit_network(path: str) -> Network:
    """The network at ``path``; raises ``InklingError`` unless it reads digits."""
    network = load(path)
    is_digits = network.output_shape == (CLASSES,) and network.class_names == DIGITS
    if prod(network.input_shape) != prod(FLAT_IMAGE) or not is_digits:
        shapes = f"inputs {network.input_shape} and outputs {network.output_shape}"
        raise InklingError(f"{path} must read images of 28 x 28 pixels as {CLASSES} digits, got {shapes}")
    return network


def load_image_network(path: str) -> Network:
    """The network at ``path``; raises ``InklingError`` unless it reads images of 28 x 28 pixels."""
    network = load(path)
    if prod(network.input_shape) != prod(FLAT_IMAGE) or len(network.output_shape) != 1:
        shapes = f"inputs {network.input_shape} and outputs {network.output_shape}"
        raise InklingError(f"{path} must read images of 28 x 28 pixels, got {shapes}")
    return network


def show_notices(dataset: Dataset) -> None:
    """Print on stderr what is unusual about the data, a sentence a line."""
    for notice in dataset.notices:
        print_error(notice)


def print_error(line: str) -> None:
    """Print a line about something that is wrong on stderr, as far as that can be written to."""
    with suppress(OSError):
        print(f"inkling: {shorten(line, MAX_LINE)}", file=sys.stderr)


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _help(setting: Setting, default: Any) -> str:
    shown = setting.none if default is None else setting.to_text(default)
    if default is not None and setting.none:
        shown = f"{shown}; {NONE_TEXT}: {setting.none}"
    limits = f"{setting.kind.low:g} to {setting.kind.high:g}; " if isinstance(setting.kind, Number | Integer) else ""
    help = f"{setting.help} ({limits}default: {shown})"
    if isinstance(setting.kind, LayersKind):
        help += f". Layers: {', '.join(LAYERS)}, or the name of an activation, as in conv2d:8:kernel=5,relu,flatten,dense:10"
    return help.replace("%", "%%")  # argparse fills in what follows a single %


def _metavar(name: str, kind: Kind) -> str:
    if isinstance(kind, Number | Integer):
        return "N" if isinstance(kind, Integer) else "X"
    if isinstance(kind, Choice | Flag | AugmentationKind):
        names = kind.registry if isinstance(kind, Choice) else ("on", "off") if isinstance(kind, Flag) else AUGMENTATIONS
        return f"{{{','.join(names)}}}"
    return name.upper()
