"""A training that was saved, loaded in another process and continued gives the same bits as one that never stopped."""

import json
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
from helpers import ROOT, make_digits

from engine import CheckpointError, Config, EpochEnd, Trainer, dense_layers
from engine.checkpoint import load, load_training, save_training
from engine.data.augmentation import AUGMENTATIONS
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D

CONVOLUTIONAL = (
    Conv2D(4, 5, stride=2),
    BatchNorm(),
    Activation("relu"),
    MaxPool2D(),
    Flatten(),
    Dropout(0.3),
    Dense(10),
)
CONFIGS = {
    "plain": {"layers": dense_layers((16,)), "optimizer": "sgd", "learning_rate": 0.1},
    "everything": {
        "layers": CONVOLUTIONAL,
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "l1": 1e-5,
        "schedule": "one_cycle",
        "label_smoothing": 0.1,
        "max_grad_norm": 1.0,
        "ema_decay": 0.99,
        "augmentation": list(AUGMENTATIONS.values())[-1],
        "patience": 5,
    },
    "momentum": {"layers": (Flatten(), Dropout(0.2), *dense_layers((16,))), "optimizer": "nesterov", "schedule": "cosine"},
}
CONTINUE = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from helpers import make_digits
from engine.checkpoint import load_training, save_training
trainer = load_training({path!r}, make_digits(300))
for event in trainer:
    pass
