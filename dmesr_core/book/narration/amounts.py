"""Two models over the amount of training data, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, with_interval
from dmesr_core.evaluation.groups import Interval
from dmesr_core.evaluation.learning_curves import CurvePair
from dmesr_core.experiments.training_lengths import TrainingLength

_NAMES = {  # kind of comparison -> the opponent, and DMESR
    "plain": ("ID only", "DMESR"),
    "unit": ("ID only, with vectors of one length,", "DMESR with such vectors"),
}


def ratio(value: Interval) -> str:
    """A ratio with its interval: "1.23 [1.10, 1.40]"."""
    return "{:.2f} [{:.2f}, {:.2f}]".format(*value)


def table(pairs: Mapping[str, CurvePair], lengths: Mapping[int, TrainingLength]) -> pd.DataFrame:
    """A column per amount: both ratios, and how long trainings were.

    Args:
        pairs: "plain" and "unit" -> curves.
    """
    columns = {
        f"{amount:,} shoppers": {
            "DMESR / ID only": ratio(pairs["plain"].ratio(k)),
            "the same, all vectors of one length": ratio(pairs["unit"].ratio(k)),
            "steps of a training, at most": f"{length.max_steps:,}",
            "trainings whose last epoch was the best": f"{length.at_limit} of {length.trainings}",
        }
        for k, (amount, length) in enumerate(lengths.items())
    }
    return pd.DataFrame(columns).rename_axis("NDCG@10, with intervals one by one; steps")


def ratios(pairs: Mapping[str, CurvePair]) -> dict[str, dict[str, Interval]]:
    """Kind -> amount -> ratio, for the chapter's file of numbers."""
    return {kind: {str(a): pair.ratio(k) for k, a in enumerate(pair.amounts)} for kind, pair in pairs.items()}


def steps(lengths: Mapping[int, TrainingLength], equally_long: bool) -> str:
    """Whether trainings on fewer shoppers may take as many steps."""
    if equally_long:
        most = list(lengths.values())[-1].max_steps
        return (
            f"However few the shoppers, a training may take as many steps, about {most:,}: with fewer shoppers, "
            "it sees each of them more often."
        )
    by_amount = ", ".join(f"{length.max_steps:,} with {amount:,}" for amount, length in lengths.items())
    return (
        f"Mind the steps that a training may take: {by_amount} shoppers. So the amount of data and "
        "the length of a training change together here, and what follows cannot tell the two apart."
    )


def gains(changes: Mapping[int, Difference]) -> str:
    """The difference with each amount."""
    return ", ".join(f"{with_interval(change)} with {amount:,}" for amount, change in changes.items()) + " shoppers"


def shoppers(amounts: Interval, smallest: int, largest: int) -> list[str]:
    """Amounts as `CurvePair.amount_to_match` gives them, in words."""

    def words(n: float) -> str:
        return f"fewer than {smallest:,}" if n == 0 else f"more than {largest:,}" if n == math.inf else f"{n:,.0f}"

    return [words(n) for n in amounts]


def data_worth(kind: str, amounts: Interval, smallest: int, largest: int) -> str:
    """With how many shoppers DMESR reaches what the other one reaches with all."""
    theirs, ours = _NAMES[kind]
    n = amounts[0]
    reaches = f"reaches with about {n:,.0f}"
    if n == 0:
        reaches = f"reaches with {smallest:,} or fewer"
    if n == math.inf:
        reaches = "does not reach with as many"
    ends = dict.fromkeys(shoppers(amounts, smallest, largest)[1:])  # one, if both are the same
    return f"What {theirs} reaches with {largest:,} shoppers, {ours} {reaches} (interval: {' to '.join(ends)})."


def lead(few: Interval, few_over_all: Interval, equally_long: bool) -> tuple[str, str]:
    """Whether the lead is larger, in proportion, where data is scarce: a short answer, and the ratio in words.

    Args:
        few: ratio of the scores with the smallest amount.
        few_over_all: that ratio divided by the ratio with all data.
        equally_long: whether all trainings may take as many steps.
    """
    answer, words = "open", "not told apart from one"
    if few_over_all[1] > 1 and few[1] > 1:
        answer, words = "yes", "larger where data is scarce"
    elif few_over_all[1] > 1:
        answer, words = "not shown", "larger where data is scarce, but even there not shown to be above one"
    elif few_over_all[2] < 1:
        answer, words = "no", "smaller where data is scarce"
    caveat = "" if equally_long else " (but trainings are not equally long)"
    return answer + caveat, f"{ratio(few_over_all)}: {words}{caveat}"
