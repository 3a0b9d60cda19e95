"""What the tests of all commands share."""

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

import engine
from engine.cli.main import main
from engine.network import Network, dense_layers


@pytest.fixture
def run(capsys):
    """A function that runs a command line and returns the exit status, stdout and stderr."""

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refused(run):
    """A function that checks that a command ends with status 2 and one line on stderr with these parts; returns stdout."""

    def check(arguments, *parts):
        status, out, err = run(*arguments)
        assert status == 2, (out, err)
        assert err.count("\n") == 1, err
        assert err.startswith("inkling: ")
        assert "Traceback" not in err
        for part in parts:
            assert str(part) in err, err
        return out

    return check


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The path of an untrained network."""
    path = tmp_path_factory.mktemp("models") / "untrained.npz"
    engine.save(path, Network(dense_layers((8,)), rng=np.random.default_rng(0)))
    return path


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """The path of a digit on a grey background."""
    path = tmp_path_factory.mktemp("pictures") / "blot.png"
    Image.fromarray(make_digits(1).images[0] // 2).save(path)
    return path
