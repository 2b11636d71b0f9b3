"""Turning the columns of somebody's log - ids, names, dates - into numbers, with every fault named by its row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.csv_files import clean_id, name_rows, rows_where
from dmesr_core.errors import DataError


def as_series(column: Iterable) -> pd.Series:
    """Any column (list, array, pandas) as a series whose index says nothing."""
    if isinstance(column, (pd.Series, pd.Index)):
        return pd.Series(column.array)
    return pd.Series(column if isinstance(column, np.ndarray) else list(column))


def number_users(users: pd.Series, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """User numbers (n,) and their ids, shortest ids first and equals by the alphabet, so that "9" is before "10"."""
    codes, distinct = pd.factorize(users)
    ids = [clean_id(value) for value in distinct] + [""]  # the code -1 (lacking) finds the last one
    lacking = np.array([not id for id in ids])[codes]
    if lacking.any():
        raise DataError(f"{where}: {name_rows(rows_where(lacking))}: the user id is empty or NaN")
    user_ids = tuple(sorted(sorted(set(ids) - {""}), key=len))
    number = {id: u for u, id in enumerate(user_ids)}
    return np.array([number.get(id, -1) for id in ids], dtype=np.int64)[codes], user_ids


def number_items(items: pd.Series, catalogue: Catalogue | int) -> np.ndarray:
    """Item numbers (n,) int64; 0 for items that the catalogue does not have."""
    codes, distinct = pd.factorize(items)
    if isinstance(catalogue, Catalogue):
        numbers = catalogue.numbers([clean_id(value) for value in distinct])
    else:
        numbers = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(np.float64, na_value=np.nan)
        numbers = np.where((numbers >= 1) & (numbers <= catalogue) & (numbers % 1 == 0), numbers, 0)
    return np.append(numbers, 0).astype(np.int64)[codes]  # the code -1 (lacking) finds the last one


def check_unknown_items(items: pd.Series, unknown: np.ndarray, on_unknown: str, where: str) -> None:
    """Raise if some (on_unknown "error") or all items are `unknown` (n,) to the catalogue."""
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
    """Times (n,) float64, all finite. A column is read as numbers or as dates, whichever most rows are."""
    if pd.api.types.is_datetime64_any_dtype(times):
        return _checked(_since_1970(times), times, where)
    numbers = pd.to_numeric(times, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    are_numbers = ~np.isnan(numbers)
    if not pd.api.types.is_numeric_dtype(times) and are_numbers.mean() <= 0.5:
        dates = pd.to_datetime(times.mask(are_numbers), errors="coerce", utc=True, format="ISO8601")
        if dates.notna().sum() > are_numbers.sum():
            return _checked(_since_1970(dates), times, where)
    return _checked(numbers, times, where)


def _since_1970(dates: pd.Series) -> np.ndarray:
    return ((dates - pd.Timestamp(0, tz=dates.dt.tz)) / pd.Timedelta(seconds=1)).to_numpy(np.float64)


def _checked(seconds: np.ndarray, given: pd.Series, where: str) -> np.ndarray:
    bad = ~np.isfinite(seconds)
    if bad.any():
        rows = rows_where(bad)
        raise DataError(
            f"{where}: {name_rows(rows)}: the time is not a finite number or date "
            f"(row {rows[0]} holds {str(given.iloc[rows[0] - 1])!r}); correct or drop these events"
        )
    return seconds
