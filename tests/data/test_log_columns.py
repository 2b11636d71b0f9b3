"""Columns of a log become numbers: ids of users and items, times."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from dmesr_core.data.interactions import Interactions
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
    assert parse_times(pd.Series(["5", "7.5"]), "log").seconds.tolist() == [5, 7.5]
    assert parse_times(pd.Series(["1970-01-02", "1970-01-01T00:00:01Z"]), "log").seconds.tolist() == [86_400, 1]
    with pytest.raises(DataError, match=r"log: row 2: the time is not .* \(row 2 holds '5'\)"):
        parse_times(pd.Series(["1970-01-02", "5", "1970-01-03"]), "log")
    with pytest.raises(DataError, match=r"log: row 3: the time is not .* \(row 3 holds '1970-01-02'\)"):
        parse_times(pd.Series(["5", "6", "1970-01-02"]), "log")


@pytest.mark.parametrize("odd", ["1704067200", "31.01.2024", ""])
def test_a_time_that_is_not_like_the_others_says_what_is_wanted(odd):
    with pytest.raises(DataError, match=rf"row 3 holds '{odd}'\).*numbers in all rows, or ISO dates .* in all rows"):
        parse_times(pd.Series(["2024-01-01", "2024-01-02T10:00", odd]), "log")


# --- the exact order of times ---

NOW = 1_700_000_000  # seconds since 1970
STEPS = (3, 0, 2, 1, 2)  # how many steps after NOW each of five events of one user happened; two at the same moment


def order_of(times) -> list[int]:
    """Items (numbered as in the file, from 1) in the order of their times, and how many are tied."""
    log = Interactions.from_columns(["u"] * len(times), range(1, len(times) + 1), times, len(times))
    return log.item.tolist() + [log.report["tied_times"]]


WHOLE = {
    "seconds": [NOW + step for step in STEPS],
    "milliseconds": [NOW * 10**3 + step for step in STEPS],
    "microseconds": [NOW * 10**6 + step for step in STEPS],
    "nanoseconds, 100 apart": [NOW * 10**9 + 100 * step for step in STEPS],
    "nanoseconds, 1 apart": [NOW * 10**9 + step for step in STEPS],
    "beyond int64": [NOW * 10**12 + step for step in STEPS],
}


@pytest.mark.parametrize("times", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("form", ["list", "text", "object", "int64", "uint64", "Int64", "padded text"])
def test_whole_numbers_keep_their_order_in_every_unit(times, form):
    if form in ("int64", "uint64", "Int64") and max(times) > 2**63:
        pytest.skip("does not fit")
    column = {
        "list": lambda: times,
        "text": lambda: [str(time) for time in times],
        "object": lambda: pd.Series(times, dtype=object),
        "int64": lambda: np.array(times, np.int64),
        "uint64": lambda: np.array(times, np.uint64),
        "Int64": lambda: pd.array(times, dtype="Int64"),
        "padded text": lambda: [f" {time}.0" for time in times],
    }[form]()
    assert order_of(column) == [2, 4, 3, 5, 1, 1]


@pytest.mark.parametrize("digits", [3, 6, 7, 9])
def test_fractions_of_seconds_as_text_keep_their_order(digits):
    assert order_of([f"{NOW}.{step:0{digits}}" for step in STEPS]) == [2, 4, 3, 5, 1, 1]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("as_text", [False, True])
def test_dates_keep_their_order_in_every_unit(zone, unit, as_text):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    dates = pd.to_datetime([NOW * ticks + step for step in STEPS], unit=unit).tz_localize(zone)
    assert order_of([date.isoformat() for date in dates] if as_text else dates) == [2, 4, 3, 5, 1, 1]


def test_numbers_that_float64_holds_are_left_to_it():
    for times in (
        [1, 2],
        [0.1, 0.2],
        ["0.12345678901234567", "2"],
        ["1700000000.123456789", "2"],
        WHOLE["microseconds"],
    ):
        assert parse_times(pd.Series(times), "log").exact is None
    log = Interactions.from_columns("uv", [1, 2], [NOW * 10**9, NOW * 10**9 + 1], 2)
    assert log.exact is None  # of different users


def test_the_exact_order_survives_subsets_and_cores():
    times = [NOW * 10**9 + step for step in (2, 0, 1, 1, 5, 4)]
    log = Interactions.from_columns(list("uuuuvv"), [1, 2, 3, 1, 3, 1], times, 4)
    assert log.item.tolist() == [2, 3, 1, 1, 1, 3] and log.report["tied_times"] == 1
    part = log.subset([1, 3])
    assert part.item.tolist() == [2, 1, 1, 1, 2] and part.report["tied_times"] == 1
    core = part.k_core(2)
    assert core.exact is not None and len(core.exact) == len(core) == 5
    assert log.leave_one_out().test.targets.tolist() == [1]


def test_tied_are_only_those_that_are_equal(caplog):
    log = Interactions.from_columns(["u"] * 3 + ["v"], [1, 2, 3, 4], [NOW * 10**9 + step for step in (0, 1, 1, 1)], 4)
    assert log.report["tied_times"] == 1
    assert caplog.messages == ["interactions: 1 event has the same time as the user's event before: file order decides"]


# --- units that jump ---


@pytest.mark.parametrize("form", [list, lambda times: [str(t) for t in times], lambda times: np.array(times, float)])
@pytest.mark.parametrize(("other", "name"), [(10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")])
def test_times_that_jump_between_units_are_refused(form, other, name):
    times = [NOW + k for k in range(10)]
    times[3] *= other
    with pytest.raises(
        DataError,
        match=rf"log: row 4: the times jump between units: '1.*' \(row 4\) would be {name} "
        r"since 1970, where 9 of 10 rows hold seconds; give all times in one unit",
    ):
        parse_times(pd.Series(form(times)), "log")
    times = [time * other for time in range(NOW, NOW + 10)]
    times[1], times[7] = NOW, 0  # a time that is lacking, written as 0, is in no unit
    with pytest.raises(
        DataError, match=rf"row 2: the times jump .* seconds since 1970, where 8 of 10 rows hold {name}"
    ):
        parse_times(pd.Series(form(times)), "log")


@pytest.mark.parametrize(
    "times",
    [
        [0, 1, 10**9, 10**11, 10**12],  # a clock of its own
        np.logspace(0, 18, 50),
        [20_240_131, 20_240_201],
        [20240131120000, 20240201120000],
        [-NOW, 0, NOW],
        [10**9, 4 * 10**9],
    ],
)
def test_numbers_in_one_unit_are_no_jump(times):
    assert parse_times(pd.Series(times), "log").seconds.tolist() == [float(time) for time in times]


# --- dates far away ---

FAR = {"9999-12-31": 253402214400.0, "0001-01-01": -62135596800.0, "2262-04-12": 9223372800.0,
       "1677-09-20": -9223459200.0, "9999-12-31T23:59:59.999999": 253402300799.999999}  # fmt: skip


@pytest.mark.parametrize("date", FAR)
@pytest.mark.parametrize("beside", ["2024-01-01", "2024-01-01T00:00:00.000000001", "2024-01-01T00:00:00+02:00"])
def test_dates_that_pandas_cannot_hold_are_sorted_like_others(date, beside):
    seconds = parse_times(pd.Series([beside, date, beside]), "log").seconds
    assert seconds[1] == FAR[date] and abs(seconds[0] - 1_704_067_200) <= 7_200
    assert order_of([beside, date, beside]) == ([2, 1, 3, 1] if FAR[date] < 0 else [1, 3, 2, 1])


@pytest.mark.parametrize("kind", ["datetime", "date", "numpy", "object"])
def test_far_dates_of_all_types(kind):
    far = [datetime(9999, 12, 31), datetime(1, 1, 1), datetime(2024, 1, 1)]
    column = {
        "datetime": far, "date": [d.date() for d in far], "numpy": np.array(far, "datetime64[s]"),
        "object": pd.Series(far, dtype=object),
    }[kind]  # fmt: skip
    assert parse_times(pd.Series(column), "log").seconds.tolist() == [253402214400, -62135596800, 1704067200]


@pytest.mark.parametrize("date", ["10000-01-01", "99999-12-31", "2024-02-30", "x" * 500])
def test_dates_that_are_none_are_named_with_their_row(date):
    with pytest.raises(DataError, match=r"log: row 2: the time is not .* \(row 2 holds ") as error:
        parse_times(pd.Series(["2024-01-01", date, "2024-01-02"]), "log")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_missing_dates_are_named(unit, zone):
    dates = pd.Series(pd.DatetimeIndex(["2024-01-01", None]).as_unit(unit).tz_localize(zone))
    with pytest.raises(DataError, match=r"log: row 2: the time is not"):
        parse_times(dates, "log")


def test_dates_by_category():
    assert parse_times(pd.Series(["1970-01-01", "1970-01-02"], dtype="category"), "log").seconds.tolist() == [0, 86_400]


# --- ids that match no item ---


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("A1", "likely: upper and lower case differ ('A1' and 'a1')"),
        ("0a1", "likely: ids of events have leading zeros, ids of items have none ('0a1' and 'a1')"),
        ("a1.0", "likely: ids of events are written as decimal numbers, ids of items are not ('a1.0' and 'a1')"),
        ("zz", "; add the items"),
    ],
)
def test_unknown_items_are_said_with_the_likely_reason(make_catalogue, caplog, given, reason):
    columns = ["u", "u"], [given, "a2"], [1, 2]
    with pytest.raises(DataError, match=re.escape(f"row 1 ({given!r})") + ".*" + re.escape(reason)):
        Interactions.from_columns(*columns, make_catalogue())
    log = Interactions.from_columns(*columns, make_catalogue(), on_unknown="drop", where="log.csv")
    assert len(log) == 1
    (said,) = caplog.messages
    wanted = f"log.csv: 1 of 2 events dropped: their item is not in the catalogue (first: row 1, {given!r})"
    assert said.startswith(wanted) and (reason in said) == (given != "zz")
