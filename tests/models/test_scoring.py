"""Scoring many histories: every one once, the best items, and clear errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_cases import random_cases, scorer_of

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.scoring import BatchLimits, best_items, score_batches


def test_every_case_is_in_one_batch():
    cases, seen = random_cases(23, 30, np.random.default_rng(4)), []
    scores = torch.rand(23, 31)

    def work(index, histories, batch):
        assert (batch == scores[torch.from_numpy(index)]).all()
        assert all((history == cases.histories[c]).all() for history, c in zip(histories, index, strict=True))
        seen.extend(index)

    score_batches(work, scorer_of(scores), cases.histories, 30, BatchLimits(batch_size=5))
    assert sorted(seen) == list(range(23))


def test_the_best_items_in_order():
    scores = np.array([[0.0, 3, 1, 2, 5], [9, 1, 1.5, 7, 0]])
    items, values = best_items(scorer_of(scores), [np.array([4]), np.array([], dtype=int)], 2, 4)
    assert items.tolist() == [[1, 3], [3, 2]]
    assert values.tolist() == [[3, 2], [7, 1.5]]
    seen, _ = best_items(scorer_of(scores), [np.array([4]), np.array([], dtype=int)], 1, 4, exclude_seen=False)
    assert seen.tolist() == [[4], [3]]


@pytest.mark.parametrize("k", [0, 5, 1.5, "2", True])
def test_k_out_of_range(k):
    with pytest.raises(SettingsError, match="k must lie between 1 and the number of items"):
        best_items(scorer_of(np.zeros((1, 5))), [np.array([1])], k, 4)


def test_limits_are_checked():
    for bad in ({"batch_size": 0}, {"scores_at_once": 0}, {"batch_size": "8"}):
        with pytest.raises(SettingsError):
            BatchLimits(**bad)


def test_a_number_that_is_no_item():
    with pytest.raises(DataError, match="the history of case 1 holds item 9"):
        best_items(scorer_of(np.zeros((2, 5))), [np.array([1]), np.array([9])], 1, 4)
