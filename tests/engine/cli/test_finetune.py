import json

import numpy as np
import pytest
from helpers import make_digits

import engine
from engine.data import load_data
from engine.data.collection import Collection, LabelledDrawing
from engine.data.collection_files import pack
from engine.finetuning import FineTuning, FineTuningSettings
from engine.metrics import score, wilson_interval

QUICK = ["--steps", "16", "--rehearsal", "25"]


def write_drawings(path, count, writers=("Ada",)):
    digits = make_digits(count, 3)
    rows = enumerate(zip(digits.labels, digits.images, strict=True))
    drawings = (LabelledDrawing(int(label), image, (), writers[i % len(writers)]) for i, (label, image) in rows)
    collection = Collection(tuple(drawings))
    path.write_bytes(pack(collection))
    return path, collection


@pytest.fixture
def many(tmp_path):
    return write_drawings(tmp_path / "many.zip", 160)


def test_the_network_is_tuned_saved_and_measured(run, model, many, idx_folder, tmp_path):
    path, drawings = many
    out = tmp_path / "mine.npz"
    status, text, err = run("finetune", model, path, "--out", out, "--data", idx_folder, "--json", *QUICK)
    assert (status, err) == (0, "")
    report, tuned = json.loads(text), engine.load(out)
    train_set, test_set = load_data(idx_folder)
    settings = FineTuningSettings(steps=16, rehearsal=25)
    same = FineTuning(engine.load(model), drawings, settings, train_set, test_set)
    list(same)
    assert tuned.state_vector.tobytes() == same.network.state_vector.tobytes()
    assert tuned.info["fine_tuned"]["from"] == str(model)
    assert tuned.info["fine_tuned"]["drawings"] == 120
    assert (report["drawings"], report["folds"]) == (160, 0)
    for name, network in (("test_before", engine.load(model)), ("test", tuned)):
        correct, total = score(network, test_set)
        assert (report[name]["correct"], report[name]["total"]) == (correct, total)
        assert sum(part["correct"] for part in report[name]["by_class"]) == correct
    correct, total = score(tuned, same.held_back.dataset)
    assert report["held_back"] == {
        "correct": correct,
        "total": total,
        "accuracy": correct / total,
        "interval": list(wilson_interval(correct, total)),
    }
    assert report["held_back_before"]["correct"] == score(engine.load(model), same.held_back.dataset).correct
    assert [entry["step"] for entry in report["history"]] == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert report["history"][-1]["held_back"] == correct / total
    assert len(report["history"][-1]["tested_by_class"]) == 10


def test_people_read_what_was_gained_and_forgotten(run, model, many, idx_folder, tmp_path):
    out = tmp_path / "mine.npz"
    status, text, _ = run("finetune", model, many[0], "--out", out, "--data", idx_folder, *QUICK)
    assert status == 0
    assert "learns from 120 drawings, 40 are held back" in text
    assert "step    16  learned from" in text
    assert "held back: " in text
    assert "all test images: " in text
    assert "95 % interval" in text
    assert f"saved to {out}" in text


def test_few_drawings_are_cross_validated_and_the_text_says_so(run, model, tmp_path, idx_folder):
    path, _ = write_drawings(tmp_path / "few.zip", 20)
    status, text, _ = run("finetune", model, path, "--out", tmp_path / "mine.npz", "--data", idx_folder, *QUICK)
    assert status == 0
    assert "5-fold cross-validation" in text
    assert engine.load(tmp_path / "mine.npz").info["fine_tuned"]["drawings"] == 20


def test_each_writer_is_left_out_once(run, model, tmp_path, idx_folder):
    path, drawings = write_drawings(tmp_path / "class.zip", 90, ("Ada", "Emmy", "Sofia"))
    command = ["finetune", model, path, "--leave-one-writer-out", "--data", idx_folder, *QUICK]
    status, text, err = run(*command, "--json")
    assert (status, err) == (0, "")
    results = json.loads(text)
    assert sorted(result["writer"] for result in results) == ["Ada", "Emmy", "Sofia"]
    accuracies = [result["after"]["accuracy"] for result in results]
    assert accuracies == sorted(accuracies)  # the worst first
    own = drawings.by_writer()["Emmy"].dataset
    emmy = next(result for result in results if result["writer"] == "Emmy")
    assert emmy["before"]["correct"] == score(engine.load(model), own).correct
    assert "Emmy: " in run(*command)[1]


def test_wrong_input_is_refused_in_one_line(refused, model, many, idx_folder, tmp_path):
    path, _ = many
    command, out = ["finetune", model, path, "--data", idx_folder], ["--out", tmp_path / "mine.npz"]
    refused(command, "--out", "--leave-one-writer-out")
    refused([*command, *out, "--leave-one-writer-out"], "--out")
    refused([*command, "--leave-one-writer-out"], "two writers, got 1")
    refused([*command, *out, "--rehearsal", "101"], "--rehearsal", "0 to 100", "101")
    refused([*command, *out, "--trained-layers", "some"], "--trained-layers")
    refused([*command, "--out", tmp_path / "nowhere" / "mine.npz"], "--out")
    refused(["finetune", model, tmp_path / "missing.zip", *out, "--data", idx_folder], "missing.zip")
    huge = engine.load(model)
    huge.parameters *= np.float32(1e13)
    engine.save(tmp_path / "huge.npz", huge)
    refused(["finetune", tmp_path / "huge.npz", path, *out, "--data", idx_folder, "--learning-rate", "1"], "diverged")
    assert not (tmp_path / "mine.npz").exists()
