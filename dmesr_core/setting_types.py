"""Types of settings, checked in one place: what a dataclass says that its fields are."""

from __future__ import annotations

import dataclasses
import numbers
import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from dmesr_core.errors import SettingsError


def check_types(settings: Any) -> None:
    """Compare the fields of a settings dataclass with their annotations.

    A float may be a whole number; a bool is no number; numbers of numpy count. Ranges, and NaN, are
    checked by each class itself.

    Raises:
        SettingsError: names the field, what it should be, and what it is.
    """
    for name, wanted in _hints(settings.__class__).items():
        value = getattr(settings, name)
        if not _fits(value, wanted):
            raise SettingsError(f"{name} must be {_words(wanted)}, got {value!r}{_hint(value, wanted)}")


def check_settings(settings: Any, wanted: type, name: str = "settings") -> None:
    """Whether an argument is settings of the class `wanted`, and not a dict or a word.

    Raises:
        SettingsError: says how to write it.
    """
    if not isinstance(settings, wanted):
        raise SettingsError(
            f"{name} must be {wanted.__name__}(...), got {type(settings).__name__}{_hint(settings, wanted)}"
        )


@cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _fits(value: Any, wanted: Any) -> bool:
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (types.UnionType, Union):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(one, inner[0]) for one in value)
    if wanted in (int, float):
        kind = numbers.Integral if wanted is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if wanted is None or wanted is types.NoneType:
        return value is None
    if origin is not None:  # such as dict[str, int]: its contents are not looked at
        return isinstance(value, origin)
    return wanted is Any or isinstance(value, wanted)


def _words(wanted: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (types.UnionType, Union):
        return " or ".join(_words(one) for one in inner)
    if origin is tuple:
        return f"a tuple, each entry {_words(inner[0])}"
    known = {int: "a whole number", float: "a number", str: "a string", bool: "True or False", types.NoneType: "None"}
    return known.get(wanted, getattr(wanted, "__name__", str(wanted)))


def _hint(value: Any, wanted: Any) -> str:
    """How to write what was probably meant; "" where that is not clear."""
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        if isinstance(value, dict):
            return f": write {wanted.__name__}(**{{...}})"
        if isinstance(value, str):
            return f": write {wanted.__name__}({value!r})"
    if get_origin(wanted) is tuple and isinstance(value, list):
        return f": write {tuple(value)!r}"
    if get_origin(wanted) is tuple and not isinstance(value, tuple) and _fits(value, get_args(wanted)[0]):
        return f": write ({value!r},)"
    return ""
