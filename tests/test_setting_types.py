"""Types of settings: what fits, and what the message says where it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from dmesr_core.errors import SettingsError
from dmesr_core.setting_types import check_settings, check_types


@dataclass(frozen=True)
class Inner:
    name: str = "x"

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    size: int = 3
    rate: float = 0.5
    on: bool = True
    at: tuple[int, ...] = (1, 2)
    device: str | None = None

    def __post_init__(self) -> None:
        check_types(self)


@pytest.mark.parametrize(
    "good", [{}, {"size": np.int64(4)}, {"rate": 1}, {"rate": np.float32(0.5)}, {"at": ()}, {"device": "cpu"}]
)
def test_what_fits(good):
    Outer(**good)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"inner": "bert"}, "inner must be Inner, got 'bert': write Inner('bert')"),
        ({"inner": {"name": "y"}}, "inner must be Inner, got {'name': 'y'}: write Inner(**{...})"),
        ({"size": 2.5}, "size must be a whole number, got 2.5"),
        ({"size": "2"}, "size must be a whole number, got '2'"),
        ({"size": True}, "size must be a whole number, got True"),
        ({"rate": None}, "rate must be a number, got None"),
        ({"on": 1}, "on must be True or False, got 1"),
        ({"at": 10}, "at must be a tuple, each entry a whole number, got 10: write (10,)"),
        ({"at": [1, 2]}, "got [1, 2]: write (1, 2)"),
        ({"at": (1, "2")}, "at must be a tuple"),
        ({"device": 0}, "device must be a string or None, got 0"),
    ],
)
def test_what_does_not_fit(bad, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        Outer(**bad)


def test_a_whole_argument():
    check_settings(Outer(), Outer)
    with pytest.raises(SettingsError, match=re.escape("settings must be Inner(...), got dict: write Inner(**{...})")):
        check_settings({"name": "x"}, Inner)
