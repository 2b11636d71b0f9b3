"""Losses compared, in words and as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, listed, verdict, with_interval
from dmesr_core.experiments.loss_comparison import LossComparison

Gains = Mapping[str, Difference]  # loss -> gain over the full softmax


def rows(comparison: LossComparison) -> dict[str, dict[str, str]]:
    """Loss -> column -> text."""
    found = {}
    for label, result in comparison.results.items():
        gain, means = comparison.gains.get(label), comparison.mean_of(label)
        found[label] = {
            "NDCG@10": f"{result.mean()['ndcg@10']:.4f}",
            "difference to full softmax": "" if gain is None else with_interval(gain),
            "seconds per training": f"{means['seconds']:.1f}",
            "epochs": f"{means['epochs']:.0f}",
            "best epoch": f"{means['best epoch']:.0f}",
        }
    return found


def table(comparisons: Mapping[str, LossComparison]) -> pd.DataFrame:
    """A row per data set and loss."""
    return pd.DataFrame({(place, loss): row for place, c in comparisons.items() for loss, row in rows(c).items()}).T


def not_learned(comparisons: Mapping[str, LossComparison], smoke: bool) -> dict[str, list[str]]:
    """Data set -> losses that did not learn; none in a smoke run, where the best epoch is mostly the first."""
    return {place: [] if smoke else comparison.not_learned for place, comparison in comparisons.items()}


def beside_gain(gains: Gains, not_learned: Collection[str], whole_gain: Difference) -> str:
    """How far the weakest loss that learns falls, beside what DMESR gains over ID only, where that gain is clear."""
    fall = -min([0.0, *(gain.diff for name, gain in gains.items() if name not in not_learned)])
    if not fall:
        return "No loss that learns scores below the full softmax."
    text = f"From the full softmax to the weakest loss that learns, NDCG@10 falls by {fall:.4f}"
    if verdict(whole_gain) == "better":
        more = "more" if fall > whole_gain.diff else "less"
        text += f", {more} than DMESR gains over ID only ({whole_gain.diff:.4f})"
    return text + "."


def story(
    comparisons: Mapping[str, LossComparison], not_learned: Mapping[str, Collection[str]], whole_gain: Difference
) -> str:  # fmt: skip
    """`beside_gain` on the first data set, and which losses did not learn on any."""
    first = next(iter(comparisons))
    text = beside_gain(comparisons[first].gains, not_learned[first], whole_gain)
    return f"{text} {unlearned(not_learned)}".rstrip()


def unlearned(not_learned: Mapping[str, Collection[str]]) -> str:
    """Which losses did not learn at all, by data set; empty where all did."""
    named = "; ".join(f"on {place} {listed(some)}" for place, some in not_learned.items() if some)
    if not named:
        return ""
    return (
        f"Not learned at all (best after the first epoch): {named}. These say nothing about the loss, only that it "
        "does not go with the learning rate and the start that suit the full softmax here."
    )
