"""The public names: each can be imported, and none of them is loaded before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dmesr_core


@pytest.mark.parametrize("name", dmesr_core.EXPORTS)
def test_every_public_name_is_the_one_of_its_module(name):
    value = getattr(dmesr_core, name)
    assert value.__name__ == name and value.__module__ == f"dmesr_core.{dmesr_core.EXPORTS[name]}"
    assert value.__doc__


def test_lists_of_public_names_agree():
    tree = ast.parse(Path(dmesr_core.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {(alias.name, node.module) for node in block.body for alias in node.names}
    assert typed == {(name, f"dmesr_core.{module}") for name, module in dmesr_core.EXPORTS.items()}
    assert set(dmesr_core.__all__) == {*dmesr_core.EXPORTS, "__version__"}
    assert {name for name in dir(dmesr_core) if not name.startswith("__")} == set(dmesr_core.EXPORTS)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dmesr_core.nothing


def test_the_import_loads_no_library_and_no_module_of_the_package():
    code = """
import sys

import dmesr_core

print([m for m in sys.modules if m.split(".")[0] in ("torch", "numpy") or m.startswith("dmesr_core.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
