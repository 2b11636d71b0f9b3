"""The house is kept: small files, short functions, rooms that are described, names that are exported lazily."""

from __future__ import annotations

import ast
from pathlib import Path

from helpers.tree import with_tree

import dmesr_core

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(file for room in ("dmesr_core", "tests", "benchmarks") for file in (ROOT / room).rglob("*.py"))


def lines_of(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def functions(file: Path) -> list[tuple[str, int]]:
    """Each function of a file with its number of lines, docstring included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [(node.name, lines_of(node)) for node in found]


def test_no_file_is_longer_than_350_lines():
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert not {name: length for name, length in lengths.items() if length > 350}


def test_no_function_is_longer_than_60_lines():
    long = {(file.relative_to(ROOT).as_posix(), name): n for file in FILES for name, n in functions(file) if n > 60}
    assert not long


def test_fit_is_shorter_than_30_lines_without_its_docstring():
    tree = ast.parse((ROOT / "dmesr_core" / "training" / "fit.py").read_text(encoding="utf-8"))
    fit = next(node for node in tree.body if getattr(node, "name", "") == "fit")
    assert lines_of(fit) - lines_of(fit.body[0]) < 30


def test_the_tree_shows_every_file_with_what_it_holds():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert page == with_tree(page), "run python tests/helpers/tree.py"
    assert "fit.py" in page


def test_every_module_says_what_it_holds():
    modules = [file for file in FILES if "tests" not in file.relative_to(ROOT).parts]
    assert not [file for file in modules if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]


def private_parts(file: Path) -> list[str]:
    """Names with a leading underscore that a file takes from others: attributes, imports, and those it replaces."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") not in ("self", "cls"):
            found.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr":
            found += [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
    return [name for name in found if str(name).startswith("_") and not str(name).startswith("__")]


def test_tests_and_benchmarks_use_public_parts_only():
    others = {ROOT / "benchmarks" / "peers" / "recbole.py"}  # RecBole has no public way to train one epoch
    users = [file for file in FILES if "dmesr_core" not in file.relative_to(ROOT).parts and file not in others]
    assert not {file.name: parts for file in users if (parts := private_parts(file))}


def test_every_module_has_its_tests_in_the_same_place():
    without_logic = {"errors.py", "__init__.py"}
    package = ROOT / "dmesr_core"
    modules = [file.relative_to(package) for file in package.rglob("*.py") if file.name not in without_logic]
    tests = {module: ROOT / "tests" / module.with_name(f"test_{module.name}") for module in modules}
    assert not [module.as_posix() for module, file in tests.items() if not file.is_file()]


def test_the_package_itself_does_not_use_its_public_names():
    """`from dmesr_core import fit` may import upward, and import-linter does not see it: the name is loaded lazily."""
    taken = {
        (file.name, alias.name)
        for file in FILES
        if "dmesr_core" in file.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "dmesr_core"
        for alias in node.names
    }
    assert ("__init__.py", "__version__") in taken
    assert not {(file, name) for file, name in taken if name in dmesr_core.EXPORTS}
