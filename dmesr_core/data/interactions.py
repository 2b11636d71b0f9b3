"""Interactions: a log of (user, item, time) events, checked on input, sorted, filtered and split."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dmesr_core.data import log_columns
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.checks import check_number, check_whole
from dmesr_core.data.csv_files import read_table
from dmesr_core.data.html_tables import cut, html_table
from dmesr_core.data.item_names import ItemNames
from dmesr_core.data.sequences import Cases, Sequences, Split
from dmesr_core.errors import DataError, SettingsError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Interactions:
    """A log of n events, sorted by user, then time; at the same time they keep their input order.

    Made by `from_columns` or `load_dataset`, which check it.

    Args:
        user: (n,) int64, 0..U-1.
        item: (n,) int64, item numbers 1..N.
        time: (n,) float64, in seconds or any other unit.
        user_ids: external ids of the U users.
        n_items: N, the size of the catalogue (not every item needs to occur).
        report: counts, see `from_columns`.
        item_names: ids and titles, if the log came with a catalogue.
        exact: (n,) int64, order of events that float64 takes to be at the same time, if there are any.

    Example:
        >>> from dmesr_core import Interactions
        >>> log = Interactions.from_columns(["ann", "bob", "ann", "ann"], [1, 2, 2, 3], [10, 5, 30, 20], 3)
        >>> log
        <Interactions: 4 events of 2 users with 3 items>
        >>> [history.tolist() for history in log.histories()]
        [[1, 3, 2], [2]]
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    user_ids: tuple[str, ...]
    n_items: int
    report: dict[str, int] = field(default_factory=dict)
    item_names: ItemNames | None = None
    exact: np.ndarray | None = None

    @classmethod
    def from_columns(
        cls, users: Iterable, items: Iterable, times: Iterable, catalogue: Catalogue | int,
        on_unknown: str = "error", where: str = "interactions", keep: np.ndarray | None = None,
    ) -> Interactions:  # fmt: skip
        """Events from three columns of equal length, in any order.

        Args:
            users: ids, strings or numbers.
            items: external ids of the catalogue; or item numbers 1..N where `catalogue` is the number N.
            times: numbers in one unit, numbers as text, dates (`datetime64`), or ISO dates as text; dates become
                seconds since 1970 (UTC). Events are ordered by the exact values, `time` holds them as float64.
            catalogue: the catalogue, or the number of its items.
            on_unknown: "error", or "drop" (count and say) events whose item is not in the catalogue.
            where: name of the data in messages, such as a file name.
            keep: (n,) bool, which events to keep; all are checked, and rows in messages count all. None: all.

        The report counts events, users, items (that occur), single_event_users, unsorted (events that come
        after a later one of the same user), tied_times (same user, same time as the event before), repeats
        (same user and item as an earlier event) and unknown_items_dropped. What was dropped or tied is
        said (`logging`).

        Raises:
            DataError: columns of different lengths, no events, unknown items, users without an id, times that
                are missing, infinite, in several units or cannot be read. Names the rows, from 1.
            SettingsError: another value of `on_unknown`.
        """
        check_on_unknown(on_unknown)
        users, items, times = (log_columns.as_series(column) for column in (users, items, times))
        if not len(users) == len(items) == len(times):
            raise DataError(
                f"{where}: {len(users):,} users, {len(items):,} items and {len(times):,} times do not match"
            )
        if len(users) == 0:
            raise DataError(f"{where}: there are no events")
        user, user_ids = log_columns.number_users(users, where)
        time, exact = log_columns.parse_times(times, where)
        item = log_columns.number_items(items, catalogue)
        unknown = item == 0
        dropped = unknown if keep is None else unknown & keep
        stay = np.flatnonzero(~unknown if keep is None else ~unknown & keep)
        if dropped.any():
            log_columns.check_unknown_items(items, dropped, on_unknown, where, catalogue, any_left=len(stay) > 0)
        user, item, time, exact, unsorted = _sorted(stay, user, item, time, exact)
        n_items = len(catalogue) if isinstance(catalogue, Catalogue) else int(catalogue)
        report = {"unsorted": unsorted, "unknown_items_dropped": int(dropped.sum())}
        names = catalogue.names if isinstance(catalogue, Catalogue) else None
        log = cls(user, item, time, user_ids, n_items, report, names, exact)._keep(np.ones(len(user), bool))
        if tied := log.report["tied_times"]:
            log_columns.say_ties(user, item, time, tied, where)
        return log

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return f"<Interactions: {len(self):,} events of {self.n_users:,} users with {self.n_items:,} items>"

    def _repr_html_(self) -> str:
        rows = []
        for user, item, time in zip(self.user[:3], self.item[:3], self.time[:3], strict=True):
            id, title = (str(item), "") if self.item_names is None else self.item_names[item]
            rows.append((cut(self.user_ids[user]), cut(id), cut(title), f"{time:.15g}"))
        caption = f"Interactions: {len(self):,} events of {self.n_users:,} users with {self.n_items:,} items"
        return html_table(caption, ("user", "item", "title", "time"), rows)

    @property
    def n_users(self) -> int:
        """U, the number of users with events."""
        return len(self.user_ids)

    def names(self) -> ItemNames:
        """Ids and titles of the items; numbers as ids where the log came without a catalogue."""
        return ItemNames.numbered(self.n_items) if self.item_names is None else self.item_names

    def histories(self) -> Sequences:
        """All events of each user, one sequence per user."""
        offsets = self._offsets()
        return Sequences(self.item, self.time, offsets[:-1], offsets[1:])

    def k_core(self, k: int) -> Interactions:
        """Drop users and items with fewer than `k` events, again and again until there are none.

        Users are renumbered, items are not; `keep_core` renumbers items and reduces the catalogue as well.

        Raises:
            DataError: no event is left. SettingsError: `k` is no whole number, or below 0.
        """
        check_whole("k", k, 0)
        keep = np.ones(len(self), bool)
        while True:
            by_user = np.bincount(self.user[keep], minlength=self.n_users)
            by_item = np.bincount(self.item[keep], minlength=self.n_items + 1)
            fewer = keep & (by_user[self.user] >= k) & (by_item[self.item] >= k)
            if fewer.sum() == keep.sum():
                break
            keep = fewer
        if not keep.any():
            raise DataError(f"no event is left when users and items with fewer than {k} events are dropped")
        kept = self._keep(keep)
        kept.report["k_core_events_dropped"] = len(self) - len(kept)
        return kept

    def subset(self, item_numbers: Iterable[int]) -> Interactions:
        """Events with these items only; items are renumbered from 1 in the order given, as `Catalogue.subset` does.

        Raises:
            DataError: a number that is no item or occurs twice, or no event is left.
        """
        numbers = np.asarray(list(item_numbers), dtype=np.int64)
        if len(np.unique(numbers)) < len(numbers) or (
            len(numbers) and not 1 <= numbers.min() <= numbers.max() <= self.n_items
        ):
            raise DataError(f"subset: item numbers must be different and lie in 1..{self.n_items:,}")
        new_number = np.zeros(self.n_items + 1, np.int64)
        new_number[numbers] = np.arange(1, len(numbers) + 1)
        names = None if self.item_names is None else self.item_names.subset(numbers)
        renumbered = replace(self, item=new_number[self.item], n_items=len(numbers), item_names=names)
        return renumbered._keep(renumbered.item > 0)

    def leave_one_out(self, min_history: int = 1) -> Split:
        """The last event of each user is the test target, the one before it the validation target.

        Users with fewer than `min_history` events before these two have no cases; all their events are used for
        training.

        Raises:
            DataError: no user has enough events.
            SettingsError: `min_history` is no whole number, or below 1.
        """
        check_whole("min_history", min_history, 1)
        offsets, starts = self._offsets(), self._offsets()[:-1]
        lengths = np.diff(offsets)
        with_cases = np.flatnonzero(lengths >= min_history + 2)  # users
        if len(with_cases) == 0:
            raise DataError(f"no user has {min_history + 2} events or more (a history, a validation and a test item)")
        train_lengths = lengths.copy()
        train_lengths[with_cases] -= 2
        return self._split(
            "leave-one-out",
            Sequences(self.item, self.time, starts, starts + train_lengths).packed(),
            self._cases(offsets[with_cases + 1] - 2),
            self._cases(offsets[with_cases + 1] - 1),
            {"users_without_cases": self.n_users - len(with_cases)},
        )

    def global_time(self, valid: float = 0.1, test: float = 0.1, targets: str = "all", min_history: int = 1) -> Split:
        """Train on the events before one point in time, validate on those up to a second one, test on the rest.

        So no training event is later than a case. Each validation or test event is a case with all earlier events of
        its user as history; cases with fewer than `min_history` earlier events are dropped and counted.

        Args:
            valid, test: shares of all events; events exactly at a cut belong to the later part.
            targets: "all" events of a user in a period, or only the "first" or "last" one.

        Raises:
            DataError: a part would be empty.
            SettingsError: shares out of range, another value of `targets`, `min_history` below 1.
        """
        for name, share in (("valid", valid), ("test", test)):
            check_number(name, share)
        if not (0 < valid < 1 and 0 < test < 1 and valid + test < 1):
            raise SettingsError(f"valid and test must be above 0 and sum to less than 1, got {valid} and {test}")
        if targets not in ("all", "first", "last"):
            raise SettingsError(f"targets must be 'all', 'first' or 'last', got {targets!r}")
        check_whole("min_history", min_history, 1)
        clock, n = np.sort(self.time), len(self)
        valid_from, test_from = clock[int(n * (1 - valid - test))], clock[int(n * (1 - test))]
        period = (self.time >= valid_from).astype(np.int64) + (self.time >= test_from)  # 0 train, 1 valid, 2 test
        starts = self._offsets()[:-1]
        age = np.arange(n) - starts[self.user]  # how many events of the same user came before
        report: dict[str, float] = {"valid_from": float(valid_from), "test_from": float(test_from)}
        cases = {}
        for number, name in enumerate(("valid", "test"), start=1):
            chosen = (period == number) & (age >= min_history)
            report[f"{name}_without_history"] = int((period == number).sum() - chosen.sum())
            # The events of a user in one period are adjacent, so the first has no chosen event before it.
            beside = (self.user[1:] == self.user[:-1]) & chosen[1:] & chosen[:-1]
            if targets == "first":
                chosen[1:] &= ~beside
            elif targets == "last":
                chosen[:-1] &= ~beside
            cases[name] = self._cases(np.flatnonzero(chosen))
        train_lengths = np.bincount(self.user[period == 0], minlength=self.n_users)
        seen = train_lengths > 0
        report["users_without_training"] = int((~seen).sum())
        starts = starts[seen]
        train = Sequences(self.item, self.time, starts, starts + train_lengths[seen]).packed()
        if not (len(train) and len(cases["valid"]) and len(cases["test"])):
            raise DataError(
                f"the split by time leaves {len(train):,} training sequences, {len(cases['valid']):,} validation and "
                f"{len(cases['test']):,} test cases; do too many events have the same time, or are there too few?"
            )
        return self._split("global-time", train, cases["valid"], cases["test"], report)

    def _split(self, name: str, train: Sequences, valid: Cases, test: Cases, report: dict[str, float]) -> Split:
        counts = np.bincount(train.items, minlength=self.n_items + 1)
        report.update(
            train_sequences=len(train), train_events=len(train.items), valid_cases=len(valid), test_cases=len(test),
            cold_test_cases=int((counts[test.targets] == 0).sum()),
        )  # fmt: skip
        return Split(train, valid, test, self.n_items, counts, name, report, self.item_names)

    def _cases(self, rows: np.ndarray) -> Cases:
        """Cases whose targets are the events `rows`, with all earlier events of the same user as history."""
        user = self.user[rows]
        histories = Sequences(self.item, self.time, self._offsets()[user], rows)
        return Cases(histories, self.item[rows], self.time[rows], user)

    def _offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.bincount(self.user, minlength=self.n_users))]).astype(np.int64)

    def _keep(self, keep: np.ndarray) -> Interactions:
        """The events where `keep` (n,) is true, without users who have none left, and new counts."""
        if not keep.any():
            raise DataError("no event is left")
        by_user = np.bincount(self.user[keep], minlength=self.n_users)
        stay = np.flatnonzero(by_user)
        user = (np.cumsum(by_user > 0) - 1)[self.user[keep]]
        item, time = self.item[keep], self.time[keep]
        exact = None if self.exact is None else self.exact[keep]
        tied = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
        if exact is not None:
            tied &= exact[1:] == exact[:-1]
        counted = {
            "events": len(user),
            "users": len(stay),
            "items": int(np.count_nonzero(np.bincount(item))),
            "single_event_users": int((by_user == 1).sum()),
            "tied_times": int(tied.sum()),
            "repeats": int((np.diff(np.sort(user * (self.n_items + 1) + item)) == 0).sum()),
        }
        user_ids = self.user_ids if len(stay) == self.n_users else tuple(self.user_ids[u] for u in stay)
        report = {**self.report, **counted}
        return Interactions(user, item, time, user_ids, self.n_items, report, self.item_names, exact)


