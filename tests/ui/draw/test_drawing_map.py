"""The map on the Draw page: where a drawing lies, and the training images nearest to it."""

import base64
import json
import sys
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits
from pages import SEVEN, draw, draw_live, drawing, open_app, session

import engine
from engine import Network, dense_layers
from engine.layer_outputs import activity
from engine.projection import METHODS, NearestNeighbours, last_hidden, layer_features
from tests.ui.train.steps import WAIT, says, workspace
from ui import datasets
from ui.draw.panels import drawing_map
from ui.draw.panels.tabs import KEY
from ui.map_view import Frame

TRAIN, TEST = make_digits(90, 1), make_digits(70, 2)


@pytest.fixture(autouse=True)
def data(monkeypatch):
    """Small data sets, and nothing that was computed before."""
    monkeypatch.setattr(datasets, "load", lambda source: (TRAIN, TEST))
    monkeypatch.setattr(datasets, "is_local", lambda source: True)
    drawing_map._tasks.clear()


def open_map(app):
    app.session_state[KEY] = "Map"
    app.run()
    return finish(app)


def finish(app):
    """Wait for what is computed in the background, and run the page again, as the map does by itself."""
    for task in list(drawing_map._tasks.values()):
        task.future.exception(WAIT)
    app.run()
    assert not app.exception
    return app


def sent(app, component="map"):
    """The last message to the browser; None if there is none."""
    messages = [
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == f"inkling_{component}"
    ]
    return messages[-1] if messages else None


def points(message):
    return np.frombuffer(base64.b64decode(message["points"]), np.int16).reshape(-1, 2)


def network(app):
    return session(app).image_map.network


def seen(app):
    return engine.prepare(np.asarray(drawing(app).image()))


def test_without_a_drawing_the_map_is_there_and_invites():
    message = sent(open_map(open_app()))
    assert len(points(message)) == len(base64.b64decode(message["labels"])) == 60
    assert message["drawing"] is None
    assert "Draw above" in message["texts"]["empty"]
    assert message["about"].startswith("Each dot is one of 60 test images.")


def test_the_drawing_lies_where_pca_puts_its_features_with_its_nearest_training_images():
    app = open_map(draw(open_app(), SEVEN))
    message, shown = sent(app), session(app).image_map
    position = last_hidden(network(app))
    feature = activity(network(app), seen(app))[position].values.ravel()
    frame = Frame.around(shown.layout.points)
    assert message["drawing"]["at"] == frame.fit(shown.layout.placement.place(feature[None]))[0].tolist()
    rows, _ = NearestNeighbours(layer_features(network(app), TRAIN.images, position)[0]).find(feature)
    assert [near["label"] for near in message["drawing"]["near"]] == TRAIN.labels[rows].tolist()
    assert len(rows) == 5
    assert all(near["src"].startswith("data:image/png") for near in message["drawing"]["near"])
    names = ", ".join(map(str, TRAIN.labels[rows]))
    assert message["drawing"]["spoken"] == f"The training images nearest to your drawing: {names}."
    assert "Nearest to it of all 90 training images" in message["drawing"]["text"]


def test_a_sample_that_is_searched_is_called_one(monkeypatch):
    monkeypatch.setattr(drawing_map, "MAX_SEARCHED_BYTES", 4 * 96 * 30)
    message = sent(open_map(draw(open_app(), SEVEN)))
    assert "of 30 training images, a sample of 90" in message["drawing"]["text"]


def test_in_mid_stroke_only_the_point_is_sent_and_nothing_is_read_out():
    app = open_map(draw(open_app(), SEVEN))
    before = sent(app.run(), "map_point")["drawing"]
    live = sent(draw_live(app, [(60, 60), (200, 60), (120, 220)], [(40, 200), (230, 200)]), "map_point")["drawing"]
    assert live["at"] != before["at"]
    assert (before["spoken"] != "", live["spoken"]) == (True, "")
    assert len(live["near"]) == 5
    assert len(json.dumps(live)) < 5_000
    app.session_state[KEY] = "Why"
    assert sent(app.run(), "map_point") is None


