"""Verdicts on paired differences, and numbers with intervals as text: shared by all chapters.

A difference is anything with `diff`, `low` and `high`, such as `evaluation.bootstrap.Paired`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, TypeVar

K = TypeVar("K")
Verdict = Literal["better", "worse", "undecided"]


class Difference(Protocol):
    """A difference and its interval."""

    @property
    def diff(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def verdict(change: Difference) -> Verdict:
    """"better" or "worse" where the interval excludes zero, else "undecided"."""
    if change.low > 0:
        return "better"
    return "worse" if change.high < 0 else "undecided"


def choose(change: Difference, better: str, worse: str, undecided: str) -> str:
    """The text that belongs to the verdict on `change`."""
    return {"better": better, "worse": worse, "undecided": undecided}[verdict(change)]


def by_verdict(changes: Mapping[K, Difference]) -> dict[Verdict, list[K]]:
    """The keys of `changes` by verdict, each list in the order of `changes`."""
    found: dict[Verdict, list[K]] = {"better": [], "worse": [], "undecided": []}
    for key, change in changes.items():
        found[verdict(change)].append(key)
    return found


def with_interval(change: Difference, fmt: str = "+.4f") -> str:
    """A difference as text: "+0.0140 [+0.0050, +0.0240]"."""
    return f"{change.diff:{fmt}} [{change.low:{fmt}}, {change.high:{fmt}}]"


def listed(names: Iterable[str], none: str = "none") -> str:
    """Names with commas between them; `none` where there are none."""
    return ", ".join(names) or none
