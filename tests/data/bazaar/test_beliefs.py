"""The belief over hidden types, and how many types it leaves."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_bazaar import tiny_process

from dmesr_core.data.bazaar.beliefs import belief_path, effective_types
from dmesr_core.data.interactions import Interactions


@pytest.fixture
def process():
    return tiny_process(5, n_items=40, min_events=4, max_events=8)


@pytest.fixture
def histories(process):
    return Interactions.from_columns(*process.sample(60, np.random.default_rng(0)), 40).histories()


def test_a_belief_begins_with_the_prior_and_follows_the_filter(process, histories):
    items, times = histories[0][:4], histories.times_of(0)[:4]
    path = belief_path(process, items, times)
    assert path.shape == (5, 3)
    np.testing.assert_allclose(path.sum(axis=1), 1)
    np.testing.assert_allclose(path[0], process.prior)
    last = np.exp(process.log_filter(items[None] - 1, process.week(times)[None]))[0]
    np.testing.assert_allclose(path[-1], last)


def test_without_purchases_all_types_are_left_and_purchases_leave_fewer_where_types_stay(process, histories):
    steady = replace(process, transition=np.eye(3))
    found = effective_types(steady, histories, purchases=(0, 1, 4))
    assert list(found) == [0, 1, 4]
    assert found[0] == pytest.approx(3)
    assert 1 <= found[4] < found[1] < 3


def test_types_of_equal_taste_can_never_be_distinguished(process, histories):
    alike = replace(process, tastes=np.tile(process.tastes[:1], (3, 1)))
    assert effective_types(alike, histories, purchases=(0, 4))[4] == pytest.approx(3)


def test_only_the_first_histories_that_are_long_enough_count(process, histories):
    long = np.flatnonzero(histories.lengths >= 5)[:7]
    assert effective_types(process, histories, (0, 5), at_most=7) == effective_types(
        process, histories.take(long), (0, 5)
    )
