"""What is foreseen: by models, by the best guess, and by the best guess with a blind spot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import make_material

from dmesr_core.data.bazaar.world import make_world
from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation import foreseen
from dmesr_core.evaluation.foreseen import CEILING, NO_PULLS, NO_TYPES
from dmesr_core.evaluation.ranking import Ranks


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(120, 60, 0, tmp_path_factory.mktemp("drawn"), progress=False)


def ranks_of(values) -> Ranks:
    return Ranks(np.array(values), np.ones(len(values), int))


def test_a_hit_is_among_the_first_or_tied_so_that_it_probably_is():
    ranks = Ranks(np.array([9, 10, 5, 5]), np.array([1, 1, 10, 11]))
    assert foreseen.hits(ranks).tolist() == [True, False, True, False]


def test_the_score_of_a_case_is_that_of_its_rank():
    assert foreseen.ndcg(ranks_of([0, 2, 10])) == pytest.approx([1, 0.5, 0])


def test_a_best_guesser_without_pulls_or_types_lacks_these_and_nothing_else(world):
    cases = world.interactions.leave_one_out().test
    guessers = foreseen.best_guesses(Dataset("bazaar", None, None, world), cases)
    k = len(world.process.prior)
    wanted = {
        CEILING: world.process,
        NO_TYPES: replace(world.process, transition=np.full((k, k), 1 / k)),
        NO_PULLS: replace(world.process, pulls=()),
    }
    histories, rows = [cases.histories[i] for i in range(5)], np.arange(5)
    assert list(guessers) == list(wanted)
    for name, process in wanted.items():
        scores = replace(world, process=process).ceiling(cases)(histories, rows)
        np.testing.assert_array_equal(guessers[name](histories, rows), scores)


def test_best_guesses_are_ranked_where_there_is_a_world(world):
    split = world.interactions.leave_one_out()
    model = ranks_of(np.zeros(len(split.test), int))
    found = foreseen.with_best_guesses({"dmesr": model}, split, Dataset("bazaar", None, None, world))
    assert list(found) == ["dmesr", CEILING, NO_TYPES, NO_PULLS]
    means = {name: foreseen.ndcg(found[name]).mean() for name in (CEILING, NO_PULLS)}
    assert means[CEILING] > means[NO_PULLS]
    own = foreseen.with_best_guesses({"dmesr": model}, make_material().split, Dataset("folder", None, None))
    assert list(own) == ["dmesr"]


def test_a_blind_spot_costs_what_the_guess_loses():
    ranks = {CEILING: ranks_of([0] * 40), NO_TYPES: ranks_of([2] * 40), NO_PULLS: ranks_of([10] * 40)}
    costs = foreseen.blind_spots(ranks, n=50)
    assert {name: cost.diff for name, cost in costs.items()} == pytest.approx(
        {"types": -0.5, "pulls": -1, "pulls against types": -0.5}
    )
    assert foreseen.blind_spots({"dmesr": ranks_of([0])}) is None


def test_shares_by_reason():
    chances = np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    right = np.array([True, True, False, False])
    assert foreseen.share_foreseen(chances, right).tolist() == [0.75, 0.25]
    assert foreseen.share_foreseen(chances, right | True).tolist() == [1, 1]
