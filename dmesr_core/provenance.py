"""Where a number comes from: the code that made it, its versions and commit, and the memory that it took."""

from __future__ import annotations

import ast
import hashlib
import io
import platform
import subprocess
import tokenize
from functools import cache
from importlib import metadata
from pathlib import Path

from dmesr_core import __version__

# What decides what a training comes to, given its data and settings.
_MODEL_FILES = (
    "align", "fuse", "backbones", "baselines", "dmesr", "evaluate", "losses", "ranking", "sequences", "train",
    "train_settings", "variants",
)  # fmt: skip
_PACKAGE = Path(__file__).resolve().parent


@cache
def code_hash() -> str:
    """Hash of the code of models, training and evaluation; what is said about the code plays no part in it.

    Taken once, when this file is loaded: that is the code which runs, whatever becomes of the files later.
    """
    digest = hashlib.sha256()
    for name in _MODEL_FILES:
        file = _PACKAGE / f"{name}.py"
        if file.exists():
            digest.update(f"{name}\n{bare(file.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()[:16]


def bare(source: str) -> str:
    """Python source without comments, docstrings, blank lines and spaces at the ends of lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                for row in range(first.lineno - 1, first.end_lineno or first.lineno):
                    lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


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
