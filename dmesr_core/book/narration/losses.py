"""Losses compared, in words and as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, by_verdict, listed, verdict, with_interval
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


def curves(comparisons: Mapping[str, LossComparison]) -> dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """Data set with its number of items, the title of a panel -> as `LossComparison.curves`."""
    return {f"{place}, {one.n_items:,} items": one.curves() for place, one in comparisons.items()}


def not_learned(comparisons: Mapping[str, LossComparison], smoke: bool) -> dict[str, list[str]]:
    """Data set -> losses that did not learn; none in a smoke run, where the best epoch is mostly the first."""
    return {place: [] if smoke else comparison.not_learned for place, comparison in comparisons.items()}


def story(place: str, gains: Gains, not_learned: Collection[str]) -> str:
    """Which losses are better or worse than the full softmax on one data set, and which did not learn at all."""
    found = by_verdict({name: gain for name, gain in gains.items() if name not in not_learned})
    text = (
        f"On {place}, against the full softmax: clearly worse {listed(found['worse'])}; clearly better "
        f"{listed(found['better'])}; not told apart {listed(found['undecided'])}."
    )
    if not_learned:
        text += (
            f" Not learned at all (best after the first epoch): {listed(not_learned)}. "
            "These say nothing about the loss, only that it does not go with the learning rate "
            "and the start that suit the full softmax here."
        )
    return text


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
