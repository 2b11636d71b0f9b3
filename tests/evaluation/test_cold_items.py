"""Cold items: which cases ask for them, how they score alone, and what their length has to do with it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.small_cases import make_cases
from helpers.small_differences import BETTER, WORSE
from helpers.small_material import BACKBONE, N, make_material

from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.cold_items import (
    Stretched,
    cold_cases,
    cold_items,
    gain_among_cold,
    score_cold,
    score_models,
    stretch,
    stretch_cold_vectors,
)
from dmesr_core.experiments.variants import VARIANTS, build

MATERIAL = make_material()  # item 12 is cold, and four test cases ask for it
SPLIT = MATERIAL.split


def constant(scores):
    def score(histories, case_indices):
        return torch.as_tensor(scores, dtype=torch.float32).expand(len(histories), -1)

    return score


def test_cold_items_have_no_event_in_training_and_padding_is_none_of_them():
    assert np.flatnonzero(cold_items(SPLIT.train_counts)).tolist() == [N]
    assert not cold_items(np.zeros(4))[0]


def test_cold_cases_are_the_test_cases_with_a_cold_target_as_they_are():
    cases, rows = cold_cases(SPLIT), np.flatnonzero(SPLIT.test.targets == N)
    assert len(cases) == len(rows) == 4
    assert (cases.targets == N).all() and (cases.users == SPLIT.test.users[rows]).all()
    for case, row in enumerate(rows):
        np.testing.assert_array_equal(cases.histories[case], SPLIT.test.histories[int(row)])


def test_a_cold_item_that_scores_low_is_right_only_among_its_like():
    scores = np.arange(N + 1, 0, -1)  # item 12 lowest
    found = score_cold(constant(scores), SPLIT)
    assert found.among_cold.mean()["ndcg@10"] == 1  # one cold item: it is first
    assert found.among_all.mean()["ndcg@10"] < 0.5
    assert found.length_ratio is None and "length" not in " ".join(found.as_row())


def test_what_is_offered_is_counted_among_the_first_ten():
    counts = np.r_[0, np.ones(20, int), np.zeros(10, int)]  # items 21 to 30 are cold
    cases = make_cases([[1], [2]], [21, 3])
    split = replace(SPLIT, test=cases, n_items=30, train_counts=counts)
    for best, share in ((range(21, 31), 1.0), (range(11, 21), 0.0), (range(16, 26), 0.5)):
        scores = np.zeros(31)
        scores[list(best)] = 1
        assert score_cold(constant(scores), split).offered == share


def test_the_length_of_cold_vectors_is_given_beside_that_of_the_others():
    vectors = np.ones((N, 4))
    vectors[-1] *= 0.25
    found = score_cold(constant(np.arange(N + 1)), SPLIT, vectors)
    assert found.length_ratio == pytest.approx(0.25)
    assert list(found.as_row())[-1] == "length of cold vectors, others 1"


def test_a_scorer_of_the_cold_cases_takes_its_place_for_them():
    best = score_cold(constant(np.arange(N + 1, 0, -1)), SPLIT, scorer_of_cold=constant(np.arange(N + 1)))
    assert best.among_all.mean()["ndcg@10"] == 1


def test_stretching_by_one_changes_nothing_and_by_more_it_changes_ranks():
    model = build(VARIANTS["dmesr"], MATERIAL, BACKBONE, 0).eval()
    same = stretch_cold_vectors(model, SPLIT, 1.0, n=20)
    assert list(same) == ["cold targets", "all others"]
    assert all(change.diff == 0 for change in same.values())
    changed = stretch_cold_vectors(model, SPLIT, 1e-3, n=20)
    assert any(change.diff != 0 for change in changed.values())


WITHOUT_WORLD = Dataset("folder", None, None)
WITHOUT_COLD_CASES = replace(SPLIT, train_counts=np.ones(N + 1, int))


def scored(dataset=WITHOUT_WORLD, split=SPLIT):
    scorers = {"up": constant(np.arange(N + 1)), "down": constant(np.arange(N + 1, 0, -1))}
    return score_models(scorers, dict.fromkeys(scorers, np.ones((N, 4))), split, dataset)


def test_models_are_scored_with_the_ceiling_where_there_is_a_world():
    found = scored()
    assert list(found) == ["up", "down"]
    assert found["up"].as_row() == score_cold(constant(np.arange(N + 1)), SPLIT, np.ones((N, 4))).as_row()
    world = SimpleNamespace(ceiling=lambda cases: constant(np.arange(N + 1)))
    found = scored(Dataset("bazaar", None, None, world))
    assert list(found) == ["up", "down", "ceiling"] and found["ceiling"].length_ratio is None


def test_without_cold_cases_nothing_is_scored_compared_or_stretched():
    assert scored(split=WITHOUT_COLD_CASES) == {}
    assert gain_among_cold({}, "up", "down") is None
    assert stretch(None, None, WITHOUT_COLD_CASES) is None


def test_models_are_compared_among_cold_items():
    assert gain_among_cold(scored(), "up", "down", n=20).diff == 0  # one cold item: it is first for both


def test_the_total_change_weighs_cold_targets_by_their_share():
    found = Stretched(0.5, {"cold targets": BETTER, "all others": WORSE}, 0.25)
    assert found.total == pytest.approx(0.25 * 0.02 - 0.75 * 0.02)


def test_cold_vectors_are_stretched_by_the_ratio_that_was_found():
    model = build(VARIANTS["dmesr"], MATERIAL, BACKBONE, 0).eval()
    scores = replace(scored()["up"], length_ratio=1e-3)
    found = stretch(model, scores, SPLIT, n=20)
    assert found == Stretched(1e-3, stretch_cold_vectors(model, SPLIT, 1e-3, n=20), 4 / len(SPLIT.test))
