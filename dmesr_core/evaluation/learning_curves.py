"""Two models over the amount of training data: curves, ratios, and how much data one saves the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dmesr_core.evaluation.bootstrap import Paired, percentiles, resampled_means
from dmesr_core.evaluation.groups import Interval
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result

ByAmount = Mapping[int, Mapping[str, Result]]  # amount of training data, ascending -> model -> result

_TINY = 1e-9  # a score of zero must not be divided by


@dataclass(frozen=True)
class CurvePair:
    """Mean scores of two models for A amounts of training data, and the same means on n common resamples."""

    amounts: np.ndarray  # (A,) ascending
    ours: np.ndarray  # (A,)
    theirs: np.ndarray  # (A,)
    ours_resampled: np.ndarray  # (A, n)
    theirs_resampled: np.ndarray  # (A, n)

    def ratio(self, at: int, relative_to: int | None = None, level: float = 0.95) -> Interval:
        """Our score divided by theirs at amount number `at`, with its interval.

        With `relative_to`, that ratio divided by the ratio at amount number `relative_to`.
        """

        def one(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
            r = _divided(ours[at], theirs[at])
            return r if relative_to is None else _divided(r, _divided(ours[relative_to], theirs[relative_to]))

        low, high = percentiles(one(self.ours_resampled, self.theirs_resampled), level)
        return float(one(self.ours, self.theirs)), low, high

    def amount_to_match(self) -> Interval:
        """With how much data we reach what they reach with all, and the 95% interval of this amount.

        0 stands for the smallest amount or less, infinity for more than the largest.
        """
        amount = amount_reaching(self.amounts, self.ours, float(self.theirs[-1]))
        draws = [
            amount_reaching(self.amounts, curve, float(goal))
            for curve, goal in zip(self.ours_resampled.T, self.theirs_resampled[-1], strict=True)
        ]
        low, high = np.quantile(draws, [0.025, 0.975], method="nearest")  # no mean of a number and infinity
        return amount, float(low), float(high)


def amount_reaching(amounts: np.ndarray, curve: np.ndarray, goal: float) -> float:
    """The amount at which a curve (A,) first reaches a goal, log-linear between its points.

    0 where the smallest amount is enough, infinity where no amount is.
    """
    if curve[0] >= goal:
        return 0.0
    reaching = np.flatnonzero(curve >= goal)
    if not len(reaching):
        return math.inf
    between = slice(reaching[0] - 1, reaching[0] + 1)
    return math.exp(np.interp(goal, curve[between], np.log(amounts[between])))


def curve_pairs(
    results: ByAmount, sides: Mapping[str, tuple[str, str]], metric: str, n: int = 2000, seed: int = 0
) -> dict[str, CurvePair]:
    """Kind of comparison -> the curves of its two models. All means of a pair come from the same resamples."""
    return {kind: _pair(results, *names, metric, n, seed) for kind, names in sides.items()}


def gains_by_amount(
    results: ByAmount, sides: Mapping[str, tuple[str, str]], metric: str, n: int = 2000, seed: int = 0
) -> dict[str, dict[int, Paired]]:
    """Kind -> amount -> gain of the first model over the second; all intervals of all kinds hold at once."""
    pairs = {
        (kind, amount): (at[ours], at[theirs])
        for kind, (ours, theirs) in sides.items()
        for amount, at in results.items()
    }
    gains = simultaneous(pairs, metric, n, seed)
    return {kind: {amount: gains[kind, amount] for amount in results} for kind in sides}


def _pair(results: ByAmount, ours: str, theirs: str, metric: str, n: int, seed: int) -> CurvePair:
    of_both = [at[name] for name in (ours, theirs) for at in results.values()]
    values = [result.per_case[metric] for result in of_both]
    means = np.array([v.mean() for v in values]).reshape(2, -1)
    draws = resampled_means(values, n, seed, of_both[0].units).reshape(2, len(results), n)
    return CurvePair(np.array(list(results)), *means, *draws)


def _divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a / np.maximum(b, _TINY)
