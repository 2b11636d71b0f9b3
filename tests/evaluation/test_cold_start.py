"""A shop before its new items came, and the ranks of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_models import N, build, make_catalogue, make_features, scores_by_id

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.cold_start import ColdStart, latest_items
from dmesr_core.models.scorers import popularity

NEW = [4, 15]  # not the last ones alone, so that the shop numbers its items in another way


def make_shop(new: list[int] = NEW, n: int = N) -> tuple[Dataset, Split]:
    """50 users with 7 events each; the `new` items are the last event of ten of them, and stand in one history."""
    rng, catalogue = np.random.default_rng(3), make_catalogue(0, n)
    old = [k for k in range(1, n + 1) if k not in new]
    items = np.stack([rng.permutation(old)[:7] for _ in range(50)])
    if new:
        items[:10, -1] = (new * 10)[:10]
        items[0, -2:] = new[1], new[0]
    ids = [catalogue.ids[k - 1] for k in items.ravel()]
    log = Interactions.from_columns(np.repeat(np.arange(50), 7), ids, np.tile(np.arange(7), 50), catalogue)
    return Dataset("made up", catalogue, log), log.leave_one_out()


def the_start(new: list[int] = NEW) -> ColdStart:
    return ColdStart.of(*make_shop(new))


def many_new() -> ColdStart:
    """Ten cases of ten new items; 23 other items are ranked in each."""
    return ColdStart.of(*make_shop(list(range(21, 31)), 30))


def by_number(scores: np.ndarray):
    """A scorer that scores each item the same in all cases."""

    def score(histories, case_indices):
        return torch.as_tensor(scores, dtype=torch.float64).expand(len(histories), -1)

    return score


def test_the_shop_has_everything_but_the_new_items():
    dataset, split = make_shop()
    start = ColdStart.of(dataset, split)
    ids = make_catalogue().ids
    assert start.new.ids == tuple(ids[k - 1] for k in NEW) and not start.held_back
    assert start.old.ids == tuple(id for id in ids if id not in start.new.ids) == start.opening.item_names.ids
    assert len(start.opening.train) == 50 and start.opening.n_items == N - 2
    assert len(start.cases) == 10 and set(start.cases.targets) == set(NEW)
    whole = {int(user): history for user, history in zip(split.test.users, split.test.histories, strict=True)}
    for user, history in zip(start.cases.users, start.cases.histories, strict=True):
        np.testing.assert_array_equal(history, whole[int(user)])


def test_a_model_with_the_new_items_is_ranked_as_its_recommendations_are():
    start = the_start()
    model = build("dmesr", make_features(make_catalogue()), start.opening).eval()
    model.add_items(start.new, make_features(start.new))
    ranks, ids = start.rank(model), make_catalogue().ids
    assert len(np.unique(ranks)) > 3
    for case in range(10):
        history = [ids[k - 1] for k in start.cases.histories[case]]
        scores = scores_by_id(model, history)
        target = scores[ids[start.cases.targets[case] - 1]]
        assert ranks[case] == 1 + sum(value > target for id, value in scores.items() if id not in history)


def test_scorers_count_in_the_numbers_of_the_whole_catalogue():
    start = the_start()
    scores = np.zeros(N + 1)
    scores[NEW] = 1
    assert start.rank(by_number(scores)).max() <= 1.5
    assert start.rank(by_number(-scores)).min() >= N - 7


def test_popularity_puts_all_new_items_last_together():
    start = the_start()
    assert (start.counts[NEW] == 0).all() and start.counts[1:].sum() == 50 * 5
    np.testing.assert_array_equal(start.popularity(), start.rank(popularity(start.counts)))
    # old items that are not in the history of 6, then the two new ones; in case 0 one of them was bought before
    assert start.popularity().tolist() == [N - 6] + [N - 6 - 0.5] * 9


def test_the_first_place_is_one_and_the_last_is_zero():
    start, best = the_start(), np.zeros(N + 1)
    best[NEW] = 1, 2
    assert start.places(np.ones(10)).tolist() == [1.0] * 10
    assert start.places(np.full(10, N - 6.0)) == pytest.approx(0)
    assert start.chance() == (1 + N - 6) / 2
    assert start.places(np.full(10, start.chance())) == pytest.approx(0.5)


def test_chance_is_neither_above_nor_below_itself_and_the_ends_are():
    start = many_new()
    middle, first, last = np.full(10, 12.5), np.ones(10), np.full(10, 24.0)
    assert start.over_chance(middle, 50).diff == pytest.approx(0)
    assert start.over_chance(first, 50).low == start.over_chance(first, 50).high == 0.5
    assert start.over_chance(last, 50).high == -0.5
    assert start.over(first, last, 50)[:3] == (1, 1, 1) and start.over(last, first, 50).diff == -1


def test_shares_among_the_first_are_compared_too():
    start = many_new()
    ranks, others = np.r_[1.0, 2, 3, np.full(7, 8)], np.full(10, 4.0)
    assert start.over_among_first(ranks, others, 3, 50).diff == pytest.approx(0.3)
    assert start.over_among_first(ranks, others, 4, 50).diff == pytest.approx(-0.7)
    assert start.over(ranks, others, 50).diff < 0  # the mean place may say another thing


def test_intervals_resample_items_not_cases():
    """Forty cases of one item are one observation: with them, no interval is narrower than without."""
    start = many_new()
    rows = np.r_[np.zeros(40, int), np.arange(1, 10)]
    parts = {name: getattr(start.cases, name)[rows] for name in ("targets", "times", "users")}
    more = replace(start, cases=replace(start.cases, histories=start.cases.histories.take(rows), **parts))
    change = more.over_chance(np.where(rows == 0, 1.0, 24.0), 400)
    assert change.diff > 0.25 and change.low < 0


def test_of_a_few_items_nothing_is_claimed():
    start = the_start()
    change = start.over_chance(np.ones(10), 50)
    assert (change.diff, change.low, change.high) == (0.5, -0.5, 0.5)
    assert start.over(np.ones(10), np.full(10, 9.0), 50)[1:] == (-1, 1, 1)
    assert start.over_among_first(np.ones(10), np.full(10, 9.0), 3, 50)[1:] == (-1, 1, 1)


def test_the_items_that_most_cases_ask_for():
    start = the_start()
    assert start.most_bought(5).tolist() == NEW and start.most_bought(1).tolist() == NEW[:1]
    counts = [(start.cases.targets == k).sum() for k in start.most_bought(5)]
    assert counts == sorted(counts, reverse=True)


def test_the_best_case_has_old_items_in_its_history_only_if_there_is_one():
    start = the_start()
    ranks = np.arange(10.0)
    assert start.is_new[start.cases.histories[0]].any() and len(start.known_history(0)) == 5
    assert start.best_case(ranks) == 1 and len(start.known_history(1)) == 6


def test_without_new_items_the_latest_ones_are_held_back_with_all_that_is_known_of_them():
    dataset, split = make_shop(new=[])
    assert (split.train_counts[1:] > 0).all()
    start = ColdStart.of(dataset, split)
    assert start.held_back and len(start.new) == 1 and len(start.cases) >= 1
    assert not set(start.new.ids) & set(start.opening.item_names.ids)
    assert start.opening.n_items == N - 1 and (start.counts[start.is_new] == 0).all()
    assert (start.cases.targets == np.flatnonzero(start.is_new)[0]).all()


def test_the_latest_items_are_those_whose_first_event_is_latest():
    log = Interactions.from_columns([1, 1, 1, 2, 2, 2], [1, 2, 3, 3, 1, 2], [0, 9, 5, 4, 7, 8], 3)
    assert np.flatnonzero(latest_items(log, np.array([1, 2, 3]))).tolist() == [2]  # at 8; item 3 at 4, item 1 at 0
    assert np.flatnonzero(latest_items(log, np.array([1, 3]))).tolist() == [3]
