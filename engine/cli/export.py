"""``export``: write a network as an ONNX model."""

import argparse
from pathlib import Path

from engine.cli.options import Commands, add_command, add_model, check_place, load_digit_network
from engine.export_onnx import OLDEST_OPSET, OPSET, save_onnx


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "export", run_export, "write a network as an ONNX model (needs the package onnx)")
    add_model(parser)
    parser.add_argument("out", type=Path, metavar="FILE", help="where to write the .onnx file")
    parser.add_argument(
        "--opset",
        type=int,
        default=OPSET,
        metavar="N",
        help=f"version of ONNX's operators, from {OLDEST_OPSET}; older programs need an older one (default: {OPSET})",
    )


def run_export(options: argparse.Namespace) -> None:
    check_place("FILE", options.out)
    save_onnx(options.out, load_digit_network(options.model), options.opset)
    print(f"wrote {options.out}")
