"""Plots: every figure of the book, in one style."""

from __future__ import annotations

import importlib


def missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error with what to install: what draws figures is not installed with the package itself."""
    message = f"figures need {error.name}, which is not installed: pip install 'dmesr-core[plots]'"
    return ModuleNotFoundError(message, name=error.name)


try:  # here, before any module of plots is loaded
    for _name in ("matplotlib", "cycler", "seaborn"):
        importlib.import_module(_name)
except ModuleNotFoundError as _error:
    raise missing(_error) from None
