"""Imports run one way, the engine works without a screen, and only the command line prints."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for folder in ("engine", "ui") for path in sorted((ROOT / folder).rglob("*.py"))}
ENGINE = [module for module in FILES if module.split(".")[0] == "engine"]


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)


def test_imports_keep_the_contracts_in_pyproject():
    program = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert program, "import-linter is not installed; tests/requirements.txt has it"
    result = run(program, "--no-cache", "--no-logo")
    assert result.returncode == 0, result.stdout + result.stderr


def calls_print(module):
    nodes = ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" for node in nodes)


def test_only_command_lines_and_the_servers_log_print():
    printing = [module for module in FILES if calls_print(module)]
    assert printing
    assert [module for module in printing if not module.startswith("engine.cli.")] == ["ui.catalogues", "ui.server_status"]


def test_importing_the_engine_brings_neither_streamlit_nor_optional_packages():
    modules = [module for module in ENGINE if module not in ("engine.__main__", "engine.sklearn_estimator")]
    unwanted = ("streamlit", "ui", "sklearn", "onnx", "torch")
    code = f"import sys, {', '.join(modules)}; print([m for m in sys.modules if m.split('.')[0] in {unwanted}])"
    result = run(sys.executable, "-c", code)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "[]", "")


@pytest.mark.parametrize("module", [module for module in ENGINE if FILES[module].name == "__init__.py"])
def test_every_public_name_exists(module):
    package = importlib.import_module(module)
    for name in getattr(package, "__all__", ()):
        assert hasattr(package, name)


def test_the_public_names_are_in_order_and_come_from_this_folder():
    import engine

    assert sorted(engine.__all__) == engine.__all__
    assert Path(engine.__file__).parent == ROOT / "engine"
