"""Where a number comes from: the code that made it, its versions and commit, and the memory that it took."""

from __future__ import annotations

import ast
import hashlib
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from dmesr_core import __version__

# The code that decides what a training comes to, given its data and settings.
_MODEL_CODE = (
    "data/sequences.py", "models/*.py", "evaluation/groups.py", "evaluation/metrics.py", "evaluation/ranking.py",
    "evaluation/scorers.py", "training/*.py", "experiments/variants.py",
)  # fmt: skip
_PACKAGE = Path(__file__).resolve().parent


@cache
def code_hash() -> str:
    """Hash of the code of models, training and evaluation.

    Computed once, when this module is imported: that is the code that runs, even if the files change afterwards.
    """
    files = [file for pattern in _MODEL_CODE for file in sorted(_PACKAGE.glob(pattern))]
    return hash_of_statements(file.read_text(encoding="utf-8") for file in files)


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
    """The statements of a module, class or function, without a string that stands first and says what it is."""
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    return body[1:] if isinstance(first, ast.Constant) and isinstance(first.value, str) else body


def commit() -> str | None:
    """The commit of the checkout that this package lies in, with "-dirty" where its code differs; None without one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(_PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        tracked = git("ls-files", "--", "errors.py")
        if not tracked:  # a package that was installed below somebody else's checkout
            return None
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "*.py")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str]:
    """Versions of what computes."""
    found = {name: metadata.version(name) for name in ("torch", "numpy")}
    return {"dmesr": __version__, "python": platform.python_version()} | found


class PeakMemory:
    """The most memory that this process held since `PeakMemory()`, in MB (10⁶ bytes)."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: start to measure anew
            self.exact = True
        except OSError:
            self.exact = False

    def megabytes(self) -> float | None:
        """None where the system cannot tell the peak of a part of the process's life."""
        if not self.exact:
            return None
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
        return None


code_hash()