save_training({path!r}, trainer)
"""


def trainer(name, **changes):
    return Trainer.from_config(Config(**CONFIGS[name] | {"batch_size": 32, "epochs": 3} | changes), make_digits(300))


def timeless(events):
    return [event[:-2] for event in events]  # without samples_per_second and seconds


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("pause", [0, 5, 9, 10, 17])  # before the first step, within an epoch, at its end, after it
def test_a_paused_training_continues_bit_for_bit(tmp_path, name, pause):
    whole = trainer(name)
    events = list(whole)
    paused = trainer(name)
    before = list(islice(paused, pause))
    save_training(tmp_path / "paused.npz", paused)
    for _ in paused:  # the file must not depend on what happens to this trainer
        pass
    resumed = load_training(tmp_path / "paused.npz", make_digits(300))
    assert timeless(before + list(resumed)) == timeless(events)
    np.testing.assert_array_equal(resumed.network.state_vector, whole.network.state_vector)
    np.testing.assert_array_equal(resumed.result.state_vector, whole.result.state_vector)
    np.testing.assert_array_equal(resumed.curve.points(), whole.curve.points())
    assert timeless(resumed.history) == timeless(whole.history)


def test_a_paused_training_continues_in_a_new_process(tmp_path):
    whole = trainer("everything")
    list(whole)
    path = tmp_path / "paused.npz"
    paused = trainer("everything")
    list(islice(paused, 13))
    save_training(path, paused)
    code = CONTINUE.format(root=str(ROOT), tests=str(ROOT / "tests"), path=str(path))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    resumed = load_training(path, make_digits(300))
    assert resumed.is_over
    np.testing.assert_array_equal(resumed.result.state_vector, whole.result.state_vector)


def test_changes_are_saved(tmp_path):
    def changed(training):
        list(islice(training, 4))
        training.change(learning_rate=0.003, batch_size=16)
        return training

    whole = changed(trainer("momentum"))
    list(whole)
    paused = changed(trainer("momentum"))
    list(islice(paused, 3))
    save_training(tmp_path / "paused.npz", paused)
    resumed = load_training(tmp_path / "paused.npz", make_digits(300))
    assert resumed.changes == paused.changes == [(4, 4 * 32 / 270, {"learning_rate": 0.003, "batch_size": 16})]
    list(resumed)
    np.testing.assert_array_equal(resumed.network.state_vector, whole.network.state_vector)


def test_a_divergence_right_after_the_pause_leaves_the_same_network(tmp_path):
    def run():
        return trainer("plain", learning_rate=10.0, loss="mse", layers=dense_layers((16, 16), "identity"))

    whole = run()
    events = list(whole)
    paused = run()
    list(islice(paused, len(events) - 1))
    save_training(tmp_path / "paused.npz", paused)
    resumed = load_training(tmp_path / "paused.npz", make_digits(300))
    list(resumed)
    np.testing.assert_array_equal(resumed.network.state_vector, whole.network.state_vector)


def test_a_paused_training_is_also_a_network(tmp_path):
    paused = trainer("everything")
    next(event for event in paused if isinstance(event, EpochEnd))
    save_training(tmp_path / "paused.npz", paused)
    np.testing.assert_array_equal(load(tmp_path / "paused.npz").state_vector, paused.network.state_vector)


def test_other_data_and_other_files_are_refused(tmp_path):
    paused = trainer("plain")
    save_training(tmp_path / "paused.npz", paused)
    with pytest.raises(CheckpointError, match="data it began with"):
        load_training(tmp_path / "paused.npz", make_digits(300, seed=1))
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(CheckpointError, match=r"text\.npz"):
        load_training(tmp_path / "text.npz", make_digits(300))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epoch", 0),
        ("epoch", "1"),
        ("step", -1),
        ("position", 1_000_000),
        ("loss_sum", None),
        ("best", [1]),
        ("best", {"a": 1}),
        ("history", [[1]]),
        ("history", "x"),
        ("history", [["1", 9, 0.5, 0.9, None, None, 1.0, 1.0]]),
        ("history", [[1, 9, None, 0.9, None, None, 1.0, 1.0]]),
        ("history", [[1, 9, 0.5, 0.9, "0.5", None, 1.0, 1.0]]),
        ("history", [[1, 9, float("inf"), 0.9, None, None, 1.0, 1.0]]),
        ("rngs", {}),
        ("optimizer_steps", "many"),
        ("optimizer_steps", -1),
        ("curve", [0, 0]),
        ("curve", [1, "x"]),
        ("changes", [[1]]),
        ("changes", [["1", 0.5, {"momentum": 0.5}]]),
        ("changes", [[0, "x", {"momentum": 0.5}]]),
        ("changes", [[0, 0.5, {"momentum": 2}]]),
        ("changes", [[0, 0.5, {"epochs": 2}]]),
    ],
)
def test_a_hostile_state_is_refused_in_one_line(tmp_path, key, value):
    paused = trainer("plain")
    list(islice(paused, 3))
    save_training(tmp_path / "paused.npz", paused)
    arrays = dict(np.load(tmp_path / "paused.npz"))
    header = json.loads(arrays["header"].tobytes())
    header["training"]["state"][key] = value
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "hostile.npz", **arrays)
    with pytest.raises(CheckpointError) as error:
        load_training(tmp_path / "hostile.npz", make_digits(300))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["values", "last_finite", "order", "curve", "optimizer.sum", "average"])
def test_hostile_arrays_are_refused_in_one_line(tmp_path, name):
    paused = trainer("everything")
    save_training(tmp_path / "paused.npz", paused)
    arrays = dict(np.load(tmp_path / "paused.npz"))
    for broken in (arrays[name][:-1] if name != "curve" else arrays[name][:, :-1], None):
        changed = {n: a for n, a in arrays.items() if n != name} | ({} if broken is None else {name: broken})
        np.savez(tmp_path / "hostile.npz", **changed)
        with pytest.raises(CheckpointError):
            load_training(tmp_path / "hostile.npz", make_digits(300))


def test_a_missing_or_broken_best_network_is_refused(tmp_path):
    paused = trainer("everything")
    next(event for event in paused if isinstance(event, EpochEnd))
    save_training(tmp_path / "paused.npz", paused)
    arrays = dict(np.load(tmp_path / "paused.npz"))
    best = arrays["best_values"]
    for broken in (best[:3], np.full_like(best, np.nan), None):
        changed = {n: a for n, a in arrays.items() if n != "best_values"} | (
            {} if broken is None else {"best_values": broken}
        )
        np.savez(tmp_path / "hostile.npz", **changed)
        with pytest.raises(CheckpointError, match="best_values"):
            load_training(tmp_path / "hostile.npz", make_digits(300))


def test_a_resumed_network_has_its_config_and_data_in_info(tmp_path):
    paused = trainer("everything")
    paused.change(learning_rate=0.004)
    save_training(tmp_path / "paused.npz", paused)
    resumed = load_training(tmp_path / "paused.npz", make_digits(300))
    for network in (resumed.network, resumed.result):
        assert network.info["config"]["learning_rate"] == 0.004
        assert network.info["data"]["images"] == 270


def test_a_training_about_to_diverge_can_be_saved(tmp_path):
    layers = dense_layers((16, 16, 16), "identity")
    diverging = trainer("plain", learning_rate=10.0, loss="sse", layers=layers)
    while diverging.loss_sum < 1e19:
        next(diverging)
    save_training(tmp_path / "paused.npz", diverging)
    assert load_training(tmp_path / "paused.npz", make_digits(300)).loss_sum == diverging.loss_sum
