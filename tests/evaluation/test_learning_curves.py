"""Curves over the amount of data: ratios, and the amount that reaches a goal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmesr_core.evaluation.learning_curves import (
    CurvePair,
    amount_reaching,
    curve_pairs,
    gains_by_amount,
)
from dmesr_core.evaluation.results import Result

AMOUNTS = np.array([100, 200, 400])
SIDES = {"plain": ("ours", "theirs")}


def results(ours=(0.2, 0.3, 0.4), theirs=(0.1, 0.2, 0.3), noise=0.0) -> dict[int, dict[str, Result]]:
    rng = np.random.default_rng(0)

    def one(name: str, mean: float) -> Result:
        return Result(name, {"ndcg@10": mean + noise * rng.normal(size=(2, 50))}, "p", np.arange(50))

    return {
        int(amount): {"ours": one("ours", a), "theirs": one("theirs", b)}
        for amount, a, b in zip(AMOUNTS, ours, theirs, strict=True)
    }


def test_the_goal_is_read_off_between_two_amounts_on_a_logarithmic_axis():
    curve = np.array([0.1, 0.2, 0.4])
    assert amount_reaching(AMOUNTS, curve, 0.2) == pytest.approx(200)
    assert amount_reaching(AMOUNTS, curve, 0.3) == pytest.approx(200 * math.sqrt(2))
    assert amount_reaching(AMOUNTS, curve, 0.1) == 0
    assert amount_reaching(AMOUNTS, curve, 0.5) == math.inf


def test_a_curve_that_falls_again_counts_where_it_first_reaches_the_goal():
    assert amount_reaching(AMOUNTS, np.array([0.1, 0.3, 0.2]), 0.2) == pytest.approx(100 * math.sqrt(2))


def test_ratios_without_noise_are_exact():
    pair = curve_pairs(results(), SIDES, "ndcg@10", n=50)["plain"]
    assert pair.amounts.tolist() == [100, 200, 400]
    assert pair.ratio(0) == pytest.approx((2, 2, 2))
    assert pair.ratio(-1) == pytest.approx((4 / 3,) * 3)
    assert pair.ratio(0, relative_to=-1) == pytest.approx((1.5, 1.5, 1.5))
    assert pair.amount_to_match() == pytest.approx((200, 200, 200))


def test_a_score_of_zero_divides_without_a_warning():
    pair = curve_pairs(results(theirs=(0.0, 0.2, 0.3)), SIDES, "ndcg@10", n=10)["plain"]
    assert math.isfinite(pair.ratio(0)[0])


def test_the_interval_of_an_amount_is_an_amount_that_was_found_and_no_mean_with_infinity():
    curve = np.tile([0.1, 0.2, 0.3], (40, 1)).T  # (A, n)
    goal = np.tile([0.1, 0.2, 0.3], (40, 1)).T.copy()
    goal[-1, :20] = 0.9
    pair = CurvePair(AMOUNTS, curve[:, 0], goal[:, -1], curve, goal)
    amount, low, high = pair.amount_to_match()
    assert (amount, high) == (pytest.approx(400), math.inf)
    assert low == pytest.approx(400)


def test_a_larger_level_makes_a_wider_interval():
    pair = curve_pairs(results(noise=0.1), SIDES, "ndcg@10", n=400)["plain"]
    (_, low, high), (_, lower, higher) = pair.ratio(1, level=0.8), pair.ratio(1, level=0.99)
    assert lower < low < high < higher


def test_gains_by_amount():
    gains = gains_by_amount(results(noise=0.01), SIDES, "ndcg@10", n=200)
    assert list(gains["plain"]) == [100, 200, 400]
    assert all(gain.low > 0 for gain in gains["plain"].values())
