"""Where a number comes from: code hash, commit, library versions, device, and the memory that a computation took."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from dmesr_core import __version__

# The code that determines the result of a training, given its data and settings.
_MODEL_CODE = (
    "data/sequences.py", "models/*.py", "evaluation/groups.py", "evaluation/metrics.py", "evaluation/ranking.py",
    "evaluation/scorers.py", "training/*.py", "experiments/variants.py",
)  # fmt: skip
PACKAGE = Path(__file__).resolve().parent


@cache
def code_hash() -> str:
    """Hash of the code of models, training and evaluation.

    Computed when this module is imported: that is the code that runs, even if the files change afterwards.
    """
    return hash_of_statements(file.read_text(encoding="utf-8") for file in code_files())


def code_files() -> list[Path]:
    """The files that `code_hash` covers."""
    return [file for pattern in _MODEL_CODE for file in sorted(PACKAGE.glob(pattern))]


def hash_of_statements(sources: Iterable[str]) -> str:
    """Hash of the top-level statements of Python files, without imports, docstrings, comments and layout.

    Statements are sorted before hashing, so moving one to another file, or renaming a file, does not change the hash.
    """
    statements = sorted(
        repr(_syntax(statement))
        for source in sources
        for statement in _without_docstring(ast.parse(source).body)
        if not isinstance(statement, (ast.Import, ast.ImportFrom))
    )
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


def _syntax(node: Any) -> Any:
    """A syntax tree as nested lists; empty fields are left out, because Python versions differ in them."""
    if isinstance(node, list):
        body = [each for each in _without_docstring(node) if not isinstance(each, (ast.Import, ast.ImportFrom))]
        return [_syntax(each) for each in body]
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
        return [type(node).__name__, *([name, _syntax(value)] for name, value in fields.items())]
    return repr(node)


def _without_docstring(body: list[Any]) -> list[Any]:
    """The statements of a module, class or function, without its docstring."""
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    return body[1:] if isinstance(first, ast.Constant) and isinstance(first.value, str) else body


def commit(folder: Path | None = None, paths: Sequence[str] = ("*.py",)) -> str | None:
    """The checked-out commit, with "-dirty" where `paths` differ from it; None without a repository.

    Args:
        folder: a folder of the checkout; None: this package.
        paths: git pathspecs relative to `folder`. New files count unless git ignores them.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder or PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        if not git("ls-files", "--", *paths):  # such as a package installed inside the checkout of another project
            return None
        changed = git("status", "--porcelain", "--", *paths)
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def short_commit(commit: str | None) -> str:
    """A commit in seven digits, with "+" for "-dirty"; "unknown" for None."""
    if commit is None:
        return "unknown"
    return commit[:7] + ("+" if commit.endswith("-dirty") else "")


def versions(packages: Iterable[str] = ("torch", "numpy")) -> dict[str, str]:
    """Versions of Python, this package, and those of `packages` that are installed."""
    found = {"python": platform.python_version(), "dmesr": __version__}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def device() -> str:
    """Name of the GPU if torch is loaded and sees one, else the number of CPU cores and their architecture."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


class PeakMemory:
    """Peak resident memory of this process since `PeakMemory()`, in MB (10⁶ bytes)."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: reset the peak
            self.exact = True
        except OSError:
            self.exact = False

    def megabytes(self) -> float | None:
        """The peak; None where the system cannot reset it."""
        if not self.exact:
            return None
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
        return None


code_hash()
