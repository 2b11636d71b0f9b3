"""Scores and gains by group of cases."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.evaluation import case_groups
from dmesr_core.evaluation.results import Result

MASKS = {"head": np.arange(60) < 40, "cold": np.arange(60) >= 40, "tail": np.zeros(60, bool)}
UNITS = np.arange(60) // 2


def result(name: str, shift: float = 0.0, seed: int = 0) -> Result:
    values = np.random.default_rng(seed).random((3, 60)) + shift * MASKS["cold"]
    return Result(name, {"ndcg@10": values}, "p", UNITS)


def test_groups_without_a_case_are_left_out():
    assert case_groups.group_sizes(MASKS, ("head", "tail", "cold")) == {"head": 40, "cold": 20}


def test_scores_are_the_means_of_the_cases_of_a_group_inside_their_intervals():
    one = result("a")
    scores = case_groups.scores_by_group({"A": one}, MASKS, ("head", "cold"), "ndcg@10", n=200)
    for group in ("head", "cold"):
        mean, low, high = scores["A"][group]
        assert mean == pytest.approx(one.per_case["ndcg@10"][:, MASKS[group]].mean())
        assert low < mean < high
    assert case_groups.mean_with_interval(one, "ndcg@10", n=200)[1:] == pytest.approx(
        one.interval(n=200)["ndcg@10"], abs=1e-9
    )


def test_gains_are_found_in_the_group_where_they_are_and_over_all_cases():
    results = {"a": result("a", 1.0), "b": result("b", seed=1), "c": result("c", seed=2)}
    gains = case_groups.gains_by_group(
        results, {"plain": ("a", "b"), "none": ("c", "b")}, MASKS, ("head", "cold"), "ndcg@10", n=300
    )
    assert list(gains) == ["plain", "none"] and list(gains["plain"]) == ["head", "cold", case_groups.ALL]
    plain = gains["plain"]
    assert plain["cold"].low > 0.5 and plain["head"].low < 0 < plain["head"].high
    assert plain["all"].diff == pytest.approx(plain["head"].diff * 2 / 3 + plain["cold"].diff / 3)
    assert gains["none"]["cold"].low < 0 < gains["none"]["cold"].high
