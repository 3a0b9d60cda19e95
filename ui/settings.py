"""The hyperparameters on the Train page: each a widget with a sensible default and a word on what it does."""

from dataclasses import replace
from math import prod

import streamlit as st

from engine.activations import ACTIVATIONS
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.initializers import INITIALIZERS
from engine.losses import LOSSES
from engine.network import dense_layers, image_shape, parameter_count, plan
from engine.optimizers import OPTIMIZERS
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES
from ui.session import KEPT, kept

OWN = "Your own settings"
DEFAULT = Config()
LEARNING_RATES = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
USUAL_RATE = {"sgd": 0.2, "momentum": 0.05, "nesterov": 0.05, "rmsprop": 0.001, "adam": 0.002, "adamw": 0.002}
DECAYS = [0.0, 0.00001, 0.0001, 0.001, 0.01, 0.1]
BATCHES = [1, 8, 16, 32, 64, 128, 256, 512, 1024, None]
IMAGES = [1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000]
LOSS_NAMES = {
    "cross_entropy": "cross-entropy",
    "mse": "mean squared error",
    "sse": "sum of squared errors",
    "softmax_mse": "mean squared error, after softmax",
}


def settings():
    """Show the widgets and return the ``Config`` they stand for."""
    name = st.selectbox(
        "Start from",
        [OWN, *RECIPES],
        format_func=lambda name: name if name == OWN else f"Recipe: {name}",
        key=kept("start", OWN),
        help="Choose every setting yourself, or take one of Inkling's own recipes or of five published networks.",
    )
    return own_settings() if name == OWN else recipe_settings(RECIPES[name])


def recipe_settings(recipe):
    """Tell what the recipe is; how long it goes on is all that is left to choose."""
    config = recipe.config
    st.markdown(f"**{recipe.title}**")
    epochs = st.number_input(
        "Epochs",
        1,
        2_020,
        key=kept(f"epochs of {recipe.name}", config.epochs),
        help="As its author had it; fewer give a first impression.",
    )
    rows = plan(config.layers, image_shape(config.layers))
    with st.expander("Its layers"):
        st.table(
            {
                "layer": [
                    type(layer).__name__ + (f" ({layer.function})" if layer.kind == "activation" else "")
                    for layer in config.layers
                ],
                "output": [" x ".join(map(str, row.output)) for row in rows],
                "parameters": [f"{sum(map(prod, row.parameters.values())):,}" for row in rows],
            }
        )
    batch = "all images at once" if config.batch_size is None else f"batches of {config.batch_size}"
    st.caption(
        f"{LOSS_NAMES[config.loss].capitalize()}; {config.optimizer} at rate {config.learning_rate:g}, {batch}; "
        f"{config.images:,} images; {parameter_count(config.layers):,} parameters."
    )
    if recipe.claimed is not None:
        st.caption(f"Its author reports {recipe.claimed:.1%}, resting on {recipe.basis}.")
    if recipe.choices:
        st.caption(f"Settled here: {recipe.choices}.")
    return replace(config, epochs=epochs)


def own_settings():
    """All that can be chosen for a network of dense layers."""
    hidden = _hidden_layers()
    activation = st.selectbox(
        "Activation",
        ACTIVATIONS,
        key=kept("activation", "relu"),
        help="What each hidden unit does to its sum. ReLU trains fast; sigmoid and tanh flatten out for large sums.",
    )
    left, right = st.columns(2)
    optimizer = left.selectbox(
        "Optimizer",
        OPTIMIZERS,
        key=kept("optimizer", DEFAULT.optimizer),
        on_change=_use_usual_rate,
        help="How the weights follow the gradient. Choosing one sets the learning rate to a usual one for it.",
    )
    learning_rate = right.select_slider(
        "Learning rate",
        LEARNING_RATES,
        format_func="{:g}".format,
        key=kept("learning_rate", DEFAULT.learning_rate),
        help="The size of a step. Larger learns faster, until it does not: too large, and the loss explodes.",
    )
    batch_size = left.selectbox(
        "Batch size",
        BATCHES,
        format_func=lambda size: "all images" if size is None else f"{size:,}",
        key=kept("batch_size", DEFAULT.batch_size),
        help="Images that are looked at before each step: 1 is per-sample training, all images is full-batch.",
    )
    epochs = right.number_input(
        "Epochs", 1, 2_000, key=kept("epochs", DEFAULT.epochs), help="How many times every training image is looked at."
    )
    with st.expander("More settings"):
        more = _more_settings(optimizer)
    config = Config(
        layers=dense_layers(hidden, activation, more.pop("initializer")),
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        **more,
    )
    st.caption(f"{' → '.join(map(str, (784, *hidden, 10)))} units · {parameter_count(config.layers):,} parameters")
    return config


