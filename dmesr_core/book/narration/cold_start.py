"""A cold start in words: which items are new, what is recommended of them, and where they stand before anybody buys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, choose, listed

OURS, PLAIN, CEILING = "DMESR", "raw vectors", "ceiling"  # labels of models


def newcomers(n_new: int, n_items: int, n_cases: int, held_back: bool) -> str:
    """Which items take the part of the new ones.

    Args:
        n_cases: test cases that ask for one.
        held_back: no case asks for an item that training has not seen, so some were held back.
    """
    ask = f"{n_cases:,} test case asks" if n_cases == 1 else f"{n_cases:,} test cases ask"
    if held_back:
        return (
            "In this data no test case asks for an item that came after training. So some are held back, with every "
            f"purchase of theirs ({n_new:,} of {n_items:,} items): of those that test cases ask for, the ones whose "
            f"first purchase is latest. {ask} for them."
        )
    return (
        f"Here {n_new:,} of the {n_items:,} items are in no training sequence: who learns from these has never seen "
        f"them sold. {ask} for one of them."
    )


def one_shopper(recommended: Sequence[str], new: Collection[str], bought: str, rank: float) -> str:
    """What the new items change for the shopper of the figure.

    Args:
        recommended: ids after the new items were added, as many as are shown.
        new: ids of the new items; bought: the new item that was bought next; rank: its rank then.
    """
    n, shown = sum(id in new for id in recommended), len(recommended)
    found = {0: "none is new", 1: "one is new"}.get(n, f"{n} are new")
    where = "is among them" if bought in recommended else f"is not among them: it stands at rank {rank:,.0f}"
    return f"Of the {shown} recommendations afterwards {found}. The item that was bought next {where}."


def ranks(ranks: Mapping[str, np.ndarray], n_items: int, chance: float) -> str:
    """Where the new items stand, model by model, without a verdict.

    Args:
        ranks: label -> (C,) rank of the item that was bought, DMESR among them.
        n_items: N; chance: the rank that chance gives.
    """
    low, median, high = np.quantile(ranks[OURS], (0.25, 0.5, 0.75))
    cases = len(ranks[OURS])
    hits = ", ".join(f"{label} {_hits(values)}" for label, values in ranks.items())
    return (
        f"With DMESR the median rank is {median:,.0f} of {n_items:,}, and half of the cases lie between {low:,.0f} "
        f"and {high:,.0f}; chance would give {chance:,.0f}. Among the first ten stand, of {cases:,}: {hits}; by chance "
        f"it would be {cases * min(1.0, 10 / (2 * chance - 1)):.1f}."
    )


def against_chance(change: Difference) -> str:
    """The verdict on DMESR's mean place, which by chance is in the middle.

    Args:
        change: of the mean share of items that stand below the one that was bought, against a half.
    """
    interval = f"(95% interval {0.5 + change.low:.0%} to {0.5 + change.high:.0%})"
    words = choose(
        change,
        better="So it knows something about items that nobody has bought",
        worse="So it puts items that nobody has bought below the others, whatever it knows of them",
        undecided="So it is not shown that it knows anything about items that nobody has bought",
    )
    return (
        f"On average, {0.5 + change.diff:.0%} of the other items stand below the one that was bought {interval}; by "
        f"chance it would be half of them. {words}."
    )


def against_plain(place: Difference, first: Difference) -> str:
    """DMESR beside raw vectors that were trained in the same way, ours minus theirs.

    Args:
        place: change of the mean place; first: of the share of cases among the first ten.
    """
    of_place = choose(
        place,
        better="On average, DMESR puts a new item higher than the raw vectors do",
        worse="On average, DMESR puts a new item lower than the raw vectors do",
        undecided="On average, DMESR and the raw vectors are not told apart",
    )
    of_first = choose(
        first,
        better="finds more of them",
        worse="finds fewer of them",
        undecided="is not shown to find more or fewer",
    )
    return (
        f"{of_place} ({_points(place, 'catalogue')}). Among the first ten, where recommendations are read, it "
        f"{of_first} ({_points(first, 'cases')})."
    )


def summary(change: Difference, ranks: Mapping[str, np.ndarray]) -> str:
    """The cold start in one sentence; `change` as in `against_chance`."""
    words = choose(
        change,
        better="DMESR ranks such items higher than chance does",
        worse="DMESR ranks such items lower than chance does",
        undecided="It is not shown that DMESR ranks such items better than chance does",
    )
    hits = {label: f"{_hits(values)} by {label}" for label, values in ranks.items() if label in (OURS, PLAIN, CEILING)}
    return (
        "An item that comes after training gets its vector from its picture and words, without another training. "
        f"{words}. Of {len(ranks[OURS]):,} purchases of them, so many are among the first ten: "
        f"{listed(hits.values())}."
    )


def _hits(ranks: np.ndarray) -> str:
    """How many cases are among the first ten."""
    return f"{int((ranks <= 10).sum()):,}"


def _points(change: Difference, whole: str) -> str:
    """A difference of shares of a whole, with its interval."""
    return f"{change.diff:+.1%} of the {whole}, 95% interval {change.low:+.1%} to {change.high:+.1%}"
