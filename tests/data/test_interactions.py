"""Interactions: what comes in is checked and sorted; filters and splits do what a plain loop would do."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from dmesr_core.data.interactions import Interactions, keep_core, read_interactions
from dmesr_core.errors import DataError, SettingsError


def events(rows, catalogue=9, **settings) -> Interactions:
    """From (user, item, time) triples."""
    return Interactions.from_columns(*zip(*rows, strict=True), catalogue, **settings)


def random_events(n=3_000, users=200, items=150, seed=0) -> Interactions:
    rng = np.random.default_rng(seed)
    popular = rng.permutation(items) + 1
    return Interactions.from_columns(
        rng.geometric(0.02, n) % users, popular[rng.geometric(0.03, n) % items], rng.integers(0, 500, n), items
    )


def per_user(x: Interactions) -> dict[str, list[int]]:
    return {id: h.tolist() for id, h in zip(x.user_ids, x.histories(), strict=True)}


# --- what comes in ---


def test_sorted_by_user_and_time():
    x = events([("u2", 1, 5.0), ("u1", 2, 9.0), ("u1", 3, 1.0), ("u2", 4, 4.0), ("u1", 5, 4.0)])
    assert per_user(x) == {"u1": [3, 5, 2], "u2": [4, 1]}
    assert x.user.tolist() == [0, 0, 0, 1, 1] and x.time.tolist() == [1, 4, 9, 4, 5]
    assert x.report["unsorted"] == 2 and x.report["tied_times"] == 0
    assert (x.user.dtype, x.item.dtype, x.time.dtype) == (np.int64, np.int64, np.float64)


def test_ties_keep_the_order_of_the_file():
    x = events([("u", k, 7.0) for k in (5, 3, 8, 1)] + [("u", 2, 6.0), ("v", 4, 7.0)])
    assert per_user(x) == {"u": [2, 5, 3, 8, 1], "v": [4]}
    assert x.report["tied_times"] == 3 and x.report["unsorted"] == 1


def test_counts():
    x = events([("a", 1, 0), ("b", 1, 0), ("b", 1, 1), ("b", 2, 1), ("c", 3, 9)])
    wanted = {
        "events": 5,
        "users": 3,
        "items": 3,
        "single_event_users": 2,
        "tied_times": 1,
        "repeats": 1,
        "unsorted": 0,
    }
    assert {name: x.report[name] for name in wanted} == wanted
    assert len(x) == 5 and x.n_users == 3 and x.n_items == 9


def test_external_ids(make_catalogue):
    x = events([("u", "a3", 1), ("u", " a1 ", 2)], make_catalogue(3))
    assert x.item.tolist() == [3, 1] and x.n_items == 3


def test_numbers_as_external_ids():
    """0 as an external id is an item; numbers that became floats on the way are still found."""
    from dmesr_core.data.catalogue import Catalogue

    catalogue = Catalogue(("0", "7"), ("", ""), ("", ""), (None, None))
    for zero, seven in ((0, 7), (0.0, 7.0), ("0", "7")):
        assert events([("u", zero, 1), ("u", seven, 2)], catalogue).item.tolist() == [1, 2]


def test_users_are_numbered_as_people_count():
    x = events([(u, 1, 0) for u in ("10", "9", "b", "a", "101")])
    assert x.user_ids == ("9", "a", "b", "10", "101")
    assert events([(10, 1, 0), (9, 1, 0), (9.0, 2, 1)]).user_ids == ("9", "10")


@pytest.mark.parametrize("bad", ["a9", "", None, float("nan"), 0])
def test_unknown_items(make_catalogue, bad):
    rows = [("u", "a1", 1), ("v", bad, 2), ("u", "a2", 3)]
    advice = r'load_dataset\(\.\.\., on_unknown="drop"\), on the command line --on-unknown drop$'
    with pytest.raises(DataError, match=rf"interactions: 1 of 3 events name an item .*: row 2 \('.*{advice}"):
        events(rows, make_catalogue())
    x = events(rows, make_catalogue(), on_unknown="drop")
    assert x.item.tolist() == [1, 2] and x.user_ids == ("u",) and x.report["unknown_items_dropped"] == 1


@pytest.mark.parametrize("bad", [0, -1, 10, 2.5, float("nan")])
def test_item_numbers_out_of_range(bad):
    with pytest.raises(DataError, match="1 of 2 events .* row 2"):
        events([("u", 9, 1), ("u", bad, 2)], 9)


def test_many_unknown_items_are_named_briefly(make_catalogue):
    with pytest.raises(DataError, match=r"40 of 41 .* row 2 \('z1'\).* and 35 more; ") as error:
        events([("u", "a1", 0), *(("u", f"z{k}", k) for k in range(1, 41))], make_catalogue())
    assert len(str(error.value)) < 350
    with pytest.raises(DataError, match="1 of 1 events name an item") as error:
        events([("u", "zz", 0)], make_catalogue(), on_unknown="drop")
    assert "drop" not in str(error.value)  # that would be no help


def test_on_unknown_must_be_known():
    with pytest.raises(SettingsError, match="'error' or 'drop', got 'ignore'"):
        events([("u", 1, 1)], on_unknown="ignore")


@pytest.mark.parametrize("bad", [float("nan"), None, float("inf"), "", "yesterday", pd.NaT])
def test_bad_times_are_named(bad):
    with pytest.raises(DataError, match=r"log: rows 2, 4: the time is not a finite number"):
        events([("u", 1, 1.0), ("u", 2, bad), ("u", 3, 2.0), ("v", 4, bad)], where="log")


def test_only_bad_times():
    with pytest.raises(DataError, match="rows 1, 2: the time is not"):
        events([("u", 1, "soon"), ("u", 2, "later")])


def test_dates_become_seconds():
    given = ["1970-01-02", "1970-01-01T00:00:10", "1970-01-01 01:00:00+01:00"]
    wanted = [86_400.0, 10.0, 0.0]
    for times in (given, pd.to_datetime(given, utc=True, format="ISO8601"), np.array([86_400, 10, 0], "datetime64[s]")):
        x = Interactions.from_columns(["a", "b", "c"], [1, 2, 3], times, 3)
        assert x.time.tolist() == wanted
    assert events([("u", 1, "12"), ("u", 2, "13.5")]).time.tolist() == [12, 13.5]
    with pytest.raises(DataError, match="row 2: the time"):
        events([("u", 1, "2024-05-01"), ("u", 2, "2024-13-01")])


@pytest.mark.parametrize("bad", ["", None, float("nan")])
def test_users_without_an_id(bad):
    with pytest.raises(DataError, match="row 2: the user id is empty or NaN"):
        events([("u", 1, 1), (bad, 2, 2)])


def test_no_events_and_uneven_columns():
    with pytest.raises(DataError, match="log: there are no events"):
        Interactions.from_columns([], [], [], 5, where="log")
    with pytest.raises(DataError, match="2 users, 1 items and 1 times do not match"):
        Interactions.from_columns(["a", "b"], [1], [1.0], 5)


def test_pandas_columns_with_any_index():
    table = pd.DataFrame({"u": ["a", "b", "a"], "i": [1, 2, 3], "t": [3.0, 2.0, 1.0]}, index=[7, 7, 0])
    assert per_user(Interactions.from_columns(table.u, table.i, table.t, 3)) == {"a": [3, 1], "b": [2]}


def test_large_logs_are_fast():
    """900,000 events; a loop over users or events would take ten times as long."""
    rng = np.random.default_rng(0)
    n_users = 100_000
    start = time.perf_counter()
    x = Interactions.from_columns(
        np.repeat(np.arange(n_users), 9), rng.integers(1, 20_001, 9 * n_users), rng.random(9 * n_users), 20_000
    )
    split = x.leave_one_out()
    assert len(split.test) == n_users and time.perf_counter() - start < 10


# --- files ---


def test_read_interactions(write_folder, make_catalogue):
    folder = write_folder({"log.csv": "when,who,what,stars\n2,u,a2,5\n1,u,a1,4\n"})
    x = read_interactions(folder / "log.csv", make_catalogue(), columns=("who", "what", "when"))
    assert per_user(x) == {"u": [1, 2]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item\nu,a1\n", "lacks the column 'time'; found 'user', 'item', wanted 'user', 'item', 'time'"),
        ("user,item,time\nu,a1,1\nu,a2,\n", "row 2: the time is not a finite number"),
        ("user,item,time\nu,a1,1\nu,a2", "row 2 has fewer cells than the header"),
        ("user,item,time\nu,a1,1\nu,b2,2\n", r"row 2 \('b2'\)"),
        ("user,item,time\n", "there are no events"),
        ("user,item,time\nu,a1,nan\n", "row 1: the time"),
        (b"user,item,time\n\xff,a1,1\n", "line 2 holds the byte 0xff"),
    ],
)
def test_bad_files(write_folder, make_catalogue, content, message):
    with pytest.raises(DataError, match=rf"log\.csv: .*{message}"):
        read_interactions(write_folder({"log.csv": content}) / "log.csv", make_catalogue())


# --- k-core and subsets ---


@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_k_core_equals_a_plain_loop(k):
    x = random_events()
    left = list(zip(x.user.tolist(), x.item.tolist(), x.time.tolist(), strict=True))
    while True:
        by_user, by_item = Counter(u for u, _, _ in left), Counter(i for _, i, _ in left)
        fewer = [e for e in left if by_user[e[0]] >= k and by_item[e[1]] >= k]
        if len(fewer) == len(left):
            break
        left = fewer
    core = x.k_core(k)
    assert [(x.user_ids[u], i, t) for u, i, t in left] == [
        (core.user_ids[u], i, t) for u, i, t in zip(core.user, core.item, core.time, strict=True)
    ]
    assert core.n_items == x.n_items and core.report["k_core_events_dropped"] == len(x) - len(left)
    assert (k == 1) == (len(left) == len(x))


def test_k_core_of_nothing():
    with pytest.raises(DataError, match="fewer than 3 events"):
        events([("u", 1, 1), ("u", 2, 2)]).k_core(3)


def test_keep_core_numbers_items_anew(make_catalogue):
    catalogue = make_catalogue(5)
    rows = [("u", "a5", 1), ("u", "a2", 2), ("v", "a2", 1), ("v", "a5", 3), ("w", "a1", 1), ("v", "a3", 9)]
    small, x = keep_core(catalogue, events(rows, catalogue), 2)
    assert small.ids == ("a2", "a5") and x.n_items == 2 and x.user_ids == ("u", "v")
    assert [small.item(k).id for k in x.item] == ["a5", "a2", "a2", "a5"]


def test_subset_renumbers():
    x = events([("u", 1, 1), ("u", 4, 2), ("v", 2, 3), ("u", 3, 4)], 4).subset([3, 1])
    assert per_user(x) == {"u": [2, 1]} and x.n_items == 2 and x.report["events"] == 2
    for numbers in ([0, 1], [1, 1], [5]):
        with pytest.raises(DataError, match=r"different and lie in 1\.\.4"):
            events([("u", 1, 1)], 4).subset(numbers)
    with pytest.raises(DataError, match="no event is left"):
        events([("u", 1, 1)], 4).subset([2])


# --- splits ---


@pytest.mark.parametrize("min_history", [1, 3])
def test_leave_one_out_equals_a_plain_loop(min_history):
    x = random_events(users=150, seed=1)
    train, valid, test = [], [], []
    for user, history in enumerate(x.histories()):
        h = history.tolist()
        if len(h) < min_history + 2:
            train.append(h)
            continue
        train.append(h[:-2])
        valid.append((user, h[:-2], h[-2]))
        test.append((user, h[:-1], h[-1]))
    split = x.leave_one_out(min_history)
    assert [s.tolist() for s in split.train] == train
    for cases, expected in ((split.valid, valid), (split.test, test)):
        got = zip(cases.users.tolist(), cases.histories, cases.targets.tolist(), strict=True)
        assert [(u, h.tolist(), t) for u, h, t in got] == expected
    assert len(train) > len(test) and split.name == "leave-one-out" and split.n_items == x.n_items
    assert split.report["users_without_cases"] == len(train) - len(test)


def test_short_users_train_only():
    """One event, two events, three events."""
    x = events([("a", 1, 0), ("b", 2, 0), ("b", 3, 1), ("c", 4, 0), ("c", 5, 1), ("c", 6, 2)])
    split = x.leave_one_out()
    assert [s.tolist() for s in split.train] == [[1], [2, 3], [4]]
    assert (split.valid.targets.tolist(), split.test.targets.tolist()) == ([5], [6])
    assert split.train_counts.tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0] and split.train_counts.dtype == np.int64
    assert split.report["cold_test_cases"] == 1 and split.report["users_without_cases"] == 2
    with pytest.raises(DataError, match="no user has 3 events"):
        events([("a", 1, 0), ("b", 2, 0), ("b", 3, 1)]).leave_one_out()
    with pytest.raises(SettingsError, match="min_history"):
        x.leave_one_out(0)


def test_cases_know_their_times():
    x = random_events(seed=2)
    for split in (x.leave_one_out(), x.global_time()):
        for cases in (split.valid, split.test):
            for c in range(0, len(cases), 7):
                user = x.time[x.user == cases.users[c]]
                before = len(cases.histories[c])
                assert cases.histories.times_of(c).tolist() == user[:before].tolist()
                assert cases.times[c] == user[before]


@pytest.mark.parametrize("targets", ["all", "first", "last"])
@pytest.mark.parametrize("min_history", [1, 4])
def test_global_time_equals_a_plain_loop(targets, min_history):
    x = random_events(seed=3)
    split = x.global_time(0.15, 0.1, targets, min_history)
    valid_from, test_from = split.report["valid_from"], split.report["test_from"]
    train, expected, lost = [], {"valid": [], "test": []}, {"valid": 0, "test": 0}
    for user in range(x.n_users):
        items, times = x.item[x.user == user].tolist(), x.time[x.user == user]
        if (times < valid_from).any():
            train.append([i for i, t in zip(items, times, strict=True) if t < valid_from])
        for name, start, end in (("valid", valid_from, test_from), ("test", test_from, np.inf)):
            asked = [p for p, t in enumerate(times) if start <= t < end]
            lost[name] += sum(p < min_history for p in asked)
            asked = [p for p in asked if p >= min_history]
            asked = {"all": asked, "first": asked[:1], "last": asked[-1:]}[targets]
            expected[name] += [(user, items[:p], items[p]) for p in asked]
    assert [s.tolist() for s in split.train] == train
    for name, cases in (("valid", split.valid), ("test", split.test)):
        got = zip(cases.users.tolist(), cases.histories, cases.targets.tolist(), strict=True)
        assert [(u, h.tolist(), t) for u, h, t in got] == expected[name]
        assert split.report[f"{name}_without_history"] == lost[name]
    assert split.name == "global-time"


def test_global_time_shares_and_no_future():
    x = random_events(n=20_000, seed=4)
    split = x.global_time(0.2, 0.1)
    assert abs(len(split.train.items) / len(x) - 0.7) < 0.01
    assert split.train.times.max() < split.valid.times.min() <= split.valid.times.max() < split.test.times.min()
    assert split.train_counts.sum() == len(split.train.items) and split.train_counts[0] == 0


def test_global_time_refuses_what_makes_no_sense():
    x = random_events()
    for valid, test in ((0, 0.1), (0.5, 0.5), (-0.1, 0.2), (0.1, 1.0)):
        with pytest.raises(SettingsError, match="must be above 0"):
            x.global_time(valid, test)
    for valid, test, name in (("0.1", 0.1, "valid"), (0.1, None, "test"), (0.1, float("nan"), "test")):
        with pytest.raises(SettingsError, match=f"{name} must be a number, got"):
            x.global_time(valid, test)
    for bad in (1.5, "1", True, -1):
        with pytest.raises(SettingsError, match="min_history must be a whole number, at least 1"):
            x.leave_one_out(bad)
        with pytest.raises(SettingsError, match="min_history must be a whole number, at least 1"):
            x.global_time(min_history=bad)
        with pytest.raises(SettingsError, match="k must be a whole number, at least 0"):
            x.k_core(bad)
    with pytest.raises(SettingsError, match="'all', 'first' or 'last'"):
        x.global_time(targets="some")
    with pytest.raises(SettingsError, match="min_history"):
        x.global_time(min_history=0)
    with pytest.raises(DataError, match="0 training sequences.*same time"):
        events([(u, i, 5) for u in "abc" for i in range(1, 6)]).global_time()


def test_splits_leave_the_interactions_alone():
    x = random_events()
    before = x.item.copy(), x.time.copy(), dict(x.report)
    for split in (x.leave_one_out(), x.global_time()):
        split.train.items[:] = 1
        split.test.targets[:] = 1
    assert (x.item == before[0]).all() and (x.time == before[1]).all() and x.report == before[2]
