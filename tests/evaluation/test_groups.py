"""Groups of items and cases: head, tail, cold, short and long, and metrics per group."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_cases import make_cases

from dmesr_core.evaluation.bootstrap import bootstrap_interval
from dmesr_core.evaluation.groups import case_groups, item_groups, scores_by_group
from dmesr_core.evaluation.results import Result


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