def test_the_prediction_and_the_map_share_one_look_of_the_network(monkeypatch):
    app = open_map(draw(open_app(), SEVEN))
    latest = session(app).latest_outputs
    app.run()
    assert session(app).latest_outputs is latest
    assert latest.network is network(app)


def test_another_layer_keeps_the_images_near_to_where_they_were():
    app = open_map(draw(open_app(), SEVEN))
    before = session(app).image_map
    layer = next(box for box in app.selectbox if box.label == "Layer")
    assert layer.options[0] == "The pixels of the image"
    assert layer.value == last_hidden(network(app))
    layer.set_value(-1).run()
    assert session(app).image_map is not None  # the last one, until there is another
    finish(app)
    after = session(app).image_map
    assert after.position == -1
    turned, untouched = after.layout.points, after.computed.points
    assert np.linalg.norm(turned - before.layout.points) <= np.linalg.norm(untouched - before.layout.points) + 1e-3
    finish(app)
    assert session(app).image_map.layout is after.layout
    message = sent(app)
    pixels = after.layout.placement.place(seen(app).reshape(1, -1))
    assert message["drawing"]["at"] == Frame.around(turned).fit(pixels)[0].tolist()


def test_a_missing_package_is_said_and_pca_still_works(monkeypatch):
    app = open_map(draw(open_app(), SEVEN))
    monkeypatch.setitem(sys.modules, "umap", None)
    method = next(box for box in app.selectbox if box.label == "Method")
    assert list(method.options) == [METHODS[name].label for name in METHODS]
    method.set_value("umap").run()
    finish(app)
    assert says(app.info, "pip install umap-learn")
    next(box for box in app.selectbox if box.label == "Method").set_value("pca").run()
    assert len(points(sent(app))) == 60


def test_by_t_sne_the_drawing_lies_between_its_nearest_test_images():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    app = open_map(draw(open_app(), SEVEN))
    next(box for box in app.selectbox if box.label == "Method").set_value("tsne").run()
    assert says(app.caption, "Placing 60 test images. This takes up to a minute.") or session(app).image_map.method == "tsne"
    finish(app)
    message, shown = sent(app), session(app).image_map
    assert shown.method == "tsne"
    assert "between the five test images that are nearest" in message["about"]
    low, high = points(message).min(axis=0), points(message).max(axis=0)
    assert (low <= message["drawing"]["at"]).all()
    assert (message["drawing"]["at"] <= high).all()


def test_without_mnist_there_is_a_sentence_and_no_map(monkeypatch):
    monkeypatch.setattr(datasets, "is_local", lambda source: False)
    app = open_map(draw(open_app(), SEVEN))
    assert says(app.info, "There is no map: MNIST's images are not on this machine.")
    assert sent(app) is None
    assert sent(app, "map_point") is None


@pytest.mark.parametrize("count", [2, 12, 62])
def test_a_network_of_other_classes_has_a_map_if_its_images_are_here(monkeypatch, count):
    names = tuple(f"class {number}" for number in range(count))
    sets = tuple(replace(part, labels=part.labels % count, class_names=names) for part in (TRAIN, TEST))
    app = open_app()
    other = Network(dense_layers((16,), classes=count), rng=np.random.default_rng(0), info={"class_names": list(names)})
    workspace(app).networks |= {"other": other}
    app.run()
    app.session_state["network"] = "Uploaded: other"
    draw(app, SEVEN)
    open_map(app)
    assert says(app.info, "the images that this network has learned from are not on this machine")
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    monkeypatch.setattr(datasets, "class_names", lambda source: names)
    session(app).own_sources.append("own/mine/0123456789ab")
    finish(app.run())
    message = sent(app)
    assert message["names"] == list(names)
    assert message["drawing"]["near"][0]["name"] in names


def test_a_network_of_nans_has_no_map_and_says_why():
    app = draw(open_app(), SEVEN)
    broken = Network(dense_layers((16,)), rng=np.random.default_rng(0))
    broken.state_vector[:] = np.nan
    workspace(app).networks |= {"broken": broken}
    app.run()
    app.session_state["network"] = "Uploaded: broken"
    open_map(app)
    assert says(app.info, "overflowed")


