"""Labelled images: the ``Dataset`` class, reading IDX files, getting MNIST, and digits that Inkling draws itself."""

from engine.data.dataset import DataError, Dataset
from engine.data.idx import read_folder
from engine.data.mnist import load_mnist
from engine.data.sources import SOURCES, default_source, load_data

__all__ = ["SOURCES", "DataError", "Dataset", "default_source", "load_data", "load_mnist", "read_folder"]
