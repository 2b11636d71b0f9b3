"""Settings are whole numbers or numbers within their range, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.data.checks import check_number, check_whole
from dmesr_core.errors import SettingsError


@pytest.mark.parametrize("value", [1, 2, np.int64(3), 10**30])
def test_whole_numbers(value):
    check_whole("k", value, 1)


@pytest.mark.parametrize("value", [0, -1, 2.0, 2.5, "2", None, True, float("nan"), np.float64(3), [1]])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(SettingsError, match="k must be a whole number, at least 1, got "):
        check_whole("k", value, 1)


@pytest.mark.parametrize("value", [0, -1.5, np.float32(3), 10**30])
def test_numbers(value):
    check_number("x", value)


@pytest.mark.parametrize("value", ["0.1", None, True, float("nan"), float("inf"), 1j])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(SettingsError, match="x must be a number, got "):
        check_number("x", value)
