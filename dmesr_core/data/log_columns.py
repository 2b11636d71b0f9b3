"""Columns of a log as numbers: ids of users and items, dates; every error names its row."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import numpy as np
import pandas as pd

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.csv_files import clean_id, name_rows, rows_where, shown
from dmesr_core.data.near_names import likely_reason
from dmesr_core.errors import DataError

_log = logging.getLogger(__name__)
_EXACT = 2**53  # a float64 holds all whole numbers up to this one
_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")


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


def check_unknown_items(
    items: pd.Series, unknown: np.ndarray, on_unknown: str, where: str, catalogue: Catalogue | int, any_left: bool
) -> None:
    """Say (`logging`) that events of `unknown` (n,) bool items are dropped.

    Raises:
        DataError: `on_unknown` is "error", or not `any_left`: no event would be left.
    """
    rows = rows_where(unknown)
    reason = ""
    if isinstance(catalogue, Catalogue):
        ids = dict.fromkeys(clean_id(items.iloc[row - 1]) for row in rows[:1_000])
        reason = likely_reason(ids, catalogue.ids, "ids of events", "ids of items")
        reason = f"; likely: {reason}" if reason else ""
    if on_unknown == "drop" and any_left:
        _log.warning(
            "%s: %s of %s events dropped: their item is not in the catalogue (first: row %d, %s)%s",
            where, f"{len(rows):,}", f"{len(items):,}", rows[0], shown(items.iloc[rows[0] - 1]), reason,
        )  # fmt: skip
        return
    named = ", ".join(f"row {row} ({shown(items.iloc[row - 1])})" for row in rows[:5])
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    advice = "add the items to the catalogue or correct the ids"
    if on_unknown == "error":
        advice += ', or drop these events: load_dataset(..., on_unknown="drop"), on the command line --on-unknown drop'
    raise DataError(
        f"{where}: {len(rows):,} of {len(items):,} events name an item that is not in the catalogue: "
        f"{named}{more}{reason}; {advice}"
    )


class Times(NamedTuple):
    """When events happened, and how events are ordered that a float64 takes to be at the same time."""

    seconds: np.ndarray  # (n,) float64, all finite; numbers stay in their unit, dates are seconds since 1970 (UTC)
    exact: np.ndarray | None  # (n,) int64, orders events of equal `seconds`; None: all of these are true ties


def parse_times(times: pd.Series, where: str) -> Times:
    """Times as seconds or other numbers; dates become seconds since 1970 (UTC).

    A column is read as numbers or as dates, whichever fits more of its rows. A float64 holds nanoseconds since 1970 to
    about 200 of them: where values are given more exactly, `exact` keeps their order.

    Raises:
        DataError: a time that is missing, infinite or cannot be read; numbers in more than one unit. Names the rows.
    """
    if isinstance(times.dtype, pd.CategoricalDtype):
        times = times.astype(object)
    if pd.api.types.is_datetime64_any_dtype(times):
        seconds, exact = _since_1970(times)
        return Times(_check_finite(seconds, times, where), exact)
    numbers = pd.to_numeric(times, errors="coerce")
    seconds = numbers.to_numpy(np.float64, na_value=np.nan)
    are_numbers = ~np.isnan(seconds)
    if not pd.api.types.is_numeric_dtype(times) and are_numbers.mean() <= 0.5:
        dates, exact = _read_dates(times.mask(are_numbers))
        if np.isfinite(dates).sum() > are_numbers.sum():
            return Times(_check_finite(dates, times, where), exact)
    _check_units(_check_finite(seconds, times, where), times, where)
    if pd.api.types.is_integer_dtype(numbers):
        whole = numbers.to_numpy()
        beyond = len(whole) and max(abs(int(whole.min())), abs(int(whole.max()))) > _EXACT
        return Times(seconds, np.unique(whole, return_inverse=True)[1].astype(np.int64) if beyond else None)
    return Times(seconds, None if pd.api.types.is_numeric_dtype(times) else _order_of_texts(times.astype(str), seconds))


def _order_of_texts(texts: pd.Series, seconds: np.ndarray) -> np.ndarray | None:
    """Orders events (n,) whose numbers, given as text, are the same float64 but not the same number; None: no such."""
    if not (texts.str.len() > 16).any():  # 15 digits are always exact
        return None
    codes, distinct = pd.factorize(texts)
    floats = np.empty(len(distinct))
    floats[codes] = seconds
    alike = np.flatnonzero(pd.Series(floats).duplicated(keep=False))
    if not len(alike):
        return None
    values = {}
    for k in alike.tolist():
        with contextlib.suppress(InvalidOperation):  # pandas reads a few more forms
            values[k] = Decimal(str(distinct[k]).strip())
    rank = {value: number for number, value in enumerate(sorted(set(values.values())), start=1)}
    order = np.zeros(len(distinct), dtype=np.int64)
    for k, value in values.items():
        order[k] = rank[value]
    return order[codes]


def _read_dates(texts: pd.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """ISO dates as seconds since 1970, NaN for what is none, and their exact order."""
    dates = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
    seconds, exact = _since_1970(dates)
    for row in np.flatnonzero(np.isnan(seconds) & texts.notna().to_numpy()):  # before 1677 or after 2262, perhaps
        try:
            date = datetime.fromisoformat(str(texts.iloc[row]).strip())
        except (ValueError, OverflowError):
            continue
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds[row] = (date - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return seconds, exact


def _since_1970(dates: pd.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Dates as seconds since 1970, NaN for missing ones; and in nanoseconds (n,) int64 if these matter, else None."""
    values = (dates if dates.dt.tz is None else dates.dt.tz_convert(None)).to_numpy()
    unit = np.datetime_data(values.dtype)[0]
    ticks = values.astype(np.int64)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds = np.where(np.isnat(values), np.nan, ticks / per_second)
    return seconds, ticks if unit == "ns" and (ticks % 1_000)[~np.isnat(values)].any() else None


