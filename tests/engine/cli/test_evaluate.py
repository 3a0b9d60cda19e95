import json

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

import engine
from engine.layers import Dense
from engine.network import Network, dense_layers
from engine.pen import draw_strokes


def test_evaluate(run, idx_folder, model):
    status, text, err = run("evaluate", model, "--data", idx_folder, "--json")
    assert (status, err) == (0, "")
    _, test = engine.data.read_folder(idx_folder)
    right = int((engine.load(model).predict(test.images) == test.labels).sum())
    assert json.loads(text) == {"accuracy": right / 300, "errors": 300 - right, "images": 300}
    status, text, _ = run("evaluate", model, "--data", idx_folder)
    assert status == 0
    assert f"{300 - right} errors" in text


def test_predict(run, model, picture):
    status, text, err = run("predict", model, picture, picture, "--json")
    assert (status, err) == (0, "")
    first, second = json.loads(text)
    expected = engine.load(model).predict_proba(engine.prepare(Image.open(picture))[None])[0]
    assert first == second
    np.testing.assert_allclose(first["probabilities"], expected, atol=1e-6)
    assert first["digit"] == expected.argmax()
    assert first["confidence"] == max(first["probabilities"])
    status, text, _ = run("predict", model, picture)
    assert (status, text.count("\n")) == (0, 1)
    assert f"{picture}: {first['digit']}" in text


def test_predict_reads_numbers(run, tmp_path):
    path, model = tmp_path / "number.png", ROOT / "pretrained" / "mlp.npz"
    seven, one = [(20, 60), (80, 60), (40, 150)], [(150, 60), (150, 150)]
    Image.fromarray(draw_strokes([seven, one], width=10)).save(path)
    ((result,), text) = json.loads(run("predict", model, path, "--json")[1]), run("predict", model, path)[1]
    assert result["lines"] == ["71"]
    assert [digit["digit"] for digit in result["digits"]] == [7, 1]
    assert result["confidence"] == pytest.approx(np.prod([digit["confidence"] for digit in result["digits"]]))
    assert (result["digit"], result["sure"], result["left_out"]) == (1, True, [])
    np.testing.assert_allclose(result["digits"][1]["box"], (145, 55, 155, 155), atol=2)
    assert text.startswith(f"{path}: 71 (")
    assert "not sure" not in text


def test_predict_says_when_a_network_is_not_sure(run, picture, tmp_path):
    path, network = tmp_path / "network.npz", Network(dense_layers((8,)), rng=np.random.default_rng(0))
    for threshold, sure in ((0.0, True), (0.999, False)):
        engine.save(path, network, threshold=threshold)
        assert json.loads(run("predict", path, picture, "--json")[1])[0]["sure"] is sure
        assert ("not sure this is a digit" in run("predict", path, picture)[1]) is not sure


def test_files_that_are_not_networks(refused, idx_folder, picture, tmp_path):
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"PK\x03\x04 and then nothing")
    for path in (junk, tmp_path / "none.npz", tmp_path, picture):
        refused(["evaluate", path, "--data", idx_folder], path)
        refused(["predict", path, picture], path)


@pytest.mark.parametrize(("layers", "input_shape"), [((Dense(3),), (784,)), ((Dense(12),), (784,)), ((Dense(10),), (2,))])
def test_networks_that_do_not_read_digits(refused, idx_folder, picture, tmp_path, layers, input_shape):
    path = tmp_path / "other.npz"
    engine.save(path, Network(layers, input_shape, rng=np.random.default_rng(0)))
    refused(["evaluate", path, "--data", idx_folder], path)
    if input_shape != (784,):
        refused(["predict", path, picture], path)


def test_good_images_are_answered_and_each_bad_one_has_a_line(run, refused, model, picture, tmp_path):
    text, blank = tmp_path / "seven.png", tmp_path / "blank.png"
    text.write_text("seven")
    Image.new("L", (50, 50), 255).save(blank)
    (alone,) = json.loads(run("predict", model, picture, "--json")[1])
    for path in (text, blank, tmp_path / "none.png", tmp_path):
        out = refused(["predict", model, picture, path, picture, "--json"], path)
        assert json.loads(out) == [alone, alone]
    status, out, err = run("predict", model, text, picture, blank)
    assert (status, out.count("\n"), err.count("\n")) == (2, 1, 2)
    assert out.startswith(str(picture))


def test_warnings_of_pillow_are_not_shown(run, model, picture, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # 28 x 28 are more, which makes Pillow warn
    assert run("predict", model, picture)[0] == 0
    assert not recwarn.list
