"""The Train page run through ``AppTest``."""

import io
import re
from math import comb
from threading import Event
from time import monotonic, sleep
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from helpers import make_digits
from pages import SEVEN, answer, button, draw, open_app, widget

import engine
from engine import Config, Trainer, jobs
from engine.data import mnist as mnist_module
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.layers import Activation, Dense
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.recipes import RECIPES
from ui import controls, data, keep, speed, table

WAIT = 30  # seconds that a tiny training may take on a busy machine
CONTROLS = ("Start", "Pause", "Resume", "1 batch", "1 epoch", "Stop", "Reset")
OPEN = ("network open", "more open")  # the expanders of settings


@pytest.fixture
def sets(monkeypatch):
    """The page's data replaced by a small set, so that a run takes a moment."""
    sets = make_digits(1200, 1), make_digits(300, 2)
    monkeypatch.setattr(data, "load", lambda source: sets)
    return sets


@pytest.fixture(autouse=True)
def _no_measuring(monkeypatch):
    """How fast this machine is makes no difference here."""
    monkeypatch.setattr(speed, "seconds_per_epoch", lambda config, available, runs: 1.0)


def open_train(**query):
    app = open_app()
    for name, value in query.items():
        app.query_params[name] = value
    for name in OPEN:
        app.session_state[f"kept:{name}"] = True
    return app.switch_page("ui/train.py").run()


def runs(app):
    return app.session_state["runs"]


def start(app, **settings):
    """Change these settings, then Start."""
    for label, value in settings.items():
        widget(app.number_input, label.replace("_", " ")).set_value(value).run()
    button(app, "Start").click().run()
    assert not app.exception
    return runs(app)[-1]


def wait_for(condition, what):
    deadline = monotonic() + WAIT
    while not condition():
        assert monotonic() < deadline, what
        sleep(0.02)


def run_to_end(app):
    run = runs(app)[-1]
    wait_for(lambda: run.over, "the training did not end")
    app.run()
    assert not app.exception
    return run


def show(app, panel):
    app.session_state["kept:panel"] = panel
    app.run()
    assert not app.exception


def html(app, part):
    return "".join(block.proto.body for block in app.get("html") if part in block.proto.body)


def choose(app, *rows):
    """Tick rows of the runs' table."""
    app.session_state["runs table"] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    app.run()
    assert not app.exception


# Settings


def test_every_setting_has_a_help_text():
    app = open_train()
    widgets = [*app.slider, *app.select_slider, *app.selectbox, *app.number_input, *app.toggle]
    assert len(widgets) >= 20
    assert [w.label for w in widgets if not w.help] == []


def test_a_closed_page_shows_the_few_knobs_and_nothing_of_the_rest():
    app = open_app("ui/train.py")
    shown = [w.label for w in (*app.selectbox, *app.select_slider, *app.number_input)]
    assert shown == ["Data", "Preset", "Batch size", "Learning rate", "Epochs"]


def test_choosing_an_optimizer_sets_a_usual_learning_rate():
    app = open_train()
    widget(app.selectbox, "Optimizer").select("sgd").run()
    assert widget(app.select_slider, "Learning rate").value == 0.2


@pytest.mark.parametrize("name", RECIPES)
def test_a_preset_sets_everything_and_says_where_it_comes_from(name, sets):
    app = open_train()
    widget(app.selectbox, "Preset").select(name).run()
    assert not app.exception
    assert any(RECIPES[name].title in caption.value for caption in app.caption)
    button(app, "1 batch").click().run()
    assert runs(app)[-1].config == RECIPES[name].config


