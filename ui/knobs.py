"""The knobs of a training: a widget for each setting of a ``Config``, with a word on what it does."""

import streamlit as st

from engine.data.augmentation import AUGMENTATIONS, LIMITS, Augmentation
from engine.losses import LOSSES
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES
from ui import kept, words

LEARNING_RATES = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
USUAL_RATE = {"sgd": 0.2, "momentum": 0.05, "nesterov": 0.05, "rmsprop": 0.001, "adam": 0.002, "adamw": 0.002}
BATCHES = [1, 8, 16, 32, 64, 128, 256, 512, 1024]
DECAYS = [0.0, 0.00001, 0.0001, 0.001, 0.01, 0.1]
IMAGES = [1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000]
NOTHING = ""
OWN = "its own"  # an augmentation that has no name
MOMENTUM = ("momentum", "nesterov")  # the optimizers that have one


def put(value):
    """A setting as a widget holds it: a select box shows None as if nothing were chosen."""
    return NOTHING if value is None else value


def taken(choice):
    """The setting that a widget's ``choice`` stands for."""
    return None if choice == NOTHING else choice


def options(name, usual, *first):
    """What to choose from: the usual values, and the one that a preset or a link has set."""
    given, now = put(getattr(st.session_state["base"][1], name)), kept.value(name)
    return [*first, *sorted({value for value in (*usual, given, now) if value not in first})]


def number(name, label, low, high, help, **look):
    """A number to type."""
    return st.number_input(label, low, high, key=kept.key(name), help=help, **look)


def choose(name, label, options, help, **look):
    """A value to pick, shown in words."""
    return st.selectbox(
        label, options, format_func=lambda v: words.value(name, taken(v)), key=kept.key(name), help=help, **look
    )


def few():
    """The three that matter most."""
    st.select_slider(
        "Learning rate",
        options("learning_rate", LEARNING_RATES),
        format_func="{:g}".format,
        key=kept.key("learning_rate"),
        help="The size of a step. Larger learns faster, until it does not: too large, and the loss explodes.",
    )
    left, right = st.columns(2, wrap=False)
    with left:
        number("epochs", "Epochs", 1, 100_000, "How many times every training image is looked at.")
    with right:
        choose(
            "batch_size",
            "Batch size",
            options("batch_size", BATCHES, NOTHING),
            "Images that are looked at before each step: 1 is per-sample training, all images is full-batch.",
        )


def more():
    """All others, but for the layers and the seed."""
    left, right = st.columns(2)
    optimizer = kept.value("optimizer")
    with left:
        choose(
            "optimizer",
            "Optimizer",
            list(OPTIMIZERS),
            "How the weights follow the gradient. Choosing one sets the learning rate to a usual one for it.",
            on_change=_use_usual_rate,
        )
        choose("loss", "Loss", list(LOSSES), "What training makes small. Cross-entropy punishes confident mistakes hardest.")
        choose(
            "weight_decay",
            "Weight decay",
            options("weight_decay", DECAYS),
            "Pulls the weights towards zero (L2), against learning by heart.",
        )
        choose("l1", "L1", options("l1", DECAYS), "Pulls weights to exactly zero, so that few are left.")
        choose(
            "averaging",
            "Weight averaging",
            options("averaging", [0.99, 0.999], NOTHING),
            "The network that is used is a moving average of the one that trains, with this decay.",
        )
        choose(
            "patience",
            "Stop early",
            options("patience", [3, 5, 10, 20], NOTHING),
            "After so many epochs without a better validation loss, stop and go back to the best.",
        )
    with right:
        number(
            "momentum",
            "Momentum",
            0.0,
            0.9999,
            "How much of the last step goes on into the next one (momentum and nesterov).",
            step=0.05,
            format="%g",
            disabled=optimizer not in MOMENTUM,
        )
        choose("schedule", "Schedule", list(SCHEDULES), "How the learning rate changes through the training.")
        number(
            "label_smoothing",
            "Label smoothing",
            0.0,
            0.9,
            "The part of each target that is shared out over all ten digits, against being too sure.",
            step=0.05,
            format="%g",
        )
        choose(
            "clip_norm",
            "Gradient clipping",
            options("clip_norm", [0.5, 1.0, 5.0], NOTHING),
            "A longer gradient is cut to this length, so that no step is wild.",
        )
        choose(
            "images",
            "Training images",
            options("images", IMAGES),
            "How many of the data take part, from the first.",
        )
        choose(
            "validation_size",
            "Validation images",
            options("validation_size", [0, 1_000, 5_000], NOTHING),
            "How many of them are held back, to see how well the network reads what it has not learned from.",
        )
    st.selectbox(
        "Augmentation",
        [*AUGMENTATIONS, OWN],
        key=kept.key("augmentation"),
        help="Shift, turn and bend each image anew whenever it is shown, so that none can be learned by heart.",
    )
    if kept.value("augmentation") == OWN:
        for name, column in zip(LIMITS, [c for _ in range(5) for c in st.columns(2)], strict=False):
            low, high = map(float, LIMITS[name])
            with column:
                number(f"augmentation {name}", name.capitalize(), low, high, AUGMENTATION_HELP[name], format="%g", step=0.5)
    st.toggle("Shuffle", key=kept.key("shuffle"), help="Draw the order of the images anew in each epoch.")


AUGMENTATION_HELP = {
    "shift": "Pixels, along each axis.",
    "rotation": "Degrees, either way.",
    "scale": "By which part each axis is stretched.",
    "shear": "Degrees by which uprights lean.",
    "elastic": "Pixels by which each place is bent away.",
    "smoothness": "Pixels over which the bending is even.",
    "thickness": "Pixels by which strokes get wider or thinner.",
    "noise": "Of each pixel, where white is 1.",
    "untouched": "The part of the images that are left as they are.",
}


def _use_usual_rate():
    kept.put("learning_rate", USUAL_RATE[kept.value("optimizer")])


def augmentation():
    """The augmentation that the widgets stand for."""
    name = kept.value("augmentation")
    if name != OWN:
        return AUGMENTATIONS[name]
    return Augmentation(**{field: kept.value(f"augmentation {field}") for field in LIMITS})
