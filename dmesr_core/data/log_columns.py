"""Columns of a log as numbers: ids of users and items, dates; every error names its row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.csv_files import clean_id, name_rows, rows_where
from dmesr_core.errors import DataError


def as_series(column: Iterable) -> pd.Series:
    """Any column (list, array, pandas) as a series with the default index."""
    if isinstance(column, (pd.Series, pd.Index)):
        return pd.Series(column.array)
    return pd.Series(column if isinstance(column, np.ndarray) else list(column))


def number_users(users: pd.Series, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """User numbers (n,) int64 and the id of each; ids sorted by length, then alphabet, so "9" is before "10"."""
    codes, distinct = pd.factorize(users)
    ids = [clean_id(value) for value in distinct] + [""]  # the last one is for the code -1 (missing)
    missing = np.array([not id for id in ids])[codes]
    if missing.any():
        raise DataError(f"{where}: {name_rows(rows_where(missing))}: the user id is empty or NaN")
    user_ids = tuple(sorted(sorted(set(ids) - {""}), key=len))
    number = {id: u for u, id in enumerate(user_ids)}
    return np.array([number.get(id, -1) for id in ids], dtype=np.int64)[codes], user_ids


def number_items(items: pd.Series, catalogue: Catalogue | int) -> np.ndarray:
    """Item numbers (n,) int64; 0 for items that are not in the catalogue."""
    codes, distinct = pd.factorize(items)
    if isinstance(catalogue, Catalogue):
        numbers = catalogue.numbers([clean_id(value) for value in distinct])
    else:
        numbers = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(np.float64, na_value=np.nan)
        numbers = np.where((numbers >= 1) & (numbers <= catalogue) & (numbers % 1 == 0), numbers, 0)
    return np.append(numbers, 0).astype(np.int64)[codes]  # the last one is for the code -1 (missing)


def check_unknown_items(items: pd.Series, unknown: np.ndarray, on_unknown: str, where: str) -> None:
    """DataError if `on_unknown` is "error" and some items are `unknown` (n,) bool, or if all are."""
    if on_unknown == "drop" and not unknown.all():
        return
    rows = rows_where(unknown)
    named = ", ".join(f"row {row} ({str(items.iloc[row - 1])!r})" for row in rows[:5])
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    advice = "add the items to the catalogue or correct the ids"
    if on_unknown == "error":
        advice += ", or pass on_unknown='drop'"
    raise DataError(
        f"{where}: {len(rows):,} of {len(items):,} events name an item that is not in the catalogue: "
        f"{named}{more}; {advice}"
    )


def parse_times(times: pd.Series, where: str) -> np.ndarray:
    """Times as seconds or other numbers, (n,) float64, all finite; dates become seconds since 1970 (UTC).

    A column is read as numbers or as dates, whichever fits more of its rows.
    """
    if pd.api.types.is_datetime64_any_dtype(times):
        return _check_finite(_since_1970(times), times, where)
    numbers = pd.to_numeric(times, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    are_numbers = ~np.isnan(numbers)
    if not pd.api.types.is_numeric_dtype(times) and are_numbers.mean() <= 0.5:
        dates = pd.to_datetime(times.mask(are_numbers), errors="coerce", utc=True, format="ISO8601")
        if dates.notna().sum() > are_numbers.sum():
            return _check_finite(_since_1970(dates), times, where)
    return _check_finite(numbers, times, where)


def _since_1970(dates: pd.Series) -> np.ndarray:
    """Dates as seconds since 1970, (n,) float64; NaN for missing ones."""
    return ((dates - pd.Timestamp(0, tz=dates.dt.tz)) / pd.Timedelta(seconds=1)).to_numpy(np.float64)


def _check_finite(seconds: np.ndarray, given: pd.Series, where: str) -> np.ndarray:
    """`seconds` (n,), if all are finite; else DataError with the first value that was `given`."""
    bad = ~np.isfinite(seconds)
    if bad.any():
        rows = rows_where(bad)
        raise DataError(
            f"{where}: {name_rows(rows)}: the time is not a finite number or date "
            f"(row {rows[0]} holds {str(given.iloc[rows[0] - 1])!r}); correct or drop these events. Wanted are "
            "numbers in all rows, or ISO dates (2024-01-31) in all rows"
        )
    return seconds