def _hidden_layers():
    count = st.slider(
        "Hidden layers",
        0,
        4,
        1,
        key=kept("depth", 1),
        help="Layers between the 784 pixels and the 10 outputs; 0 is a linear model.",
    )
    columns = st.columns(max(count, 1))
    return tuple(
        column.number_input(
            f"Units in layer {position}" if count < 3 else f"Layer {position}",
            1,
            2_048,
            step=16,
            key=kept(f"units {position}", 128 if position == 1 else 64),
            help="How many features this layer can look for at once.",
        )
        for position, column in enumerate(columns[:count], start=1)
    )


def _more_settings(optimizer):
    loss = st.selectbox(
        "Loss",
        LOSSES,
        format_func=LOSS_NAMES.get,
        key=kept("loss", DEFAULT.loss),
        help="What training makes small. Cross-entropy punishes confident mistakes hardest, and learns fastest.",
    )
    initializer = st.selectbox(
        "Initialiser",
        INITIALIZERS,
        key=kept("initializer", "he_normal"),
        help="Weights before training: he_* suits ReLU, glorot_* and lecun_* sigmoid and tanh; zeros cannot learn.",
    )
    momentum = st.slider(
        "Momentum",
        0.0,
        0.99,
        step=0.01,
        key=kept("momentum", DEFAULT.momentum),
        disabled=optimizer not in ("momentum", "nesterov"),
        help="How much of the last step goes on into the next one (momentum and nesterov).",
    )
    weight_decay = st.select_slider(
        "Weight decay",
        DECAYS,
        format_func="{:g}".format,
        key=kept("weight_decay", DEFAULT.weight_decay),
        help="Pulls the weights towards zero (L2), against learning by heart.",
    )
    schedule = st.selectbox(
        "Schedule",
        SCHEDULES,
        key=kept("schedule", DEFAULT.schedule),
        help="How the learning rate changes through the training: large steps first, small ones at the end.",
    )
    augmentation = st.selectbox(
        "Augmentation",
        AUGMENTATIONS,
        key=kept("augmentation", "none"),
        help="Shift, turn and bend each image anew whenever it is shown, so that none can be learned by heart.",
    )
    images = st.select_slider(
        "Training images",
        IMAGES,
        format_func="{:,}".format,
        key=kept("images", DEFAULT.images),
        help="How many of MNIST's 60,000, from the first; a tenth of them, at most 5,000, is held back for validation.",
    )
    early = st.toggle(
        "Stop early",
        key=kept("early", False),
        help="Stop when the validation loss has not improved for 5 epochs, and go back to the best.",
    )
    seed = st.number_input(
        "Seed", 0, 2**31, key=kept("seed", DEFAULT.seed), help="Of everything random: the same seed gives the same network."
    )
    return {
        "loss": loss,
        "initializer": initializer,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "augmentation": AUGMENTATIONS[augmentation],
        "images": images,
        "patience": 5 if early else None,
        "seed": seed,
    }


def _use_usual_rate():
    st.session_state[KEPT + "learning_rate"] = USUAL_RATE[st.session_state[KEPT + "optimizer"]]