def read_interactions(
    path: str | Path, catalogue: Catalogue, columns: Sequence[str] = ("user", "item", "time"), on_unknown: str = "error"
) -> Interactions:
    """Read a CSV file with a row per event; `columns` are the names of its user, item and time columns.

    Raises:
        DataError: see `csv_files.read_table` and `Interactions.from_columns`.
    """
    table = read_table(path, columns)
    users, items, times = (table[name] for name in columns)
    return Interactions.from_columns(users, items, times, catalogue, on_unknown, where=str(path))


def keep_core(catalogue: Catalogue, interactions: Interactions, k: int) -> tuple[Catalogue, Interactions]:
    """The k-core of the interactions and the catalogue of its items, both renumbered from 1; says what it drops."""
    core = interactions.k_core(k)
    left = np.unique(core.item)
    if len(left) < len(catalogue) or len(core) < len(interactions):
        parts = (
            f"{before - after:,} of {before:,} {name}"
            for name, before, after in (
                ("items", len(catalogue), len(left)),
                ("users", interactions.n_users, core.n_users),
                ("events", len(interactions), len(core)),
            )
        )
        _log.warning("%d-core: dropped %s", k, ", ".join(parts))
    return catalogue.subset(left), core.subset(left)


def check_on_unknown(on_unknown: object) -> None:
    """SettingsError unless `on_unknown` is one of the two things that can be done about events of unknown items."""
    if on_unknown not in ("error", "drop"):
        raise SettingsError(f"on_unknown must be 'error' or 'drop', got {on_unknown!r}")


def _sorted(stay: np.ndarray, user: np.ndarray, item: np.ndarray, time: np.ndarray, exact: np.ndarray | None) -> tuple:
    """The events `stay` by user and time, ties in their input order; and how many events came after a later one."""

    def in_order(order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        return user[order], item[order], time[order], None if exact is None else exact[order]

    user, item, time, exact = in_order(stay[np.argsort(user[stay], kind="stable")])
    earlier = time[1:] < time[:-1]
    if exact is not None:
        earlier |= (time[1:] == time[:-1]) & (exact[1:] < exact[:-1])
    unsorted = int(((user[1:] == user[:-1]) & earlier).sum())
    if unsorted:
        user, item, time, exact = in_order(np.lexsort((time, user) if exact is None else (exact, time, user)))
    if exact is not None and not ((user[1:] == user[:-1]) & (time[1:] == time[:-1]) & (np.diff(exact) != 0)).any():
        exact = None  # the order that float64 gives is the order of all
    return user, item, time, exact, unsorted