def _check_units(seconds: np.ndarray, given: pd.Series, where: str) -> None:
    """DataError if some numbers are seconds since 1970 and others milliseconds, microseconds or nanoseconds.

    That is: all values are moments of 1990 to 2100 in one of these units, or smaller than all of these; and there
    are two units or more. A clock that starts at 0 runs through the numbers between and is never refused.
    """
    start, end = 631_152_000, 4_102_444_800  # 1990 and 2100, in seconds
    unit = np.full(len(seconds), -1)
    for number in range(len(_UNITS)):
        unit[(seconds >= start * 1_000**number) & (seconds < end * 1_000**number)] = number
    counts = np.bincount(unit[unit >= 0], minlength=len(_UNITS))
    if (counts > 0).sum() < 2 or (seconds[unit < 0] >= start).any():
        return
    usual = int(counts.argmax())
    rows = rows_where((unit >= 0) & (unit != usual))
    raise DataError(
        f"{where}: {name_rows(rows)}: the times jump between units: {shown(given.iloc[rows[0] - 1])} (row {rows[0]}) "
        f"would be {_UNITS[unit[rows[0] - 1]]} since 1970, where {counts[usual]:,} of {len(seconds):,} rows hold "
        f"{_UNITS[usual]}; give all times in one unit"
    )


def _check_finite(seconds: np.ndarray, given: pd.Series, where: str) -> np.ndarray:
    """`seconds` (n,), if all are finite; else DataError with the first value that was `given`."""
    bad = ~np.isfinite(seconds)
    if bad.any():
        rows = rows_where(bad)
        raise DataError(
            f"{where}: {name_rows(rows)}: the time is not a finite number or date "
            f"(row {rows[0]} holds {shown(given.iloc[rows[0] - 1])}); correct or drop these events. Wanted are "
            "numbers in all rows, or ISO dates (2024-01-31) in all rows"
        )
    return seconds


def say_ties(user: np.ndarray, item: np.ndarray, time: np.ndarray, tied: int, where: str) -> None:
    """Say how many of the events (E,) are `tied` with the one before, and how many of them are doubled rows."""
    events = "event has" if tied == 1 else "events have"
    doubled = int(pd.DataFrame({"user": user, "item": item, "time": time}).duplicated().sum())
    verb = "repeats" if doubled == 1 else "repeat"
    also = f"; {doubled:,} {verb} user, item and time of another: doubled rows make scores look better"
    _log.warning(
        "%s: %s %s the same time as the user's event before: file order decides%s",
        where, f"{tied:,}", events, also if doubled else "",
    )  # fmt: skip
