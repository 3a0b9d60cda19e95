"""``collect``: show a collection of labelled drawings, and save it in another format."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from engine.cli.options import Commands, add_command, add_json, check_place
from engine.data.collection import Collection
from engine.data.collection_files import FORMATS, pack, read_collection
from engine.files import atomic_write

NO_NAME, ALL = "(no name)", "all"


def add_commands(commands: Commands) -> None:
    help = "show labelled drawings, or save them in another format"
    actions = commands.add_parser("collect", help=help, description=help).add_subparsers(
        title="actions", required=True, metavar="ACTION"
    )
    parser = add_command(actions, "show", run_show, "count the drawings of each label and each writer")
    _add_source(parser)
    add_json(parser)

    parser = add_command(actions, "export", run_export, "save the drawings in another format")
    _add_source(parser)
    formats = "; ".join(f"{name}: {format.label}" for name, format in FORMATS.items())
    parser.add_argument("--format", choices=FORMATS, default="zip", help=f"{formats} (default: zip)")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="where to save them")


def _add_source(parser: argparse.ArgumentParser) -> None:
    help = "a folder or zip of pictures by label or of IDX files, a CSV file, or a file of pen strokes"
    parser.add_argument("source", metavar="IN", help=help)


def run_show(options: argparse.Namespace) -> None:
    collection = read_collection(options.source)
    counts = {writer: part.counts() for writer, part in collection.by_writer().items()}
    if options.json:
        value = {
            "drawings": len(collection),
            "with_strokes": sum(bool(drawing.strokes) for drawing in collection),
            "labels": dict(sorted(collection.counts().items())),
            "writers": {writer: dict(sorted(labels.items())) for writer, labels in counts.items()},
            "skipped": collection.skipped,
        }
        print(json.dumps(value))
        return
    print(f"{collection.name}: {_drawings(len(collection))}")
    labels = sorted(collection.counts())
    rows = [(writer or NO_NAME, row) for writer, row in counts.items()] + [(ALL, collection.counts())]
    width = max(len("writer"), *(len(writer) for writer, _ in rows))
    _print_row("writer", [*labels, ALL], width)
    for writer, row in rows:
        _print_row(writer, [*(f"{row[label]:,}" for label in labels), f"{row.total():,}"], width)
    _print_skipped(collection)


def _print_row(writer: str, cells: Iterable[object], width: int) -> None:
    print(f"{writer:{width}}", *(f"{cell:>6}" for cell in cells))


def run_export(options: argparse.Namespace) -> None:
    check_place("--out", options.out)
    collection = read_collection(options.source)
    content = pack(collection, options.format)
    with atomic_write(options.out) as file:
        file.write(content)
    print(f"wrote {_drawings(len(collection))} to {options.out}: {FORMATS[options.format].help}")
    _print_skipped(collection)


def _drawings(count: int) -> str:
    return f"{count:,} drawing{'' if count == 1 else 's'}"


def _print_skipped(collection: Collection) -> None:
    if collection.skipped:
        print(f"\nskipped {len(collection.skipped):,}:")
        for reason in collection.skipped:
            print(f"  {reason}")
