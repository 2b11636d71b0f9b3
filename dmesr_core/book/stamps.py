"""Whether a chapter must run again: its stamp holds the hash of everything that its last run depended on.

The kernel reports which files of the package it loaded and which figure functions it called, so nothing has to be
declared: change a file, and exactly the chapters that used it run again.

What counts as a change of code:

- a module of `plots`: its statements. Comments, docstrings and layout do not count, and a function decorated with
  `@figure` counts only for the chapters that called it.
- any other file: its text, because chapters show the source of functions with their docstrings and comments.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dmesr_core.files import file_hash, write_json

PACKAGE = Path(__file__).resolve().parent.parent
# These run the chapters or describe the run; they compute nothing that a chapter shows.
_MACHINERY = {f"book/{name}.py" for name in ("stamps", "notebooks", "contents", "runner", "render")} | {"cli.py"}
# Their versions can change a number or a figure.
LIBRARIES = ("torch", "transformers", "accelerate", "numpy", "pandas", "matplotlib", "seaborn", "umap-learn")


def package_hashes() -> dict[str, str]:
    """Path below the package -> hash, for its code and the data shipped with it.

    A module of `plots` has an entry of its own for each figure function: "plots/results.py: training_curves".
    """
    found = {}
    for file in sorted(f for f in PACKAGE.rglob("*") if f.is_file() and "__pycache__" not in f.parts):
        name = file.relative_to(PACKAGE).as_posix()
        if name.startswith("plots/") and file.suffix == ".py":
            for part, digest in plot_hashes(file.read_text(encoding="utf-8")).items():
                found[f"{name}: {part}" if part else name] = digest
        else:
            found[name] = file_hash(file)
    return found


def plot_hashes(source: str) -> dict[str, str]:
    """Hashes of a module of `plots`: name -> hash for each top-level function decorated with `@figure`, "" -> the rest.

    An import counts for the parts that use the name which it binds, and for the rest if none does.
    """
    tree = ast.parse(source)
    _remove_docstrings(tree)
    imports: list[tuple[str, str]] = []
    parts: dict[str, list[ast.stmt]] = {"": []}
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports += _imports(statement)
        elif isinstance(statement, ast.FunctionDef) and _is_figure(statement):
            parts[statement.name] = [statement]
        else:
            parts[""].append(statement)
    names = {part: _names(statements) for part, statements in parts.items()}
    names[""] |= {name for name, _ in imports}.difference(*names.values())
    return {
        part: _hash_lines([*(text for name, text in sorted(imports) if name in names[part]), *map(ast.unparse, some)])
        for part, some in parts.items()
    }


def _imports(statement: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """(name that is bound, import of this name alone) for each name of an import statement."""
    start = f"from {'.' * statement.level}{statement.module or ''} " if isinstance(statement, ast.ImportFrom) else ""
    return [(a.asname or a.name.split(".")[0], f"{start}import {a.name} as {a.asname}") for a in statement.names]


def _names(statements: Iterable[ast.stmt]) -> set[str]:
    """All names that occur in the statements."""
    return {node.id for each in statements for node in ast.walk(each) if isinstance(node, ast.Name)}


def _hash_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _is_figure(function: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "figure" for each in function.decorator_list)


def _remove_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]


def used(loaded: Iterable[str], package: Mapping[str, str]) -> dict[str, str]:
    """The part of `package_hashes()` that a kernel depends on: what it `loaded` or called, and all shipped data.

    Stored results are left out: a chapter that reads some reports them itself.
    """
    wanted = set(loaded) - _MACHINERY
    data = {name for name in package if not name.partition(": ")[0].endswith(".py") and not name.startswith("results/")}
    return {name: digest for name, digest in package.items() if name in wanted | data}


def why_stale(stamp_file: Path, now: Mapping[str, Any], outputs: Iterable[Path], package: Mapping[str, str]) -> str:
    """The first reason why a chapter must run (again); "" when its last run is still valid.

    Args:
        stamp_file: the stamp of the last run.
        now: inputs beside code that must equal those of the last run (parameters, hash of the notebook, ...).
        outputs: the files that the run wrote.
        package: the present `package_hashes()`.
    """
    try:
        stamp = json.loads(stamp_file.read_text(encoding="utf-8"))
        inputs, modules, made, read = (stamp[key] for key in ("inputs", "modules", "outputs", "read"))
    except FileNotFoundError:
        return "never run"
    except (ValueError, KeyError, TypeError):
        return "its stamp cannot be read"
    for name, value in now.items():
        if inputs.get(name) != value:
            return f"{name} changed"
    for name, digest in modules.items():
        if package.get(name) != digest:
            return f"dmesr_core/{name} changed"
    for name, digest in read.items():
        if file_hash(Path(name)) != digest:
            return f"{Path(name).name} changed"
    for file in outputs:
        if made.get(file.name) != file_hash(file):
            return f"{file.name} is not what the last run wrote"
    return ""


def report_kernel(file: str) -> None:
    """Write what this process loaded, called, read and ran on; runs in the kernel, after the last cell."""
    loaded = set()
    for name, module in sys.modules.items():
        path = getattr(module, "__file__", None)
        if name.split(".")[0] == "dmesr_core" and path:
            loaded.add(Path(path).resolve().relative_to(PACKAGE).as_posix())
    loaded |= {f"plots/{each}" for each in getattr(sys.modules.get("dmesr_core.plots.style"), "called", ())}
    readers = [sys.modules.get(f"dmesr_core.{name}") for name in ("book.chapter", "book.status", "experiments.records")]
    read = {file for reader in readers for file in getattr(reader, "read_files", ())}

    from dmesr_core import provenance  # here, so that it counts as loaded only if the chapter loaded it

    content = {
        "package": str(PACKAGE),
        "loaded": sorted(loaded),
        "read": {str(f): file_hash(f) for f in sorted(read)},
        "versions": provenance.versions(LIBRARIES),
        "device": provenance.device(),
    }
    write_json(Path(file), content)
