"""Groups of items and cases: head, tail, cold, short and long, and metrics per group."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_cases import make_cases

from dmesr_core.evaluation import groups
from dmesr_core.evaluation.bootstrap import bootstrap_interval
from dmesr_core.evaluation.groups import case_groups, item_groups, scores_by_group
from dmesr_core.evaluation.results import Result

MASKS = {"head": np.arange(60) < 40, "cold": np.arange(60) >= 40, "tail": np.zeros(60, bool)}
UNITS = np.arange(60) // 2

def test_item_groups_by_popularity():
    counts = np.array([0, 9, 7, 7, 5, 0, 1, 1, 1, 1, 1, 1])  # 10 warm items: two are a fifth, and 7 comes twice
    found = {g: np.flatnonzero(m).tolist() for g, m in item_groups(counts).items()}
    assert found == {"head": [1, 2, 3], "tail": [4, 6, 7, 8, 9, 10, 11], "cold": [5], "tail+cold": list(range(4, 12))}
    nothing = item_groups(np.zeros(4, int))
    assert not nothing["head"].any()
    assert nothing["cold"].tolist() == [False, True, True, True]


def test_groups_of_cases():
    split = SimpleNamespace(train_counts=np.array([0, 9, 3, 3, 3, 3, 0]))
    cases = make_cases([[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]], [1, 2, 6, 1])
    found = {g: m.tolist() for g, m in case_groups(split, cases).items()}
    assert found["head"] == [True, False, False, True]
    assert found["tail"] == [False, True, False, False]
    assert found["cold"] == [False, False, True, False]
    assert found["tail+cold"] == [False, True, True, False]
    assert found["short"] == [True, True, False, False]
    assert found["long"] == [False, False, True, True]
    assert all(len(m) == 0 for m in case_groups(split, make_cases([], [])).values())


def test_the_score_of_a_group_is_that_of_its_cases_alone():
    values = np.random.default_rng(0).random(60)
    masks = {"first": np.arange(60) < 20, "none": np.zeros(60, bool)}
    found = scores_by_group({"a": Result("a", {"m": values}, "p")}, masks, "m", n=50, seed=3)["a"]
    assert list(found) == ["first", "none"]
    assert found["first"] == pytest.approx((values[:20].mean(), *bootstrap_interval(values[:20], 50, seed=3)))
    assert np.isnan(found["none"]).all()


def result(name: str, shift: float = 0.0, seed: int = 0) -> Result:
    values = np.random.default_rng(seed).random((3, 60)) + shift * MASKS["cold"]
    return Result(name, {"ndcg@10": values}, "p", UNITS)


def test_groups_without_a_case_are_left_out():
    assert groups.group_sizes(MASKS, ("head", "tail", "cold")) == {"head": 40, "cold": 20}


def test_scores_are_the_means_of_the_cases_of_a_group_inside_their_intervals():
    one = result("a")
    scores = groups.scores_by_group({"A": one}, {g: MASKS[g] for g in ("head", "cold")}, "ndcg@10", n=200)
    for group in ("head", "cold"):
        mean, low, high = scores["A"][group]
        assert mean == pytest.approx(one.per_case["ndcg@10"][:, MASKS[group]].mean())
        assert low < mean < high
    assert groups.mean_with_interval(one, "ndcg@10", n=200)[1:] == pytest.approx(
        one.interval(n=200)["ndcg@10"], abs=1e-9
    )


def test_gains_are_found_in_the_group_where_they_are_and_over_all_cases():
    results = {"a": result("a", 1.0), "b": result("b", seed=1), "c": result("c", seed=2)}
    gains = groups.gains_by_group(
        results, {"plain": ("a", "b"), "none": ("c", "b")}, MASKS, ("head", "cold"), "ndcg@10", n=300
    )
    assert list(gains) == ["plain", "none"] and list(gains["plain"]) == ["head", "cold", groups.ALL]
    plain = gains["plain"]
    assert plain["cold"].low > 0.5 and plain["head"].low < 0 < plain["head"].high
    assert plain["all"].diff == pytest.approx(plain["head"].diff * 2 / 3 + plain["cold"].diff / 3)
    assert gains["none"]["cold"].low < 0 < gains["none"]["cold"].high
