"""Checks of settings: whole numbers and shares in their range."""

from __future__ import annotations

import math
import numbers

from dmesr_core.errors import SettingsError


def check_whole(name: str, value: object, low: int) -> None:
    """SettingsError unless `value` is a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < low:
        raise SettingsError(f"{name} must be a whole number, at least {low}, got {value!r}")


def check_number(name: str, value: object) -> None:
    """SettingsError unless `value` is a finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise SettingsError(f"{name} must be a number, got {value!r}")
