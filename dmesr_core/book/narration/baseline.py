"""What chapter 1 says about its data, the training of SASRec, and SASRec against popularity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, choose
from dmesr_core.data.sequences import Cases

_DATA = {
    "bazaar": "The data is the Bazaar, a small shop that code in this book makes up; the next chapter shows how.",
    "movielens": "The data is MovieLens: films, their posters, and who rated them when. To rate is to take.",
    "folder": "The data is your own: the catalogue and the log of the folder that you gave.",
}


def data_note(source: str) -> str:
    """Which data the run uses; `source` is bazaar, movielens or folder."""
    return _DATA[source]


def stop_note(epochs: int, allowed: int) -> str:
    """Why training ended after `epochs` of the `allowed` epochs."""
    if epochs < allowed:
        return "It stopped because validation no longer improved."
    return "It used all epochs that it was allowed, so a larger budget might give a little more."


def against_popularity(gain: Difference) -> str:
    """The verdict on the gain of a model over popularity."""
    return choose(
        gain,
        better="better than popularity: the interval leaves zero out",
        worse="worse than popularity: the interval leaves zero out",
        undecided="no different from popularity: the interval holds zero",
    )


def group_score(scores: Mapping[str, tuple[float, float, float]], group: str) -> str:
    """The mean of a group of cases, given group -> (mean, low, high) of the groups that have cases."""
    return f"{scores[group][0]:.3f}" if group in scores else "unknown (no such case)"


def ratio(a: float, b: float) -> str:
    """`a` as a multiple of `b`."""
    return f"{a / b:.1f} times" if b > 0 else "infinitely many times"


def sampled_order(negatives: Sequence[int], curves: Mapping[str, Sequence[float]], full: Mapping[str, float]) -> str:
    """Whether sampled rankings order SASRec and popularity as the full ranking does.

    Args:
        negatives: numbers of sampled items.
        curves: "SASRec" and "popularity" -> the metric for each of `negatives`; full: the same on the full catalogue.
    """
    if full["SASRec"] <= full["popularity"]:
        return "(On this data SASRec is not ahead in the full ranking, so there is no order to lose.)"
    pairs = zip(negatives, curves["SASRec"], curves["popularity"], strict=True)
    reversed_at = [n for n, sasrec, popularity in pairs if sasrec < popularity]
    if reversed_at:
        counts = " or ".join(map(str, reversed_at))
        return f"With {counts} items even the order is wrong: popularity is ahead of SASRec."
    return "At every point of this curve, at least, the order is that of the full ranking."


def first_misses(cases: Cases, groups: Mapping[str, np.ndarray], ranks: np.ndarray) -> dict[str, int]:
    """Group of cases -> its first case with a target below the first ten and at least four items of history.

    Args:
        groups: name -> (C,) bool; groups without such a case are left out.
        ranks: (C,) ranks of the targets.
    """
    missed = (ranks > 10) & (cases.histories.lengths >= 4)
    found = {name: np.flatnonzero(mask & missed) for name, mask in groups.items()}
    return {name: int(rows[0]) for name, rows in found.items() if len(rows)}


def position_or_last(numbers: Sequence[int], wanted: int) -> int:
    """The position of `wanted`, or the last position where it is not among the numbers."""
    return numbers.index(wanted) if wanted in numbers else len(numbers) - 1
