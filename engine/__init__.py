"""Inkling's engine: a neural network written from scratch in NumPy, and everything about it that needs no screen."""

import signal
import sys

if "-m engine" in " ".join(sys.orig_argv) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while this is imported ends it without a traceback

from engine.checkpoint import CheckpointError, load, load_training, save, save_training
from engine.checks import InklingError
from engine.config import Config
from engine.data import DataError, Dataset, load_mnist
from engine.image_file import read_image
from engine.metrics import classification_report, evaluate
from engine.network import Network, dense_layers
from engine.preprocessing import BlankDrawing, prepare
from engine.reading import read
from engine.training import Diverged, EpochEnd, Finished, StepEnd, Trainer

__all__ = [
    "BlankDrawing",
    "CheckpointError",
    "Config",
    "DataError",
    "Dataset",
    "Diverged",
    "EpochEnd",
    "Finished",
    "InklingError",
    "Network",
    "StepEnd",
    "Trainer",
    "classification_report",
    "dense_layers",
    "evaluate",
    "load",
    "load_mnist",
    "load_training",
    "prepare",
    "read",
    "read_image",
    "save",
    "save_training",
]
