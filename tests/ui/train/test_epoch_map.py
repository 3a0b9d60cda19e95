"""The map of a run: of each moment of its training, turned to be near to the one before."""

import base64
import json

import numpy as np
import pytest
from pages import SEVEN, draw, open_app, session

from engine.projection import layer_features
from tests.ui.train.steps import open_panel, open_train, run_to_end, runs, says, start
from ui import datasets
from ui.map_view import MapImages, describe
from ui.train import epoch_map


@pytest.fixture(autouse=True)
def data(sets, monkeypatch):
    monkeypatch.setattr(datasets, "is_local", lambda source: True)
    epoch_map._maps.clear()
    return sets


def sent(app):
    return next(
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_map"
    )


def points(message):
    return np.frombuffer(base64.b64decode(message["points"]), np.int16).reshape(-1, 2).astype(float)


def look_back(app, position):
    """Move the slider; returns the step that it shows."""
    slider = next(slider for slider in app.select_slider if slider.label == "Look back")
    step = [frame.step for frame in runs(app)[-1].keyframes.frames][position]
    app.session_state[slider.key] = step
    app.run()
    assert not app.exception
    return step


def test_the_map_follows_the_training_and_goes_back_with_the_slider(data):
    app = open_train()
    start(app, Epochs=2)
    run = run_to_end(app)
    open_panel(app, "Map")
    last = sent(app)
    shown = MapImages(data[1])
    assert len(points(last)) == len(shown.images) == 60
    assert last["about"] == describe(shown, session(app).run_map.points)
    snapshot = run.snapshot()
    _, predicted = layer_features(snapshot.network, shown.images, 1)
    assert base64.b64decode(last["predicted"]) == predicted.tobytes()
    look_back(app, 0)
    first = sent(app)
    assert first["points"] != last["points"]
    look_back(app, 3)
    look_back(app, 0)
    assert sent(app)["points"] == first["points"]


def test_moments_that_are_close_lie_close(data):
    app = open_train()
    start(app, Epochs=2)
    run_to_end(app)
    open_panel(app, "Map")
    look_back(app, 5)
    one = points(sent(app))
    look_back(app, 6)
    other = points(sent(app))
    gram = np.linalg.svd((one - one.mean(0)).T @ (other - other.mean(0)), compute_uv=False).sum()
    assert np.trace((one - one.mean(0)).T @ (other - other.mean(0))) == pytest.approx(gram, rel=1e-3)  # no turn is better


def test_a_map_does_not_depend_on_what_other_sessions_have_seen(data, monkeypatch):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    open_panel(app, "Map")
    monkeypatch.setattr(epoch_map, "rotation_to", lambda points, reference: np.array([[0, 1], [-1, 0]]))
    look_back(app, 0)
    turned = points(sent(app))
    session(app).run_map = None  # as in another session
    app.run()
    np.testing.assert_array_equal(points(sent(app)) @ [[0, 1], [-1, 0]], turned)


def test_the_drawing_is_on_the_map(data):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    start(app, Epochs=1)
    run_to_end(app)
    open_panel(app, "Map")
    assert sent(app)["drawing"]["text"] == "The ring is your drawing."


def test_without_the_images_there_is_a_sentence(data, monkeypatch):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    monkeypatch.setattr(datasets, "is_local", lambda source: False)
    open_panel(app, "Map")
    assert says(app.info, "There is no map")
