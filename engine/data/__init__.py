"""The data: what a set of labelled images is, reading it from IDX files, and finding MNIST."""

from engine.data.dataset import DataError, Dataset
from engine.data.idx import read_folder
from engine.data.mnist import load_mnist

__all__ = ["DataError", "Dataset", "load_mnist", "read_folder"]
