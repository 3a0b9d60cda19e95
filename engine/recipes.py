"""Trainings by name: five published from-scratch networks as their authors built them, and Inkling's own."""

from dataclasses import dataclass, replace

from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.network import dense_layers


@dataclass(frozen=True)
class Recipe:
    """A ``Config`` with where it comes from. ``claimed`` is the test accuracy that its author published, None for none;
    ``basis`` says what that rests on, and ``choices`` what the source leaves open and how it was settled here. A ``long``
    one takes an hour or more."""

    name: str
    title: str
    config: Config
    claimed: float | None = None
    basis: str = ""
    choices: str = ""
    long: bool = False


_STENGER = Config(
    layers=(
        Dense(30, "small_uniform", frozen=True),
        Activation("sigmoid"),
        Dense(10, "small_uniform"),
        Activation("sigmoid"),
    ),
    loss="sse",
    optimizer="sgd",
    learning_rate=1.0,
    batch_size=150,
    epochs=1,
    validation_size=0,
)

_SHIPPED = {
    "optimizer": "adamw",
    "weight_decay": 0.02,
    "schedule": "one_cycle",
    "averaging": 0.999,
    "augmentation": AUGMENTATIONS["strong"],
    "images": 1_000_000,
}
_REFINED = {"augmentation": AUGMENTATIONS["half"], "learning_rate": 0.001, "epochs": 8}
_MLP = Config(
    layers=(
        *(Dense(1200), BatchNorm(), Activation("relu"), Dropout(0.15)),
        *(Dense(1000), BatchNorm(), Activation("relu"), Dropout(0.15)),
        *(Dense(500), BatchNorm(), Activation("relu"), Dropout(0.15)),
        Dense(10),
    ),
    learning_rate=0.003,
    epochs=60,
    **_SHIPPED,
)
_CNN = Config(
    layers=(
        *(Conv2D(24, 5), MaxPool2D(), BatchNorm(), Activation("relu")),  # pooled first: a quarter of the work
        *(Conv2D(64, 3), BatchNorm(), Activation("relu")),
        *(Conv2D(64, 3), MaxPool2D(), BatchNorm(), Activation("relu")),
        *(Conv2D(128, 3), BatchNorm(), Activation("relu")),
        *(Flatten(), Dense(96), BatchNorm(), Activation("relu"), Dropout(0.2)),
        Dense(10),
    ),
    learning_rate=0.004,
    epochs=36,
    **_SHIPPED,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("quick", "Inkling's default: 97 % in seconds", Config()),
        Recipe(
            "mlp",
            "Two wide layers with dropout, a one-cycle schedule and light augmentation",
            Config(
                layers=(
                    *(Dense(512), Activation("relu"), Dropout(0.2)),
                    *(Dense(512), Activation("relu"), Dropout(0.2)),
                    Dense(10),
                ),
                optimizer="adamw",
                weight_decay=0.01,
                schedule="one_cycle",
                augmentation=AUGMENTATIONS["light"],
                epochs=15,
            ),
        ),
        Recipe(
            "cnn",
            "A LeNet-like convolutional network: 98.5 % in its first minute (LeCun et al., 1998)",
            Config(
                layers=(
                    *(Conv2D(8, 5), Activation("relu"), MaxPool2D()),
                    *(Conv2D(16, 5), Activation("relu"), MaxPool2D()),
                    *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
                ),
                schedule="one_cycle",
                learning_rate=0.005,
                batch_size=64,
                epochs=4,
            ),
        ),
        Recipe("mlp-shipped", "The shipped network of dense layers, for all data at once: an hour", _MLP, long=True),
        Recipe(
            "mlp-refined",
            "What follows it, to begin with its weights: every other image is left as it is",
            replace(_MLP, **_REFINED),
            long=True,
        ),
        Recipe("cnn-shipped", "The shipped convolutional network, for all data at once: an hour", _CNN, long=True),
        Recipe(
            "cnn-refined",
            "What follows it, to begin with its weights: every other image is left as it is",
            replace(_CNN, **_REFINED),
            long=True,
        ),
        Recipe(
            "siddiqi-2023",
            "mnist-classifier-from-scratch: one sample at a time, squared error behind a softmax",
            Config(
                layers=(
                    *(Dense(128, "he_normal"), Activation("relu")),
                    *(Dense(64, "lecun_normal"), Activation("tanh")),
                    Dense(10, "lecun_normal"),
                ),
                loss="softmax_mse",
                optimizer="sgd",
                learning_rate=0.01,
                batch_size=1,
                shuffle=False,
                epochs=500,
                images=1_000,
                validation_size=0,
            ),
            0.95,
            "20 test images",
            "500 epochs as its main.py has, of up to 1,000; its rate with the mean over the ten squared errors",
        ),
        Recipe(
            "than-dev",
            "mnist-neural-network: full-batch gradient descent from small normal weights",
            Config(
                layers=dense_layers((128,), "relu", "small_normal"),
                optimizer="sgd",
                learning_rate=0.2,
                batch_size=None,
                epochs=100,
                validation_size=0,
            ),
            None,
            "no figure; it trains on all 70,000 images, test images among them",
            "rate 0.2 and 100 epochs as its code has (its README: 0.1 and 2,000), on the 60,000 training images",
        ),
        Recipe(
            "stenger-2018",
            "MNIST_Neural_Net: sigmoid units, one pass, the first layer never trained",
            _STENGER,
            0.613,
            "the best of several runs, on the first 1,000 test images",
        ),
        Recipe(
            "stenger-2018-both",
            "The same with both layers trained, as its author meant it",
            replace(_STENGER, layers=(replace(_STENGER.layers[0], frozen=False), *_STENGER.layers[1:])),
        ),
        Recipe(
            "zhang-inspired",
            "From Scratch: MNIST Digit Recognizer: full batch at a very small rate",
            Config(
                layers=dense_layers((128,), "relu", "he_normal"),
                optimizer="sgd",
                learning_rate=0.001,
                batch_size=None,
                epochs=2_020,
                validation_size=0,
            ),
            0.8057,
            "the test images",
            "the source gives no initialisation: he_normal",
        ),
        Recipe(
            "koushik-2023",
            "MNIST Classification From Scratch, Step by Step: ten sigmoid units, then a softmax",
            Config(
                layers=dense_layers((10,), "sigmoid", "lecun_normal"),
                optimizer="sgd",
                learning_rate=0.1,
                batch_size=64,
                epochs=100,
                validation_size=0,
                seed=42,
            ),
            0.923,
            "the 10,000 test images",
        ),
    )
}
