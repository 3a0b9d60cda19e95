"""In words: settings of trainings, what differs between two of them, probabilities, lengths of time."""

from engine.data.augmentation import AUGMENTATIONS

SETTINGS = {
    "layers": "layers",
    "loss": "loss",
    "label_smoothing": "label smoothing",
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "schedule": "schedule",
    "momentum": "momentum",
    "weight_decay": "weight decay",
    "l1": "L1",
    "clip_norm": "gradient clipping",
    "averaging": "weight averaging",
    "augmentation": "augmentation",
    "batch_size": "batch size",
    "shuffle": "shuffling",
    "epochs": "epochs",
    "images": "training images",
    "validation_size": "validation images",
    "patience": "patience",
    "seed": "seed",
    "input_shape": "input shape",
}
LOSSES = {
    "cross_entropy": "cross-entropy",
    "mse": "mean squared error",
    "sse": "sum of squared errors",
    "softmax_mse": "mean squared error, after softmax",
}
NONE = {
    "batch_size": "all images",
    "validation_size": "a tenth, at most 5,000",
    "patience": "none",
    "clip_norm": "none",
    "averaging": "none",
    "augmentation": "none",
}
LAYERS = {
    "dense": "Dense",
    "activation": "Activation",
    "conv2d": "Convolution",
    "max_pool2d": "Max pooling",
    "avg_pool2d": "Mean pooling",
    "flatten": "Flatten",
    "batch_norm": "Batch norm",
    "dropout": "Dropout",
}


def value(name, content):
    """The value of a ``Config``'s field as the page shows it."""
    if content is None:
        return NONE.get(name, "none")
    if name == "layers":
        return layers(content)
    if name == "loss":
        return LOSSES[content]
    if name == "augmentation":
        return next((known for known, augmentation in AUGMENTATIONS.items() if augmentation == content), "its own")
    if isinstance(content, bool):
        return "on" if content else "off"
    return f"{content:g}" if isinstance(content, float) else f"{content:,}" if isinstance(content, int) else str(content)


def layers(them):
    """A network in one line, as ``128 relu → 10``."""
    parts = []
    for layer in them:
        if layer.kind == "activation" and parts:
            parts[-1] += f" {layer.function}"
        else:
            parts.append(_layer(layer))
    return " → ".join(parts)


def _layer(layer):
    frozen = " (frozen)" if layer.frozen else ""
    match layer.kind:
        case "dense":
            return f"{layer.units}{frozen}"
        case "conv2d":
            return f"conv {layer.filters} of {layer.kernel}x{layer.kernel}{frozen}"
        case "max_pool2d" | "avg_pool2d":
            return f"pool {layer.size}x{layer.size}"
        case "dropout":
            return f"dropout {layer.rate:g}"
        case "activation":
            return layer.function
    return LAYERS[layer.kind].lower()


def change(name, before, after):
    """One difference, as ``learning rate 0.002 → 0.01``."""
    old, new = value(name, before), value(name, after)
    if name == "layers":
        return "layers' details" if old == new else f"layers {new}"
    return f"{SETTINGS[name]} {old} → {new}"


def differences(before, after):
    """What changed from one ``Config`` to another, in one line; empty where nothing did."""
    found = before.differences(after)
    return ", ".join(change(name, *pair) for name, pair in found.items())


def changes(values):
    """What was changed in the middle of a training, as ``learning rate to 0.01``."""
    return ", ".join(f"{SETTINGS[name]} to {value(name, content)}" for name, content in values.items())


def loss(number):
    """A loss with as many digits as matter."""
    return f"{number:.4f}" if number < 100 else f"{number:,.0f}" if number < 1e9 else f"{number:.1e}"


def duration(seconds):
    """A length of time in words that fit it."""
    if 0 < seconds < 0.05:
        return "less than 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def percent(p):
    """A probability for people: no more digits than matter, and never a 100 % that is not one."""
    if 0.9995 <= p < 1:
        return ">99.9 %"
    return f"{100 * p:.1f} %"
