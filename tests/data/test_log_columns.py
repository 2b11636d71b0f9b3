"""Columns of a log become numbers: ids of users and items, times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dmesr_core.data.log_columns import as_series, number_items, number_users, parse_times
from dmesr_core.errors import DataError


def test_a_series_forgets_its_index():
    for column in (pd.Series([3, 4], index=[9, 9]), pd.Index([3, 4]), np.array([3, 4]), (x for x in (3, 4))):
        series = as_series(column)
        assert series.tolist() == [3, 4] and series.index.tolist() == [0, 1]


def test_users_are_ordered_by_length_then_alphabet():
    numbers, ids = number_users(pd.Series(["10", "9", "b", 9.0, "a"]), "log")
    assert ids == ("9", "a", "b", "10") and numbers.tolist() == [3, 0, 2, 0, 1]


def test_item_numbers_and_ids(make_catalogue):
    assert number_items(pd.Series(["a2", " a1", "z", None]), make_catalogue(2)).tolist() == [2, 1, 0, 0]
    assert number_items(pd.Series([2, 3, 0, 1.5, np.nan]), 2).tolist() == [2, 0, 0, 0, 0]


def test_a_column_is_numbers_or_dates_whichever_most_rows_are():
    assert parse_times(pd.Series(["5", "7.5"]), "log").tolist() == [5, 7.5]
    assert parse_times(pd.Series(["1970-01-02", "1970-01-01T00:00:01Z"]), "log").tolist() == [86_400, 1]
    with pytest.raises(DataError, match=r"log: row 2: the time is not .* \(row 2 holds '5'\)"):
        parse_times(pd.Series(["1970-01-02", "5", "1970-01-03"]), "log")
    with pytest.raises(DataError, match=r"log: row 3: the time is not .* \(row 3 holds '1970-01-02'\)"):
        parse_times(pd.Series(["5", "6", "1970-01-02"]), "log")


@pytest.mark.parametrize("odd", ["1704067200", "31.01.2024", ""])
def test_a_time_that_is_not_like_the_others_says_what_is_wanted(odd):
    with pytest.raises(DataError, match=rf"row 3 holds '{odd}'\).*numbers in all rows, or ISO dates .* in all rows"):
        parse_times(pd.Series(["2024-01-01", "2024-01-02T10:00", odd]), "log")
