"""Two models over the amount of training data, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, with_interval
from dmesr_core.evaluation.groups import Interval
from dmesr_core.evaluation.learning_curves import ByAmount, CurvePair
from dmesr_core.experiments.training_lengths import TrainingLength

_NAMES = {  # kind of comparison -> the opponent, and DMESR
    "plain": ("ID only", "DMESR"),
    "unit": ("ID only, with vectors of one length,", "DMESR with such vectors"),
}


def ratio(value: Interval) -> str:
    """A ratio with its interval: "1.23 [1.10, 1.40]"."""
    return "{:.2f} [{:.2f}, {:.2f}]".format(*value)


def table(
    results: ByAmount, models: Mapping[str, str], gains: Mapping[str, Mapping[int, Difference]],
    pairs: Mapping[str, CurvePair], lengths: Mapping[int, TrainingLength],
) -> pd.DataFrame:  # fmt: skip
    """A column per amount: scores, differences (intervals at once), ratios (one by one), and how long trainings were.

    Args:
        models: variant -> label; gains, pairs: "plain" and "unit" -> what compares DMESR with ID only.
    """
    columns = {
        f"{amount:,} shoppers": {
            **{label: f"{at[name].mean()['ndcg@10']:.4f}" if name in at else "" for name, label in models.items()},
            "DMESR − ID only": with_interval(gains["plain"][amount]),
            "DMESR − ID only, of one length": with_interval(gains["unit"][amount]),
            "DMESR / ID only": ratio(pairs["plain"].ratio(k)),
            "DMESR / ID only, of one length": ratio(pairs["unit"].ratio(k)),
            "steps of a training, at most": f"{lengths[amount].max_steps:,}",
            "trainings whose last epoch was the best": f"{lengths[amount].at_limit} of {lengths[amount].trainings}",
        }
        for k, (amount, at) in enumerate(results.items())
    }
    return pd.DataFrame(columns).rename_axis("NDCG@10")


def ratios(pairs: Mapping[str, CurvePair]) -> dict[str, dict[str, Interval]]:
    """Kind -> amount -> ratio, for the chapter's file of numbers."""
    return {kind: {str(a): pair.ratio(k) for k, a in enumerate(pair.amounts)} for kind, pair in pairs.items()}


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


def story(pairs: Mapping[str, CurvePair], equally_long: bool) -> str:
    """Whether DMESR's lead is larger, in proportion, where data is scarce.

    Args:
        pairs: "plain" and "unit" -> curves; the intervals of all hold at once.
        equally_long: whether all trainings may take as many steps.
    """
    found = {kind: _lead(pair, 1 - 0.05 / len(pairs)) for kind, pair in pairs.items()}
    caveat = "" if equally_long else " But trainings on fewer shoppers are shorter here: this cannot be told apart."
    return (
        f"In proportion, DMESR's lead over ID only {found['plain']}; with vectors of one length on both sides it "
        f"{found['unit']}.{caveat}"
    )


def few_over_all(pair: CurvePair, level: float = 0.95) -> Interval:
    """The ratio of the scores with the fewest shoppers, divided by the ratio with all of them."""
    return pair.ratio(0, relative_to=-1, level=level)


def _lead(pair: CurvePair, level: float) -> str:
    change, few = few_over_all(pair, level), pair.ratio(0)
    words = "is not shown to be larger or smaller with the fewest shoppers"
    if change[1] > 1:
        words = "is larger with the fewest shoppers than with all"
        words += "" if few[1] > 1 else ", but even there not shown to be a lead"
    elif change[2] < 1:
        words = "is smaller with the fewest shoppers than with all"
    return f"{words} ({ratio(change)})"
