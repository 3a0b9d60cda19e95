import pytest
from helpers import need

import engine
from engine.layers import Dense
from engine.network import Network


@pytest.fixture(autouse=True)
def _onnx():
    try:
        import onnx  # noqa: F401
    except ImportError:
        need("peers", "onnx is not installed")


def test_export_writes_an_onnx_model(run, model, tmp_path):
    import onnx

    status, out, err = run("export", model, tmp_path / "network.onnx")
    assert (status, out, err) == (0, f"wrote {tmp_path / 'network.onnx'}\n", "")
    assert onnx.load(tmp_path / "network.onnx").graph.input[0].name == "images"


def test_the_opset_is_a_choice(run, refused, model, tmp_path):
    import onnx

    assert run("export", model, tmp_path / "network.onnx", "--opset", 15)[0] == 0
    assert onnx.load(tmp_path / "network.onnx").opset_import[0].version == 15
    refused(["export", model, tmp_path / "network.onnx", "--opset", 12], "opset must be a whole number from 13 to ")


def test_what_cannot_be_exported_is_refused(refused, model, tmp_path):
    other = tmp_path / "other.npz"
    engine.save(other, Network((Dense(3),)))
    refused(["export", other, tmp_path / "network.onnx"], other)
    refused(["export", model, tmp_path / "none" / "network.onnx"], tmp_path / "none")
    assert list(tmp_path.iterdir()) == [other]