def test_every_setting_reaches_the_training(sets):
    app = open_train()
    for label, value in {
        "Function": "tanh",
        "Optimizer": "nesterov",
        "Batch size": 32,
        "Loss": "softmax_mse",
        "Schedule": "cosine",
        "Augmentation": "its own",
        "Weight decay": 0.001,
        "L1": 0.0001,
        "Weight averaging": 0.99,
        "Stop early": 5,
        "Gradient clipping": 1.0,
        "Training images": 1_000,
    }.items():
        widget(app.selectbox, label).select(value).run()
    widget(app.select_slider, "Learning rate").set_value(0.05).run()
    widget(app.toggle, "Shuffle").set_value(False).run()
    numbers = {"Units": 20, "Momentum": 0.5, "Label smoothing": 0.1, "Epochs": 1, "Seed": 7, "Rotation": 12.0}
    for label, value in numbers.items():
        widget(app.number_input, label).set_value(value).run()
    button(app, "Start").click().run()
    assert runs(app)[-1].config == Config(
        layers=(Dense(20), Activation("tanh"), Dense(10)),
        optimizer="nesterov",
        batch_size=32,
        loss="softmax_mse",
        schedule="cosine",
        augmentation=Augmentation(rotation=12),
        learning_rate=0.05,
        label_smoothing=0.1,
        weight_decay=0.001,
        l1=0.0001,
        averaging=0.99,
        clip_norm=1.0,
        momentum=0.5,
        shuffle=False,
        images=1_000,
        epochs=1,
        seed=7,
        patience=5,
    )


def test_nothing_is_a_choice_like_any_other(sets):
    app = open_train()
    batch = widget(app.selectbox, "Batch size")
    assert "all images" in batch.options
    batch.select("").run()
    app.session_state["kept:images"] = 1_000
    button(app, "1 batch").click().run()
    assert runs(app)[0].config.batch_size is None


def test_what_was_changed_since_the_preset_is_told_and_can_be_undone():
    app = open_train()
    widget(app.number_input, "Epochs").set_value(9).run()
    assert any("epochs 6 → 9" in caption.value for caption in app.caption)
    button(app, "Undo the changes").click().run()
    assert widget(app.number_input, "Epochs").value == 6
    assert not any("Changed from" in caption.value for caption in app.caption)


# The builder


def test_the_builder_shows_each_layers_output_and_parameters():
    app = open_train()
    widget(app.selectbox, "Preset").select("cnn").run()
    network = engine.Network(RECIPES["cnn"].config.layers)
    rows = [block.proto.body for block in app.get("html") if '<div class="inkling-layer' in block.proto.body]
    assert len(rows) == len(network.layers)
    x = np.zeros((1, 1, 28, 28), np.float32)
    for row, layer in zip(rows, network.layers, strict=True):
        x = layer.forward(x)
        assert f"→ {' x '.join(map(str, x.shape[1:]))}" in row
        if layer.kind in ("dense", "conv2d"):
            assert f"· {layer.W.size + layer.b.size:,}" in row


def test_layers_are_added_moved_changed_and_removed():
    app = open_train()
    widget(app.selectbox, "A new layer").select("dropout").run()
    button(app, "Add").click().run()
    blocks = app.session_state["blocks"]
    assert [block.layer.kind for block in blocks] == ["dense", "activation", "dropout", "dense"]
    app.session_state[f"more of layer {blocks[2].number}"] = True
    app.run()
    next(b for b in app.button if b.key == f"Up layer {blocks[2].number}").click().run()
    assert [block.layer.kind for block in app.session_state["blocks"]] == ["dense", "dropout", "activation", "dense"]
    next(b for b in app.button if b.key == f"Remove layer {blocks[1].number}").click().run()
    assert not app.exception
    assert [block.layer.kind for block in app.session_state["blocks"]] == ["dense", "activation", "dense"]


def test_a_network_that_cannot_work_says_which_two_layers_do_not_fit_and_cannot_be_started():
    app = open_train()
    widget(app.selectbox, "A new layer").select("conv2d").run()
    button(app, "Add").click().run()
    assert "layer 3, Conv2D(" in app.error[0].value
    assert "layer 2, Activation(" in app.error[0].value
    assert button(app, "Start").disabled


# Run control