def test_what_is_computed_is_computed_once_for_all_sessions():
    open_map(open_app())
    before = [task.future for task in drawing_map._tasks.values()]
    open_map(open_app())
    assert [task.future for task in drawing_map._tasks.values()] == before


def learning(app, monkeypatch):
    """Have a network that is another object at each look, as that of a run that is still training. Returns what the worker
    was to do, which waits for ``compute``, and the function to call before each look."""
    started, first, looks = [], Network(dense_layers((16,)), rng=np.random.default_rng(0)), [0]

    def look():
        looks[0] += 1
        newer = first.copy()
        newer.state_vector[:] *= 1 + 0.01 * looks[0]
        workspace(app).networks |= {"learning": newer}

    def submit(function, *arguments):
        started.append((Future(), function, arguments))
        return started[-1][0]

    monkeypatch.setattr(drawing_map._worker, "submit", submit)
    look()
    app.run()
    app.session_state["network"] = "Uploaded: learning"
    app.session_state[KEY] = "Map"
    return started, look


def compute(started):
    for future, function, arguments in started:
        if not future.done() and future.set_running_or_notify_cancel():
            future.set_result(function(*arguments))


def test_a_network_that_is_learning_gets_its_map_and_no_tasks_pile_up(monkeypatch):
    app = draw(open_app(), SEVEN)
    started, look = learning(app, monkeypatch)
    for _ in range(5):
        look()
        app.run()
        assert not app.exception
    assert len(started) == 2  # a layout and a gallery
    assert sent(app) is None
    compute(started)
    monkeypatch.setattr(drawing_map, "RENEW_SECONDS", 0)
    look()
    app.run()
    assert len(points(sent(app))) == 60
    assert len(sent(app)["drawing"]["near"]) == 5
    assert not says(app.caption, "Placing")
    assert len(started) == 4  # a newer one, after that was shown
    before = network(app)
    compute(started)
    monkeypatch.setattr(drawing_map, "RENEW_SECONDS", 1e9)
    for _ in range(3):
        look()
        app.run()
        assert not says(app.caption, "Placing")
    assert len(started) == 4
    assert network(app) is not before


def test_what_a_session_does_not_want_any_more_is_not_begun(monkeypatch):
    app = draw(open_app(), SEVEN)
    started, _look = learning(app, monkeypatch)
    app.run()
    next(box for box in app.selectbox if box.label == "Layer").set_value(-1).run()
    assert [future.cancelled() for future, *_ in started] == [True, True, False, False]
    compute(started)
    app.run()
    assert session(app).image_map.position == -1
    next(box for box in app.selectbox if box.label == "Layer").set_value(last_hidden(network(app))).run()
    compute(started)
    app.run()
    assert session(app).image_map.position != -1


def test_tasks_that_are_dropped_for_others_are_not_begun():
    tasks = drawing_map._Tasks(10, getsizeof=lambda task: task.num_bytes)
    futures = [Future() for _ in range(3)]
    for future in futures:
        tasks[(future,)] = drawing_map._Task(future, 5)
    assert [future.cancelled() for future in futures] == [True, False, False]


def test_a_gallery_counts_with_its_images(monkeypatch):
    monkeypatch.setattr(drawing_map, "MAX_IMAGES", 60)  # fewer than are searched, as on the real page
    app = open_map(open_app())
    (task,) = [task for key, task in drawing_map._tasks.items() if key[0] is drawing_map._collect]
    gallery = task.future.result()
    arrays = gallery.index.features, gallery.images, gallery.labels, network(app).state_vector
    assert task.num_bytes >= sum(array.nbytes for array in arrays)


def test_a_failure_is_one_line_and_another_try_works(monkeypatch):
    app = draw(open_app(), SEVEN)
    fit = METHODS["pca"].fit

    def fail(features):
        raise MemoryError("no room\nat all")

    monkeypatch.setitem(METHODS, "pca", METHODS["pca"]._replace(fit=fail))
    open_map(app)
    assert says(app.info, "There is no map: it could not be computed (no room at all).")
    monkeypatch.setitem(METHODS, "pca", METHODS["pca"]._replace(fit=fit))
    assert len(points(sent(open_map(open_app())))) == 60
