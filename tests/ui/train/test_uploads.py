"""Uploading networks and paused trainings."""

import io
import zipfile

import numpy as np
import pytest
from pages import SEVEN, answer, button, draw, widget

import engine
from engine import Config, Trainer
from engine.layers import Dense, Flatten
from engine.network import dense_layers
from engine.recipes import RECIPES
from tests.ui.train.steps import WAIT, network_bytes, open_train, run_to_end, runs, upload, workspace

NOT_INKLING = r"This isn't an Inkling \.npz file\."


def archive(name="values.npy"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        members.writestr(name, b"what an array is not")
    return file.getvalue()


def with_unknown_version(content):
    """The archive, whose directory asks for a version of zip that does not exist."""
    entry = content.index(b"PK\x01\x02")
    return content[: entry + 6] + b"\xff\x00" + content[entry + 8 :]


def with_broken_name(content):
    """The archive, whose directory promises a name in UTF-8 that is none."""
    entry = content.index(b"PK\x01\x02")
    content = content[: entry + 8] + b"\x00\x08" + content[entry + 10 :]
    return content[: entry + 46] + b"\xff" + content[entry + 47 :]


def training_bytes(config, train_set, steps):
    trainer = Trainer.from_config(config, train_set)
    while trainer.step < steps:
        next(trainer)
    file = io.BytesIO()
    engine.save_training(file, trainer)
    return file.getvalue()


def new_network(layers, input_shape=None, **info):
    return engine.Network(layers, input_shape, rng=np.random.default_rng(0), info=info)


def can_be_drawn_with(app, name):
    app.switch_page("ui/draw/page.py").run()
    widget(app.selectbox, "Network").select(f"Uploaded: {name}").run()
    draw(app, SEVEN)
    assert not app.exception
    return answer(app).count("<li") == 10


def test_an_uploaded_paused_training_continues_to_the_same_bits(sets):
    config = Config(layers=dense_layers((16,)), epochs=3, seed=5)
    whole = Trainer.from_config(config, sets[0])
    for _ in whole:
        pass
    app = open_train()
    upload(app, "half.npz", training_bytes(config, sets[0], whole.step // 2))
    (run,) = runs(app)
    assert run.snapshot().step == whole.step // 2
    button(app, "Resume").click().run()
    run_to_end(app)
    np.testing.assert_array_equal(run.snapshot().network.state_vector, whole.network.state_vector)


def test_a_paused_training_is_refused_while_another_is_running(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    upload(app, "half.npz", training_bytes(Config(layers=dense_layers((16,))), sets[0], 2))
    assert "Stop it first" in app.error[0].value
    assert len(runs(app)) == 1


def test_an_uploaded_network_is_drawn_with_and_trained_further(sets):
    trained = Trainer.from_config(Config(layers=dense_layers((24,)), epochs=15), sets[0])
    for _ in trained:
        pass
    app = open_train()
    upload(app, "mine.npz", network_bytes(trained.network))
    assert widget(app.number_input, "Units").value == 24
    button(app, "1 batch").click().run()
    assert runs(app)[0].series.wait_until_still(WAIT)
    assert runs(app)[0].snapshot().curve[0, 2] < 1  # it begins where the other ended; a new one has 2.3
    assert can_be_drawn_with(app, "mine")


@pytest.mark.parametrize("given", [False, True])
def test_a_network_for_784_features_is_one_for_images(sets, given):
    """As the scikit-learn classifier saves it."""
    config = Config(layers=dense_layers((24,)), input_shape=(784,), train_size=1_000, validation_size=0)
    app = open_train()
    upload(app, "sklearn.npz", network_bytes(new_network(config.layers, (784,) if given else None, config=config.to_json())))
    assert not app.error
    assert widget(app.number_input, "Units").value == 24
    button(app, "1 batch").click().run()
    assert not app.error
    assert runs(app)[0].config.input_shape is None
    assert runs(app)[0].series.start_network is workspace(app).networks["sklearn"]
    assert can_be_drawn_with(app, "sklearn")


@pytest.mark.parametrize("with_config", [False, True])
@pytest.mark.parametrize("shape", [(1, 28, 28), (28, 28)])
def test_a_network_that_the_settings_cannot_hold_can_still_be_drawn_with(sets, shape, with_config):
    layers = (Flatten(), Dense(24), Dense(10))
    config = {"config": Config(layers=layers, input_shape=(1, 28, 28)).to_json()} if with_config else {}
    app = open_train()
    units = widget(app.number_input, "Units").value
    upload(app, "flat.npz", network_bytes(new_network(layers, shape, **config)))
    assert not app.error
    assert any("It cannot be trained further here" in caption.value for caption in app.caption)
    assert widget(app.number_input, "Units").value == units
    button(app, "1 batch").click().run()
    assert not app.error
    assert can_be_drawn_with(app, "flat")


@pytest.mark.parametrize(
    "content",
    [
        b"not a network",
        b"PK\x03\x04 broken",
        b"",
        archive(),
        archive("order.npy"),
        with_unknown_version(archive("order.npy")),
        with_broken_name(archive("order.npy")),
        network_bytes(new_network(dense_layers((4,))))[:-40],
    ],
)
def test_an_upload_that_is_no_network_is_refused_in_one_line(sets, content):
    app = open_train()
    upload(app, "photo.npz", content)
    assert [error.value for error in app.error] == [NOT_INKLING]
    assert runs(app) == []


@pytest.mark.parametrize(("shape", "classes"), [((5,), 10), (None, 1), (None, 63)])
@pytest.mark.parametrize("config", [None, Config().to_json()])
def test_an_uploaded_network_for_other_images_or_too_many_classes_is_refused(shape, classes, config):
    app = open_train()
    upload(app, "other.npz", network_bytes(new_network((Dense(classes),), shape, **({"config": config} if config else {}))))
    assert "\n" not in app.error[0].value
    draw(app.switch_page("ui/draw/page.py").run(), SEVEN)
    assert not app.exception
    assert not [option for option in widget(app.selectbox, "Network").options if "other" in option]


def test_an_uploaded_network_of_other_classes_can_be_drawn_with():
    app = open_train()
    upload(app, "clothes.npz", network_bytes(new_network((Dense(12),), class_names=["<b>bag</b>", *"abcdefghijk"])))
    assert not app.error
    assert can_be_drawn_with(app, "clothes")
    assert "&lt;b&gt;bag&lt;/b&gt;" in answer(app)
    assert "<b>bag" not in answer(app)


def test_a_training_on_other_data_is_refused_with_the_reason(sets):
    app = open_train()
    upload(app, "half.npz", training_bytes(Config(), sets[1], 1))
    assert "data" in app.error[0].value
    assert "\n" not in app.error[0].value
    assert runs(app) == []


def test_an_upload_named_like_a_preset_does_not_pass_for_it():
    app = open_train()
    upload(app, "cnn.npz", network_bytes(new_network(dense_layers((24,)))))
    assert widget(app.selectbox, "Preset").value == ""
    widget(app.selectbox, "Preset").select("cnn").run()
    assert any(RECIPES["cnn"].title in caption.value for caption in app.caption)


def test_a_good_upload_takes_the_error_of_a_bad_one_away():
    app = open_train()
    upload(app, "photo.npz", b"not a network")
    assert app.error
    upload(app, "mine.npz", network_bytes(new_network(dense_layers((24,)))))
    assert not app.error
