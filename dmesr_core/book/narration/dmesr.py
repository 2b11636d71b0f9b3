"""Sentences of chapter 6: how DMESR compares with other models, and what each of its parts adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, choose
from dmesr_core.evaluation.bootstrap import normalised_gain, normalised_gain_interval

ON_THE_ROAD = ("id_only", "raw", "dmesr", "fact_oracle")


def compared(change: Difference) -> str:
    """The verdict on a model, from its difference to another one."""
    return choose(
        change,
        better="better, and the interval leaves zero out",
        worse="worse, and the interval leaves zero out",
        undecided="not shown to be better or worse: the interval holds zero",
    )


def without_part(change: Difference) -> str:
    """The verdict on a part of the model, from the difference that removing it makes, with the numbers."""
    words = choose(
        change,
        better="does not earn its place here: without it the score rises",
        worse="earns its place: without it the score falls",
        undecided="is not shown to matter here: the interval holds zero",
    )
    return f"{words} ({change.diff:+.3f}, 95% interval {change.low:+.3f} to {change.high:+.3f})"


def with_alternative(change: Difference) -> str:
    """The verdict on another way to do the same, from the difference that it makes, with the numbers."""
    return f"{compared(change)} ({change.diff:+.3f}, {change.low:+.3f} to {change.high:+.3f})"


class Road(NamedTuple):
    """How far models get on the road from popularity to the ceiling."""

    covered: dict[str, tuple[float, float, float]]  # variant -> share of the road, low, high; empty without a ceiling
    share_of_oracle: float  # of what the fact oracle gains over ID only, the share that DMESR gains; nan: no such gain

    @classmethod
    def measure(cls, per_case: Mapping[str, np.ndarray], n: int, seed: int) -> Road:
        """The road of the variants `ON_THE_ROAD`.

        Args:
            per_case: variant -> (C,) or (seeds, C), with "popularity"; "ceiling" only where it is known.
            n, seed: resamples of the bootstrap.
        """
        if "ceiling" not in per_case:
            return cls({}, math.nan)
        ends = per_case["popularity"], per_case["ceiling"]
        covered = {v: normalised_gain_interval(per_case[v], *ends, n=n, seed=seed) for v in ON_THE_ROAD}
        share = normalised_gain(*(covered[v][0] for v in ("dmesr", "id_only", "fact_oracle")))
        return cls(covered, share)

    def numbers(self) -> dict[str, object]:
        """What the file of numbers holds; without what is not known."""
        shares = {v: {"mean": mean, "interval": [low, high]} for v, (mean, low, high) in self.covered.items()}
        numbers: dict[str, object] = {"road": shares} if shares else {}
        return numbers | ({"share_of_fact_oracle": self.share_of_oracle} if math.isfinite(self.share_of_oracle) else {})

    def sentence(self) -> str:
        """How far the models get, in words."""
        if not self.covered:
            return "This data has no known ceiling and no known facts, so the figure's road ends at its best model."
        share = {variant: mean for variant, (mean, _, _) in self.covered.items()}
        sentence = (
            f"ID only covers {share['id_only']:.0%} of the road from popularity to the ceiling, "
            f"DMESR {share['dmesr']:.0%}, and the fact oracle {share['fact_oracle']:.0%}."
        )
        if math.isfinite(self.share_of_oracle):
            sentence += f" So of what the true facts add to ID only, DMESR adds {self.share_of_oracle:.0%}."
        return sentence


def road_end(ndcg: Mapping[str, Sequence[float]]) -> str:
    """The label at which a figure's road ends: the ceiling where it is known, else the best model.

    Args:
        ndcg: label -> mean and interval.
    """
    return "ceiling" if "ceiling" in ndcg else max(ndcg, key=lambda label: ndcg[label][0])


def cold_items(ndcg: Mapping[str, float]) -> str:
    """How the models do on items that training never saw.

    Args:
        ndcg: variant -> NDCG@10 on cold items, with "ceiling" where it is known; empty without such test cases.
    """
    if not ndcg:
        return "No test case asks for a cold item here."
    sentence = f"On cold items alone ID only has {ndcg['id_only']:.3f}, DMESR {ndcg['dmesr']:.3f}"
    sentence += f" and the raw vectors {ndcg['raw']:.3f}"
    sentence += f", where the ceiling is {ndcg['ceiling']:.3f}." if "ceiling" in ndcg else "."
    if ndcg["raw"] > ndcg["dmesr"]:
        sentence += " The plain way does better there."
    return sentence


def repeated(identical: bool) -> str:
    """What a second training with the same seed gives."""
    return "the same metrics, to the last bit" if identical else "metrics that differ in the last bits"


def best_rank(rank: float | None) -> str:
    """Where the best possible predictor puts the target; None where it is not known."""
    if rank is None:
        return "Nobody can compute it for this data."
    return f"Here it can be computed: the best possible predictor puts it at rank {rank:.0f}."