def test_a_network_is_trained_and_then_drawn_with(sets):
    app = open_train()
    start(app, Epochs=20)
    run = run_to_end(app)
    assert not button(app, "Start").disabled
    assert "300 test images right" in app.success[0].value
    assert run.job.snapshot().state == "finished"
    assert len(run.job.snapshot().history) == 20
    button(app, "Draw with this network").click().run()
    assert widget(app.selectbox, "Network").value == "Run 1"


def test_pause_stands_still_steps_count_resume_goes_on_and_stop_keeps_the_network(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    button(app, "Pause").click().run()
    assert run.job.settle(WAIT)
    step = run.job.snapshot().step
    sleep(0.3)
    assert run.job.snapshot().step == step
    button(app, "1 batch").click().run()
    assert run.job.settle(WAIT)
    assert run.job.snapshot().step == step + 1
    epochs = len(run.job.snapshot().history)
    button(app, "1 epoch").click().run()
    assert run.job.settle(WAIT)
    assert len(run.job.snapshot().history) == epochs + 1
    step = run.job.snapshot().step
    button(app, "Resume").click().run()
    wait_for(lambda: run.job.snapshot().step > step, "it does not go on")
    button(app, "Stop").click().run()
    assert run.job.snapshot().state == "stopped"
    options = widget(app.switch_page("ui/draw.py").run().selectbox, "Network").options
    assert any(option.startswith("Run 1") for option in options)


def test_a_run_that_is_stopped_is_shown_being_tested_until_that_is_done(sets, monkeypatch):
    app, may_end = open_train(), Event()

    def slow(*arguments):
        assert may_end.wait(WAIT)
        return evaluate(*arguments)

    monkeypatch.setattr(jobs, "evaluate", slow)
    run = start(app, Epochs=2_000)
    button(app, "Stop").click().run()
    assert not app.exception
    assert run.job.snapshot().state == "testing"
    assert [b.label for b in app.button if b.label in CONTROLS and not b.disabled] == ["Reset"]
    assert "being measured on the test images" in app.get("progress")[0].proto.text
    may_end.set()
    run_to_end(app)
    assert run.job.snapshot().state == "stopped"
    assert [b.label for b in app.button if b.label in CONTROLS and not b.disabled] == ["Start", "1 batch", "1 epoch"]


def test_the_estimate_beside_start_is_there_as_soon_as_it_was_measured(monkeypatch):
    known = []
    monkeypatch.setattr(speed, "seconds_per_epoch", lambda config, available, runs: known[-1] if known else None)
    app = open_train()
    assert any("101,770 parameters · measuring the speed" in caption.value for caption in app.caption)
    known.append(12.4)
    app.run()
    assert any("101,770 parameters · **12 s** an epoch" in caption.value for caption in app.caption)


def test_a_first_step_needs_no_start(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    assert runs(app)[0].job.settle(WAIT)
    assert runs(app)[0].job.snapshot().step == 1
    assert button(app, "Resume")


def test_reset_goes_back_to_before_the_first_step_with_the_same_settings(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    wait_for(lambda: run.job.snapshot().step > 3, "it does not begin")
    button(app, "Reset").click().run()
    (again,) = runs(app)
    assert (again.name, again.config) == ("Run 1", run.config)
    assert again.job.snapshot().step == 0
    assert again.job.snapshot().state == "paused"


def test_settings_change_while_it_runs_and_the_change_is_marked(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    button(app, "Pause").click().run()
    assert run.job.settle(WAIT)
    change = next(box for box in app.selectbox if box.key == f"{run.key} learning_rate")
    change.select(0.5).run()
    assert not app.exception
    assert run.job.snapshot().config.learning_rate == 0.5
    assert any("learning rate to 0.5" in caption.value for caption in app.caption)


def test_several_seeds_run_one_after_another_and_show_as_a_band(sets):
    app = open_train()
    start(app, **{"Seeds_to_run": 3, "Epochs": 2})
    run = run_to_end(app)
    seeds = [one.config.seed for one in run.snapshots()]
    assert seeds == [0, 1, 2]
    assert any("Its 3 seeds" in caption.value for caption in app.caption)
    rows = table.laid_over([run], "accuracy", "epoch", training=True)
    ends = np.array([[end.validation_accuracy for end in one.history] for one in run.snapshots()])
    chosen = np.array(rows["series"]) == "validation"
    for name, expected in {"value": ends.mean(0), "low": ends.min(0), "high": ends.max(0)}.items():
        np.testing.assert_allclose(np.array(rows[name])[chosen], expected)


# What comes of it


def test_a_run_that_diverges_is_explained_and_can_be_started_again(sets):
    app = open_train()
    for label, value in {"Optimizer": "sgd", "Loss": "mse", "Function": "identity"}.items():
        widget(app.selectbox, label).select(value).run()
    widget(app.select_slider, "Learning rate").set_value(10.0).run()
    start(app)
    assert run_to_end(app).job.snapshot().state == "diverged"
    assert "learning rate smaller than 10" in app.error[0].value
    widget(app.select_slider, "Learning rate").set_value(0.05).run()
    start(app, Epochs=1)
    assert run_to_end(app).job.snapshot().state == "finished"


def test_a_run_that_learned_nothing_says_so(sets):
    app = open_train()
    app.session_state[f"more of layer {app.session_state['blocks'][0].number}"] = True
    app.session_state[f"more of layer {app.session_state['blocks'][2].number}"] = True
    app.run()
    for box in [box for box in app.selectbox if box.label == "First weights" and "initializer" in box.key]:
        box.select("zeros").run()
    start(app)
    run_to_end(app)
    assert "by guessing" in app.warning[0].value


def test_every_panel_can_be_opened_before_during_and_after_a_run(sets):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train.py").run()
    button(app, "1 batch").click().run()
    run = runs(app)[0]
    for panel in ("Layers", "Readings", "Mistakes", "Keep", "Curves"):
        show(app, panel)
    button(app, "1 epoch").click().run()
    assert run.job.settle(WAIT)
    show(app, "Layers")
    assert html(app, "inkling-table").count("<tr>") == 3
    assert "data:image/png" in html(app, "inkling-weights")
    show(app, "Readings")
    assert html(app, "inkling-digits").count("<figure") == 12
    assert any("Now it reads a" in caption.value for caption in app.caption)
    show(app, "Mistakes")
    assert any("after epoch 1" in markdown.value for markdown in app.markdown)
    button(app, "Resume").click().run()
    run_to_end(app)
    for panel in ("Layers", "Readings", "Mistakes", "Keep"):
        show(app, panel)


def test_the_images_behind_a_cell_are_those_that_were_read_so(sets):
    app = open_train()
    start(app, Epochs=1)
    run = run_to_end(app)
    show(app, "Mistakes")
    test, labels = run.job.snapshot().test, sets[1].labels
    readings = test.probabilities.argmax(axis=1)
    off = test.confusion - np.diag(np.diag(test.confusion))
    label, reading = divmod(int(off.argmax()), 10)
    count = int(((labels == label) & (readings == reading)).sum())
    assert count
    assert any(f"{count:,} images of a {label} that it reads as {reading}" in caption.value for caption in app.caption)
    gallery = next(block.proto.body for block in app.get("html") if "inkling-digits" in block.proto.body)
    assert gallery.count("<figure") == min(count, 24)


# The runs


def test_runs_stay_in_a_table_with_what_differs_and_two_are_compared(sets):
    app = open_train()
    first = start(app, Epochs=1)
    run_to_end(app)
    widget(app.select_slider, "Learning rate").set_value(0.0001).run()
    second = start(app)
    run_to_end(app)
    shown = app.dataframe[0].value
    assert list(shown["Name"]) == ["Run 1", "Run 2"]
    assert shown["What differs"][1] == "learning rate 0.002 → 0.0001"
    np.testing.assert_allclose(shown["Test"], [100 * run.job.snapshot().test.accuracy for run in (first, second)])
    choose(app, 0, 1)
    assert "<td>learning rate</td><td>0.002</td><td class=differs>0.0001</td>" in html(app, "inkling-table")
    right = [run.job.snapshot().test.probabilities.argmax(axis=1) == sets[1].labels for run in (first, second)]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    tosses = only_a + only_b  # a fair coin for each image that only one of them reads right
    p = min(1, 2 * sum(comb(tosses, k) for k in range(min(only_a, only_b) + 1)) / 2**tosses)
    assert p < 0.001
    assert any(
        f"**Run 1 is better** than Run 2: {only_a - only_b} fewer errors of 300, p < 0.001" in line.value
        for line in app.markdown
    )


@pytest.mark.parametrize("axis", table.AXES)
def test_runs_are_laid_over_each_other(sets, axis):
    app = open_train()
    run = start(app, Epochs=3)
    run_to_end(app)
    snapshot = run.job.snapshot()
    rows = table.laid_over([run], "loss", axis, training=False)
    np.testing.assert_allclose(rows["x"], [getattr(end, axis) for end in snapshot.history])
    np.testing.assert_allclose(rows["value"], [end.validation_loss for end in snapshot.history])


def test_a_run_is_renamed_repeated_with_one_change_and_deleted(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    choose(app, 0)
    widget(app.text_input, "Name").set_value("a first try").run()
    assert runs(app)[0].name == "a first try"
    widget(app.number_input, "Epochs").set_value(5).run()
    button(app, "Repeat with one change").click().run()
    assert widget(app.number_input, "Epochs").value == 1
    widget(app.number_input, "Seed").set_value(3).run()
    assert any("Changed from a first try: **seed 0 → 3**" in caption.value for caption in app.caption)
    choose(app, 0)
    button(app, "Delete").click().run()
    assert runs(app) == []


# Keeping and bringing back


def test_a_link_sets_the_page_up_the_same(sets):
    app = open_train()
    for label, value in {"Optimizer": "rmsprop", "Function": "gelu", "Augmentation": "strong"}.items():
        widget(app.selectbox, label).select(value).run()
    run = start(app, Epochs=1, Units=17)
    run.source = "synthetic"
    link = parse_qs(urlparse(keep.link(run, "http://localhost/train")).query)
    fresh = open_train(config=link["config"][0], data=link["data"][0])
    assert widget(fresh.selectbox, "Data").value == "synthetic"
    button(fresh, "1 batch").click().run()
    assert runs(fresh)[0].config == run.config
    assert run.config.augmentation == AUGMENTATIONS["strong"]


def test_a_broken_link_says_so_in_one_line_and_the_page_still_works():
    app = open_train(config="nonsense")
    assert not app.exception
    assert app.error[0].value.startswith("This link holds no settings")
    assert "\n" not in app.error[0].value
    assert not button(app, "Start").disabled


def test_what_went_wrong_is_said_for_a_while_and_no_longer(monkeypatch):
    app = open_train(config="nonsense")
    assert len(app.run().error) == 1
    monkeypatch.setattr(controls, "LINGER", 0)
    assert len(app.run().error) == 0


def test_what_is_kept_can_be_read_back(sets):
    app = open_train()
    run = start(app, Epochs=2)
    run_to_end(app)
    snapshot = run.job.snapshot()
    network = engine.load(io.BytesIO(keep.network(run, snapshot)))
    np.testing.assert_array_equal(network.values, snapshot.network.values)
    lines = keep.metrics(snapshot).split()
    assert lines[0].startswith("epoch,step,loss")
    assert [float(line.split(",")[5]) for line in lines[1:]] == [end.validation_accuracy for end in snapshot.history]


def upload(app, name, content):
    app.file_uploader(key="upload").upload(name, content).run()
    assert not app.exception


def test_an_uploaded_paused_training_goes_on_to_the_same_bits(sets):
    config = Config(layers=dense_layers((16,)), epochs=3, seed=5)
    whole, half = (Trainer.from_config(config, sets[0]) for _ in range(2))
    for _ in whole:
        pass
    while half.step < whole.step // 2:
        next(half)
    file = io.BytesIO()
    engine.save_training(file, half)
    app = open_train()
    upload(app, "half.npz", file.getvalue())
    (run,) = runs(app)
    assert run.job.snapshot().step == half.step
    button(app, "Resume").click().run()
    run_to_end(app)
    np.testing.assert_array_equal(run.job.snapshot().network.values, whole.network.values)


def test_an_uploaded_network_is_drawn_with_and_trained_further(sets):
    trained = Trainer.from_config(Config(layers=dense_layers((24,)), epochs=15), sets[0])
    for _ in trained:
        pass
    file = io.BytesIO()
    engine.save(file, trained.network)
    app = open_train()
    upload(app, "mine.npz", file.getvalue())
    assert widget(app.number_input, "Units").value == 24
    button(app, "1 batch").click().run()
    assert runs(app)[0].job.settle(WAIT)
    assert runs(app)[0].job.snapshot().curve[0, 2] < 1  # it begins where the other ended; a new one has 2.3
    app.switch_page("ui/draw.py").run()
    assert "Uploaded: mine" in widget(app.selectbox, "Network").options


@pytest.mark.parametrize("content", [b"not a network", b"PK\x03\x04 broken"])
def test_an_upload_that_is_no_network_is_refused_in_one_line(content):
    app = open_train()
    upload(app, "photo.npz", content)
    assert "photo.npz" in app.error[0].value
    assert "\n" not in app.error[0].value


@pytest.mark.parametrize(("shape", "classes"), [((5,), 10), (None, 4)])
@pytest.mark.parametrize("config", [None, Config().to_json()])
def test_an_uploaded_network_that_reads_no_digits_is_refused(shape, classes, config):
    info = {"config": config} if config else {}
    network = engine.Network((Dense(classes),), shape, rng=np.random.default_rng(0), info=info)
    file = io.BytesIO()
    engine.save(file, network)
    app = open_train()
    upload(app, "other.npz", file.getvalue())
    assert "\n" not in app.error[0].value
    draw(app.switch_page("ui/draw.py").run(), SEVEN)
    assert not app.exception
    assert not [option for option in widget(app.selectbox, "Network").options if "other" in option]


# Without data, and beside the other page


def test_without_mnist_the_page_says_so_and_has_chosen_what_needs_no_network(monkeypatch, tmp_path):
    monkeypatch.delenv(mnist_module.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_module, "cache_folder", lambda: tmp_path)
    app = open_train()
    assert widget(app.selectbox, "Data").value == "synthetic"
    assert any("MNIST is not on this machine" in caption.value for caption in app.caption)
    widget(app.selectbox, "Data").select("mnist").run()
    data._loaded.clear()
    button(app, "Start").click().run()
    assert not app.exception
    assert str(tmp_path) in app.error[0].value
    assert "\n" not in app.error[0].value
    assert runs(app) == []


def test_a_network_that_still_trains_can_be_drawn_with_and_one_that_ends_meanwhile_appears(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    app.switch_page("ui/draw.py").run()
    assert "Run 1" in widget(app.selectbox, "Network").options
    widget(app.selectbox, "Network").select("Run 1").run()
    assert any(caption.value.startswith("Run 1: as it is now, in epoch ") for caption in app.caption)
    run.job.stop()
    assert run.job.wait(10)
    draw(app, SEVEN)
    assert widget(app.selectbox, "Network").value == "Run 1"
    assert any(re.fullmatch(r"Run 1: [\d.]+% of the test images right", caption.value) for caption in app.caption)
    assert "inkling-answer" in answer(app)
