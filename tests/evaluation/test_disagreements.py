"""Cases in which two models disagree."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.small_cases import scorer_of
from helpers.small_material import N, make_material

from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation import disagreements
from dmesr_core.evaluation.disagreements import BOTH, NEITHER, OURS, THEIRS
from dmesr_core.evaluation.ranking import Ranks
from dmesr_core.evaluation.results import Result

A, B = np.array([True, True, False, False]), np.array([True, False, True, False])


def test_a_hit_is_among_the_first_or_tied_so_that_it_probably_is():
    ranks = Ranks(np.array([9, 10, 5, 5]), np.array([1, 1, 10, 11]))
    assert disagreements.hits(ranks).tolist() == [True, False, True, False]


def test_every_case_is_of_one_kind():
    kinds = disagreements.kinds_of_cases(A, B)
    assert list(kinds) == [BOTH, OURS, THEIRS, NEITHER]
    np.testing.assert_array_equal(np.array(list(kinds.values())), np.eye(4, dtype=bool))


def test_two_seeds_disagree_in_both_directions_and_one_seed_with_nobody():
    assert disagreements.seed_disagreement(np.array([A, B])) == 1
    assert disagreements.seed_disagreement(np.array([A, A, A & B])) == pytest.approx(2 / 6)
    assert disagreements.seed_disagreement(A[None]) is None


def test_cases_are_drawn_without_repetition_and_the_same_for_one_seed():
    kinds = {OURS: np.arange(50) < 20, THEIRS: np.arange(50) == 30, BOTH: np.zeros(50, bool)}
    drawn = disagreements.draw_cases(kinds, (OURS, THEIRS, BOTH), 2, seed=0)
    assert [kind for kind, _ in drawn] == [OURS, OURS, THEIRS]
    assert drawn[2] == (THEIRS, 30) and len({case for _, case in drawn}) == 3
    assert all(kinds[kind][case] for kind, case in drawn)
    assert drawn == disagreements.draw_cases(kinds, (OURS, THEIRS, BOTH), 2, seed=0)


def test_recommendations_are_the_first_of_each_model():
    scores = np.arange(7.0)[None]
    found = disagreements.recommendations(
        {"up": scorer_of(scores), "down": scorer_of(-scores)}, np.array([6, 1]), 2, n_items=6
    )
    assert {name: items.tolist() for name, items in found.items()} == {"up": [5, 4], "down": [2, 3]}


def test_chances_by_kind_and_shares_by_reason():
    chances = np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    means = disagreements.mean_chances(chances, {OURS: A, BOTH: np.zeros(4, bool)})
    assert list(means) == [OURS] and means[OURS].tolist() == [0.75, 0.25]
    assert disagreements.share_foreseen(chances, A).tolist() == [0.75, 0.25]
    assert disagreements.share_foreseen(chances, A | True).tolist() == [1, 1]


def test_the_ceiling_is_among_the_models_where_there_is_a_world():
    split = make_material().split
    first = Ranks(np.zeros(len(split.test), int), np.ones(len(split.test), int))
    right = disagreements.right_by_model({"dmesr": first}, split, Dataset("folder", None, None))
    assert list(right) == ["dmesr"] and right["dmesr"].all()

    def ceiling(cases):
        def score(histories, case_indices):  # the target first
            return torch.eye(N + 1)[torch.as_tensor(cases.targets[case_indices])]

        return score

    world = SimpleNamespace(ceiling=ceiling)
    right = disagreements.right_by_model({"dmesr": first}, split, Dataset("bazaar", None, None, world))
    assert list(right) == ["dmesr", "ceiling"] and right["ceiling"].all()


def test_trainings_disagree_about_the_cases_that_are_looked_at_only():
    result = Result("a", {"hr@10": np.array([A, B]).astype(float)}, "p")
    assert disagreements.disagreement_of_trainings(result, 4) == 1
    assert disagreements.disagreement_of_trainings(result, 5) is None
