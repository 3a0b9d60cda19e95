import json

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder

import engine
from engine.config import Config
from engine.data.synthetic.strokes import held_out_drawings
from engine.seeding import random_streams

QUICK = ["--hidden", "16", "--epochs", "2", "--train-size", "600", "--validation-size", "100"]


@pytest.fixture
def sources(idx_folder, tmp_path, monkeypatch):
    """Digits, pen-drawn digits and scribbles, joined; few of each."""
    monkeypatch.setattr("engine.data.synthetic.scribbles.TRAIN_SIZE", 100)
    monkeypatch.setattr("engine.data.synthetic.scribbles.TEST_SIZE", 20)
    strokes = [[[0, 0], [60, 0], [20, 100]]]
    lines = [json.dumps({"label": 7, "writer": f"writer {n}", "strokes": strokes}) for n in range(30)]
    (tmp_path / "pen.jsonl").write_text("\n".join(lines))
    return f"{idx_folder}+{tmp_path / 'pen.jsonl'}+scribbles"


def test_train_joins_sources_calibrates_and_halves_the_file(run, sources, tmp_path):
    out = tmp_path / "network.npz"
    options = ["--data", sources, "--hidden", "32", "--epochs", "6", "--validation", "300", "--calibrate", "--float16"]
    status, text, err = run("train", *options, "--out", out, "--json")
    assert (status, err) == (0, "")
    network = engine.load(out)
    assert np.array_equal(network.state_vector, network.state_vector.astype(np.float16))
    assert json.loads(text)["test_images"] == 300  # the first source's
    assert json.loads(text)["test_accuracy"] == engine.evaluate(network, engine.data.load_data(sources)[1]).accuracy
    assert 0.1 < network.info["temperature"] < 10

    # As documented: at most 0.25 % of the validation digits of each source are below the threshold.
    config = Config.from_json(network.info["config"])
    train_set, held_back = config.split(engine.data.load_data(sources)[0], random_streams(config.seed)["split"])
    assert train_set.fingerprint()["sha256"] == network.info["data"]["sha256"]
    images, _ = held_back.take(slice(None))
    drawn = {image.tobytes() for image in engine.data.load_data(sources.split("+")[0])[0].images}
    of_folder = images[[image.tobytes() in drawn for image in images]]
    pen = held_out_drawings(sources.split("+")[1], "validation").dataset.images
    sure = [network.predict_proba(part).max(axis=1) for part in (of_folder, pen)]
    assert network.info["threshold"] == pytest.approx(min(np.quantile(part, 0.0025) for part in sure), abs=1e-5)

    again = tmp_path / "again.npz"
    status, text, _ = run("calibrate", out, "--data", sources, "--out", again, "--json")
    assert status == 0
    calibrated = engine.load(again)
    assert json.loads(text) == {name: calibrated.info[name] for name in ("temperature", "threshold")}
    assert calibrated.info["temperature"] == pytest.approx(network.info["temperature"], rel=0.01)
    assert calibrated.info["threshold"] == pytest.approx(network.info["threshold"], abs=0.01)
    assert "temperature" in run("calibrate", out, "--data", sources, "--out", again)[1]


def test_calibrate_needs_the_data_that_were_held_back(run, refused, model, idx_folder, tmp_path):
    out, other = tmp_path / "network.npz", write_idx_folder(tmp_path / "other", make_digits(300), make_digits(20))
    refused(["calibrate", model, "--data", idx_folder, "--out", out], model, "how it was trained")
    run("train", "--data", idx_folder, *QUICK, "--out", out)
    refused(["calibrate", out, "--data", other, "--out", tmp_path / "new.npz"], "--data", out)
    refused(["calibrate", out, "--data", idx_folder, "--out", tmp_path / "none" / "new.npz"], "--out")
    run("train", "--data", idx_folder, *QUICK[:4], "--validation", "0", "--out", out)
    refused(["calibrate", out, "--data", idx_folder, "--out", tmp_path / "new.npz"], "held back")
    assert not (tmp_path / "new.npz").exists()
