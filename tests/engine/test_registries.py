"""Whatever is registered at run time can be used everywhere at once: one entry in a registry is all that it takes.

Each test registers a new activation, initializer, layer, loss, optimizer, schedule, augmentation or recipe. It is then
trained from the command line, listed in its help, saved, loaded, carried by a link, used by the scikit-learn classifier and
exported.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pytest
from examples import READER
from helpers import need

from engine import Config, load, load_training
from engine.activations import ACTIVATIONS
from engine.cli.main import main
from engine.data import read_folder
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.initializers import INITIALIZERS
from engine.layers import LAYERS, Activation, Dense, Layer, summary
from engine.links import from_query, to_query
from engine.losses import LOSSES, CrossEntropy
from engine.network import dense_layers
from engine.optimizers import OPTIMIZERS, Optimizer
from engine.recipes import RECIPES, Recipe
from engine.schedules import SCHEDULES
from engine.setting_fields import Number, setting, settings_of


class Softsign:
    """``z / (1 + |z|)``"""

    label = "softsign"

    @staticmethod
    def forward(z, out=None):
        return np.divide(z, 1 + np.abs(z), out=out)

    @staticmethod
    def backward(da, z, a, out=None):
        return np.divide(da, np.square(1 + np.abs(z)), out=out)


def triangular(rng, shape, fan_in, fan_out):
    """Triangular, variance ``2 / fan_in``."""
    limit = np.sqrt(12 / fan_in)
    return rng.triangular(-limit, 0, limit, shape)


@dataclass
class Scale(Layer):
    """``y = gain * x + shift``, with one gain for all numbers, which is learned."""

    kind = "scale"
    label = "Scale"
    main_setting = "shift"
    shift: float = setting("Shift", "Is added to each number.", Number(-1, 1), default=0.0)

    def parameter_shapes(self, input_shape):
        return {"gain": (1,)}

    def initialize(self, rng):
        self.gain[...] = 1

    def forward(self, x, training=False):
        if training:
            self._x = x
        return self.gain * x + np.float32(self.shift)

    def backward(self, dy, input_gradient=True):
        self.dgain[...] = np.vdot(dy, self._x)
        return self.gain * dy if input_gradient else None


class HalfCrossEntropy(CrossEntropy):
    label = "half the cross-entropy"

    def __call__(self, logits, labels, smoothing=0.0):
        loss, gradient = super().__call__(logits, labels, smoothing)
        return loss / 2, gradient / 2


@dataclass
class SignSGD(Optimizer):
    """``p -= lr * sign(g)``, with a momentum that the configuration sets."""

    label = "Sign SGD"
    usual_learning_rate = 0.001
    slots = ("mean",)
    momentum: float = 0.9

    def update(self, p, g, lr, mean):
        mean *= self.momentum
        mean += g
        p -= lr * np.sign(mean)


@dataclass(frozen=True)
class Zigzag:
    label = "zigzag"

    def __call__(self, epoch, epochs):
        return 1 - 0.5 * (epoch % 1)


SHAKY = Augmentation(shift=0.5, noise=0.02)
RECIPE = Recipe("new-one", "A new recipe", Config(layers=dense_layers((9,), "tanh"), batch_size=16, train_size=900))


@dataclass
class New:
    """An ``entry`` for a registry, flags and settings that use it (the settings can only be made when it is registered), and
    the parameter of the scikit-learn classifier that takes its name, if any."""

    registry: dict
    name: str
    entry: Any
    flags: str
    make_settings: Callable[[], dict]
    parameter: str | None = None

    @property
    def config(self):
        base = self.entry.config if isinstance(self.entry, Recipe) else Config()
        return replace(base, epochs=4, seed=7, **self.make_settings())


NEW = {
    "activation": New(
        ACTIVATIONS,
        "softsign",
        Softsign,
        "--hidden 16 --activation softsign",
        lambda: {"layers": dense_layers((16,), "softsign")},
        "activation",
    ),
    "initializer": New(
        INITIALIZERS,
        "triangular",
        triangular,
        "--hidden 16 --initializer triangular",
        lambda: {"layers": dense_layers((16,), "relu", "triangular")},
        "initializer",
    ),
    "layer": New(
        LAYERS,
        "scale",
        Scale,
        "--layers dense:16,scale:0.25,relu,dense:10",
        lambda: {"layers": (Dense(16), Scale(0.25), Activation("relu"), Dense(10))},
    ),
    "loss": New(LOSSES, "half", HalfCrossEntropy(), "--loss half", lambda: {"loss": "half"}),
    "optimizer": New(
        OPTIMIZERS,
        "sign_sgd",
        SignSGD,
        "--optimizer sign_sgd --learning-rate 0.001 --momentum 0.5",
        lambda: {"optimizer": "sign_sgd", "learning_rate": 0.001, "momentum": 0.5},
        "optimizer",
    ),
    "schedule": New(SCHEDULES, "zigzag", Zigzag(), "--schedule zigzag", lambda: {"schedule": "zigzag"}, "schedule"),
    "augmentation": New(AUGMENTATIONS, "shaky", SHAKY, "--augmentation shaky", lambda: {"augmentation": SHAKY}),
    "recipe": New(RECIPES, RECIPE.name, RECIPE, f"--recipe {RECIPE.name}", dict),
}


@pytest.fixture(params=NEW)
def registered(request, monkeypatch):
    new = NEW[request.param]
    monkeypatch.setitem(new.registry, new.name, new.entry)
    return new


def train(registered, *arguments):
    assert main(["train", *registered.flags.split(), "--epochs", "4", "--seed", "7", *map(str, arguments)]) == 0


def test_it_is_listed_in_the_help(registered, capsys):
    assert main(["train", "--help"]) == 0
    words = capsys.readouterr().out.replace("{", " ").replace("}", " ").replace(",", " ").split()
    assert registered.name in words


def test_it_is_trained_saved_and_loaded(registered, idx_folder, tmp_path, capsys):
    files = tmp_path / "network.npz", tmp_path / "paused.npz"
    train(registered, "--data", idx_folder, "--out", files[0], "--pause-to", files[1], "--json")
    report = json.loads(capsys.readouterr().out)
    losses = [event["loss"] for event in report["history"]]
    assert losses[-1] < 0.8 * losses[0]
    assert report["test_accuracy"] > 0.5

    network = load(files[0])
    assert tuple(network.layers) == registered.config.layers
    assert Config.from_json(network.info["config"]) == registered.config
    trainer = load_training(files[1], read_folder(idx_folder)[0])
    assert trainer.config == registered.config
    np.testing.assert_array_equal(trainer.network.state_vector, network.state_vector)
    assert np.isfinite(network.state_vector).all()
    assert summary(network.layers)


def test_a_link_carries_it(registered):
    query = to_query(registered.config)
    if registered.registry is not RECIPES:  # whose links are as in ``link_presets.json``
        assert registered.name in ",".join(query.values()).replace(":", ",").replace("=", ",").split(",")
    assert from_query(query) == registered.config


def test_its_settings_can_be_shown(registered):
    for name, description in settings_of(Config).items():
        assert description.show(getattr(registered.config, name))


@pytest.mark.parametrize("registered", [family for family in NEW if NEW[family].parameter], indirect=True)
def test_the_scikit_learn_classifier_takes_it(registered, tiny):
    try:
        from engine.sklearn_estimator import NetworkClassifier
    except ImportError:
        need("peers", "scikit-learn is not installed")
    X = tiny.images[:300].reshape(300, -1) / 255
    classifier = NetworkClassifier((16,), epochs=8, random_state=0, **{registered.parameter: registered.name})
    assert classifier.fit(X, tiny.labels[:300]).score(X, tiny.labels[:300]) > 0.5
    losses = [event.loss for event in classifier.history_]
    assert losses[-1] < losses[0]


ONNX_NODES = {
    "activation": ("ACTIVATION_NODES", lambda graph, x: graph.node("Softsign", x)),
    "layer": (
        "LAYER_NODES",
        lambda graph, x, layer: graph.node("Add", graph.node("Mul", x, layer.gain), np.float32(layer.shift)),
    ),
}


@pytest.mark.parametrize("registered", ONNX_NODES, indirect=True)
def test_it_is_exported_if_it_is_registered_for_onnx(registered, request, monkeypatch, tiny):
    try:
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        need("peers", "onnx is not installed")
    from engine import export_onnx
    from engine.checks import InklingError

    network = registered.config.make_network(np.random.default_rng(0))
    with pytest.raises(InklingError, match=registered.name):
        export_onnx.to_onnx(network)
    nodes, function = ONNX_NODES[request.node.callspec.params["registered"]]
    monkeypatch.setitem(getattr(export_onnx, nodes), registered.name, function)
    inputs = network.as_input(tiny.images[:5])
    (probabilities,) = ReferenceEvaluator(export_onnx.to_onnx(network)).run(None, {export_onnx.INPUT: inputs})
    np.testing.assert_allclose(probabilities, network.predict_proba(tiny.images[:5]), atol=1e-5)


def test_a_layer_of_images_can_be_registered_too(monkeypatch):
    monkeypatch.setitem(LAYERS, "scale", Scale)
    config = Config(layers=(Scale(frozen=True), *READER))
    assert config.make_network(np.random.default_rng(0)).input_shape == (1, 28, 28)
    assert from_query(to_query(config)) == config
    assert Config.from_json(json.loads(json.dumps(asdict(config) | config.to_json()))) == config
    assert replace(config, epochs=2).differences(config) == {"epochs": (2, 6)}
