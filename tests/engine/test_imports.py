"""The engine's imports run one way, and none of them leads to a screen."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

# A module imports only modules of lower rank: then there is no circle, and the house is built from the ground up.
RANKS = {
    "engine.checks": 0,
    "engine.activations": 0,
    "engine.initializers": 0,
    "engine.optimizers": 0,
    "engine.pen": 0,
    "engine.schedules": 0,
    "engine.history": 0,
    "engine.files": 1,
    "engine.curves": 1,
    "engine.losses": 1,
    "engine.metrics": 2,
    "engine.components": 0,
    "engine.photo": 1,
    "engine.preprocessing": 2,
    "engine.segmentation": 3,
    "engine.layers.base": 1,
    "engine.layers.dense": 2,
    "engine.layers.elementwise": 2,
    "engine.layers.images": 2,
    "engine.layers.normalization": 2,
    "engine.layers": 3,
    "engine.data.augmentation": 1,
    "engine.data.dataset": 1,
    "engine.data.idx": 2,
    "engine.data.mnist": 3,
    "engine.data.skeletons": 1,
    "engine.data.scribbles": 3,
    "engine.data.strokes": 3,
    "engine.data.synthetic": 4,
    "engine.data.sources": 5,
    "engine.data": 6,
    "engine.onnx": 2,
    "engine.network": 4,
    "engine.calibration": 4,
    "engine.attribution": 5,
    "engine.activity": 6,
    "engine.config": 5,
    "engine.training": 6,
    "engine.recipes": 6,
    "engine.checkpoint": 7,
    "engine.estimator": 7,
    "engine.health": 7,
    "engine.observer": 8,
    "engine.jobs": 9,
    "engine.series": 10,
    "engine.cli": 8,
    "engine.__main__": 9,
    "engine": 9,
}
OPTIONAL = {"engine.estimator": {"sklearn"}, "engine.onnx": {"onnx"}}  # what running the app never needs


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted((ROOT / "engine").rglob("*.py"))}
each = pytest.mark.parametrize("module", FILES)


def imports(module):
    """The names of all modules that ``module`` imports, also inside its functions."""
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:  # "from engine import jobs" means engine.jobs
                name = f"{node.module}.{alias.name}"
                yield name if name in FILES else node.module


@each
def test_imports_lead_only_downwards(module):
    assert module in RANKS, f"give {module} its rank"
    for name in imports(module):
        if name.split(".")[0] == "engine":
            assert RANKS[name] < RANKS[module], f"{module} (rank {RANKS[module]}) imports {name} (rank {RANKS[name]})"


@each
def test_neither_the_pages_nor_another_engine_is_imported(module):
    tops = {name.split(".")[0] for name in imports(module)}
    others = {"torch", "tensorflow", "jax", "sklearn", "scipy", "autograd", "onnx", "onnxruntime"}
    assert tops & others == OPTIONAL.get(module, set())
    assert not tops & {"ui", "streamlit", "streamlit_app"}


@each
def test_only_the_command_line_prints(module):
    calls = [node.func for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, ast.Call)]
    prints = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
    assert prints == (module == "engine.cli")


def test_every_rank_has_its_module():
    assert RANKS.keys() == FILES.keys()


def test_importing_the_engine_brings_neither_streamlit_nor_what_is_optional():
    modules = [module for module in FILES if module not in ("engine.__main__", "engine.estimator")]
    unwanted = ("streamlit", "ui", "sklearn", "onnx", "torch")
    code = f"import sys, {', '.join(modules)}; print([m for m in sys.modules if m.split('.')[0] in {unwanted}])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "[]", "")


def test_every_public_name_is_there():
    import engine

    assert sorted(engine.__all__) == engine.__all__
    for name in engine.__all__:
        assert hasattr(engine, name)
    assert Path(engine.__file__).parent == ROOT / "engine"
