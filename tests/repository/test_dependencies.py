"""What a server needs: no figures, no notebooks; and what is imported is declared."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
NAMES = {"pyyaml": "yaml", "pillow": "pil", "umap_learn": "umap", "scikit_learn": "sklearn"}  # distribution -> module

WITHOUT = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
SERVER = """
import dmesr_core
from dmesr_core import DMESR, DMESRSettings, TrainSettings, evaluate, fit, top_k
from helpers.small_material import BACKBONE, make_material

for name in dmesr_core.EXPORTS:
    getattr(dmesr_core, name)
import dmesr_core.cli, dmesr_core.experiments.sweep, dmesr_core.features.tiny_mllm

material = make_material()
model = DMESR.build(material.features, material.split, DMESRSettings(BACKBONE))
fit(model, material.split, TrainSettings(epochs=1, batch_size=16), progress=False)
assert 0 <= evaluate(model, material.split).mean()["ndcg@10"] <= 1
top_k(model, material.split.test.histories, 3)
print("served")
"""


def distributions(requirements):
    return {re.match(r"[\w.-]+", line)[0].lower().replace("-", "_") for line in requirements}


def modules_of(extra):
    return {NAMES.get(name, name) for name in distributions(PROJECT["optional-dependencies"][extra])} - {"dmesr_core"}


def run(code, missing):
    script = WITHOUT.format(missing=sorted(missing)) + code
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT / "tests")


def test_models_are_trained_and_asked_without_figures_and_notebooks():
    missing = modules_of("plots") | modules_of("book") | {"IPython", "numba", "pynndescent"}
    missing -= {"yaml"}  # accelerate needs it too
    assert {"matplotlib", "seaborn", "umap", "nbformat", "papermill"} <= missing
    done = run(SERVER, missing)
    assert done.stdout == "served\n", done.stderr


def test_a_figure_says_what_to_install():
    for name in ("matplotlib", "cycler", "seaborn"):
        done = run("import dmesr_core.plots.results", {name})
        assert f"ModuleNotFoundError: figures need {name}" in done.stderr
        assert "pip install 'dmesr-core[plots]'" in done.stderr


def third_party(*rooms):
    """Libraries that the modules of these rooms import, anywhere in them."""
    files = [file for room in rooms for file in (ROOT / "dmesr_core" / room).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    found = {name.split(".")[0].lower() for name in names}
    return found - {name.lower() for name in sys.stdlib_module_names} - {"dmesr_core", "google"}


def test_what_is_imported_is_declared():
    server = {NAMES.get(name, name) for name in distributions(PROJECT["dependencies"])}
    rooms = ("data", "features", "models", "evaluation", "training", "experiments")
    assert third_party(*rooms) <= server | {"torchvision"}  # tried only where it is installed
    assert third_party("plots") <= server | modules_of("plots")
    with_book = server | modules_of("plots") | modules_of("book")
    assert third_party("book", ".") <= with_book | {"jupyter_core", "torchvision"}
    assert not server & (modules_of("plots") | modules_of("book"))


def test_the_book_has_what_draws_its_figures():
    assert "dmesr_core" in distributions(PROJECT["optional-dependencies"]["book"])
    assert "dmesr-core[plots]" in PROJECT["optional-dependencies"]["book"]
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert all(name in environment for name in ("matplotlib", "seaborn", "umap-learn", ".[book,test]"))


def test_types_are_shipped():
    assert (ROOT / "dmesr_core" / "py.typed").is_file()
    assert "py.typed" in SETTINGS["tool"]["setuptools"]["package-data"]["dmesr_core"]


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs the repository")
def test_what_a_build_leaves_is_ignored():
    left = ["build/x", "dist/x.whl", "dmesr_core.egg-info/x", "_build/x", ".venv/x", "my_shop/items.csv", "my_model/x"]
    done = subprocess.run(["git", "check-ignore", *left], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == left
