"""Whether a chapter must run again: a stamp holds the hashes of everything that its last run depended on.

The kernel itself tells which files of the package it had loaded, so nobody has to declare anything: change a file, and
exactly the chapters that used it run again.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from dmesr_core import __version__
from dmesr_core.files import file_hash

PACKAGE = Path(__file__).resolve().parent.parent
# What runs the chapters has no say in what they compute.
_MACHINERY = {f"book/{name}.py" for name in ("stamps", "notebooks", "contents", "runner", "render")} | {"cli.py"}
_VERSIONS_OF = ("torch", "transformers", "accelerate", "numpy", "pandas", "matplotlib", "umap-learn")


def package_hashes() -> dict[str, str]:
    """Path below the package -> hash, for its code and the data shipped with it."""
    files = (f for f in PACKAGE.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return {f.relative_to(PACKAGE).as_posix(): file_hash(f) for f in sorted(files)}


def used(loaded: Iterable[str], package: dict[str, str]) -> dict[str, str]:
    """Of `package_hashes()`, what a kernel that `loaded` these files depends on: them, and all shipped data.

    Stored results are not among them: a chapter that reads some reports these itself.
    """
    wanted = set(loaded) - _MACHINERY
    data = {name for name in package if not name.endswith(".py") and not name.startswith("results/")}
    return {name: digest for name, digest in package.items() if name in wanted | data}


def why_stale(stamp_file: Path, now: dict[str, Any], outputs: Iterable[Path], package: dict[str, str]) -> str:
    """The first reason why a chapter must run (again); "" when its last run still stands.

    Args:
        stamp_file: what `write` left.
        now: the facts that must be as they were (settings, hash of the notebook, ...).
        outputs: the files that the run made.
        package: `package_hashes()` of now.
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


def write(file: Path, content: dict[str, Any]) -> None:
    """Write JSON in one step: a stamp is there whole or not at all."""
    part = file.with_name(file.name + ".tmp")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, file)


def report_kernel(file: str) -> None:
    """Called in the kernel, after the last cell: what this process had loaded, and what it ran on."""
    loaded = set()
    for name, module in sys.modules.items():
        path = getattr(module, "__file__", None)
        if name.split(".")[0] == "dmesr_core" and path:
            loaded.add(Path(path).resolve().relative_to(PACKAGE).as_posix())
    readers = [sys.modules.get(f"dmesr_core.{name}") for name in ("book.chapter", "experiments.records")]
    read = {file for reader in readers for file in getattr(reader, "_read_files", ())}
    content = {
        "package": str(PACKAGE),
        "loaded": sorted(loaded),
        "read": {str(f): file_hash(f) for f in sorted(read)},
        "versions": versions(),
        "device": device(),
    }
    write(Path(file), content)


def versions() -> dict[str, str]:
    """Of Python, this package, and the libraries that can change a number."""
    found = {"python": platform.python_version(), "dmesr_core": __version__}
    for name in _VERSIONS_OF:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def device() -> str:
    """The machine in words: its GPU if torch was loaded and sees one, else its processor cores."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"
