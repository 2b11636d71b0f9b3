"""Ranks equal a slow reference, bad scores are named, sampled negatives are uniform, memory is bounded."""

from __future__ import annotations

from threading import Barrier, get_ident

import numpy as np
import pytest
import torch
from helpers.small_cases import make_cases, random_cases, reference_ranks, scorer_of

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.ranking import EvalSettings, Ranks, rank_cases, rank_in_sample, top_k
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.scorers import model_scorer, popularity


@pytest.mark.parametrize("mask_seen", [True, False])
@pytest.mark.parametrize("some", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_ranks_are_those_of_the_slow_reference(mask_seen, some, dtype):
    rng = np.random.default_rng(0)
    cases = random_cases(60, 40, rng)
    scores = torch.as_tensor(rng.integers(0, 9, (60, 41))).to(dtype)  # few values: many ties
    candidates = None
    if some:
        candidates = rng.random(41) < 0.5
        candidates[cases.targets] = True
        candidates[0] = True  # must have no effect: item 0 is never ranked
    settings = EvalSettings(mask_seen=mask_seen, batch_size=7)
    ranks = rank_cases(scorer_of(scores), cases, 40, settings, candidates)
    greater, ties = reference_ranks(scores.double().numpy(), cases, mask_seen, candidates)
    assert (ranks.greater == greater).all()
    assert (ranks.n_ties == ties).all()
    assert (ranks.n_ties >= 1).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_ranks_like_a_cpu(dtype):
    rng = np.random.default_rng(6)
    cases = random_cases(60, 40, rng)
    scores = torch.as_tensor(rng.integers(0, 9, (60, 41))).to(dtype)
    candidates = np.isin(np.arange(41), cases.targets)
    for some in (None, candidates):
        here = rank_cases(scorer_of(scores), cases, 40, candidates=some)
        there = rank_cases(scorer_of(scores.cuda()), cases, 40, candidates=some)
        assert (here.greater == there.greater).all()
        assert (here.n_ties == there.n_ties).all()
    assert (rank_in_sample(scorer_of(scores.cuda()), cases, 40)[0].rank
            == rank_in_sample(scorer_of(scores), cases, 40)[0].rank).all()  # fmt: skip
    _, here = top_k(scorer_of(scores), cases.histories, 5, 40)
    _, there = top_k(scorer_of(scores.cuda()), cases.histories, 5, 40)
    assert (here == there).all()  # the items may differ where scores are tied


def test_threads_have_batches_of_their_own_and_give_the_same_ranks(several_threads):
    cases = random_cases(60, 40, np.random.default_rng(8))
    scores = torch.rand(60, 41, generator=torch.Generator().manual_seed(0))
    meeting, inside = Barrier(several_threads), []

    def scorer(histories, index):
        inside.append((get_ident(), torch.get_num_threads(), torch.is_grad_enabled()))
        meeting.wait(timeout=30)  # breaks unless all threads are in here at once
        return scores[torch.from_numpy(index)]

    scorer.concurrent = True
    settings = EvalSettings(batch_size=5)  # 12 batches: each thread has as many
    ranks = rank_cases(scorer, cases, 40, settings)
    assert len({thread for thread, _, _ in inside}) == several_threads
    assert {(threads, grad) for _, threads, grad in inside} == {(1, False)}
    assert torch.get_num_threads() == several_threads
    alone = rank_cases(scorer_of(scores), cases, 40, settings)
    assert (ranks.greater == alone.greater).all()
    assert (ranks.n_ties == alone.n_ties).all()


def test_an_error_in_a_thread_is_that_of_the_first_bad_case(several_threads):
    cases = make_cases([[1]] * 40, [2] * 40)
    scores = torch.zeros(40, 4)
    scores[7, 3] = scores[30, 1] = torch.nan
    scorer = scorer_of(scores)
    scorer.concurrent = True
    with pytest.raises(DataError, match="gave item 3 in case 7 the score nan"):
        rank_cases(scorer, cases, 3, EvalSettings(batch_size=2))
    assert torch.get_num_threads() == several_threads


@pytest.fixture
def several_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_masking_changes_ranks_and_the_target_is_never_masked():
    cases = make_cases([[1, 2, 2], [3]], [4, 3])
    scores = np.array([[99.0, 5, 4, 3, 2], [99.0, 1, 1, 1, 1]])
    assert rank_cases(scorer_of(scores), cases, 4, EvalSettings(mask_seen=False)).rank.tolist() == [4, 2.5]
    assert rank_cases(scorer_of(scores), cases, 4, EvalSettings(mask_seen=True)).rank.tolist() == [2, 2.5]


def test_expected_rank_is_the_middle_of_the_ties():
    assert Ranks(np.array([0, 3]), np.array([1, 4])).rank.tolist() == [1, 5.5]


def test_column_zero_and_items_that_are_no_candidates_are_ignored():
    cases = make_cases([[1]], [2])
    scores = np.array([[np.nan, 1, 2, np.inf, 3]])
    candidates = np.array([False, True, True, False, True])
    assert rank_cases(scorer_of(scores), cases, 4, candidates=candidates).greater.tolist() == [1]
    items, _ = top_k(scorer_of(scores), cases.histories, 2, 4, candidates=candidates)
    assert items.tolist() == [[4, 2]]


def test_empty_histories_and_no_cases():
    scores = np.array([[0.0, 1, 2], [0.0, 1, 2]])
    assert rank_cases(scorer_of(scores), make_cases([[], [1]], [1, 2]), 2).greater.tolist() == [1, 0]
    assert rank_cases(scorer_of(scores), make_cases([[], []], [1, 2]), 2).greater.tolist() == [1, 0]
    assert len(rank_cases(scorer_of(scores), make_cases([], []), 2).rank) == 0


def test_batches_are_bounded_and_group_similar_lengths():
    rng = np.random.default_rng(1)
    cases = random_cases(50, 99, rng)
    sizes, spreads = [], []

    def scorer(histories, case_indices):
        assert [h.tolist() for h in histories] == [cases.histories[c].tolist() for c in case_indices]
        sizes.append(len(histories))
        spreads.append(np.ptp([len(h) for h in histories]))
        return torch.zeros(len(histories), 100)

    rank_cases(scorer, cases, 99, EvalSettings(scores_at_once=1000))
    assert max(sizes) == 10
    assert sum(sizes) == 50
    assert max(spreads) <= 6  # of 11 without grouping
    sizes.clear()
    rank_cases(scorer, cases, 99, EvalSettings(batch_size=16))
    assert max(sizes) == 16
    sizes.clear()
    rank_cases(scorer, cases, 99, EvalSettings(scores_at_once=1))  # less than one case: still one case at a time
    assert sizes == [1] * 50


def test_scorer_memory_is_left_alone():
    shared = torch.arange(6.0)
    scorer = lambda histories, case_indices: shared.expand(len(histories), -1)  # noqa: E731
    cases = make_cases([[5], [4, 3]], [1, 2])
    rank_cases(scorer, cases, 5)
    top_k(scorer, cases.histories, 2, 5)
    assert shared.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("use", ["rank", "sample", "top"])
def test_scores_that_are_not_finite_name_scorer_item_and_case(bad, use):
    cases = make_cases([[1]] * 5, [2] * 5)
    scores = np.zeros((5, 8), np.float32)
    scores[3, 6] = bad
    scorer = scorer_of(scores)
    scorer.name = "broken one"
    with pytest.raises(DataError, match="'broken one' gave item 6 in case 3 the score -?(nan|inf)"):
        if use == "rank":
            rank_cases(scorer, cases, 7, EvalSettings(batch_size=2))
        elif use == "sample":
            rank_in_sample(scorer, cases, 7, 2)
        else:
            top_k(scorer, cases.histories, 2, 7)


def test_large_finite_scores_are_fine():
    """Their sum overflows, which must not be taken for a score that is not finite."""
    scores = np.full((2, 6), 3e38, np.float32)
    assert rank_cases(scorer_of(scores), make_cases([[1], [1]], [2, 3]), 5).n_ties.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.zeros((2, 5))}, r"'known' returned a tensor \(2, 5\), wanted .* \(2, 6\)"),
        ({"targets": [1, 6]}, "the target of case 1 holds item 6: items are numbered 1 to 5"),
        ({"targets": [0, 1]}, "the target of case 0 holds item 0"),
        ({"histories": [[1], [2, 0, 3]]}, "the history of case 1 holds item 0"),
        ({"histories": [[7], [2]]}, "the history of case 0 holds item 7"),
        ({"candidates": np.array([0, 1, 0, 1, 1, 1], bool)}, "target of case 1, item 2, is not among the candidates"),
        ({"candidates": np.ones(5, bool)}, r"candidates must be an array of 6 booleans .*, got bool \(5,\)"),
        ({"candidates": [True] * 6}, "candidates must be an array of 6 booleans .*, got list"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"scores": np.zeros((2, 6)), "targets": [1, 2], "histories": [[3], [4]], "candidates": None} | change
    with pytest.raises(DataError, match=message):
        cases = make_cases(given["histories"], given["targets"])
        rank_cases(scorer_of(given["scores"]), cases, 5, candidates=given["candidates"])


def test_a_scorer_that_returns_no_tensor_is_named():
    def lister(histories, case_indices):
        return [[0.0] * 6]

    with pytest.raises(DataError, match="'lister' returned list, wanted a tensor"):
        rank_cases(lister, make_cases([[1]], [2]), 5)


@pytest.mark.parametrize(
    "bad",
    [{"ks": ()}, {"ks": (0, 5)}, {"batch_size": 0}, {"scores_at_once": 0}],
)
def test_bad_settings(bad):
    with pytest.raises(SettingsError, match=next(iter(bad))):
        EvalSettings(**bad)


def test_the_sample_is_uniform_unseen_and_without_repetition():
    cases = make_cases([[2, 5, 5, 8]] * 4000, [6] * 4000)
    picked = np.zeros(11)

    def one_item(item):
        scores = torch.zeros(1, 11, dtype=torch.float64)
        scores[:, item] = 1
        return lambda histories, case_indices: scores.expand(len(histories), -1)

    for item in range(1, 11):  # with one high item, `greater` counts how often it was drawn
        ranks, short = rank_in_sample(one_item(item), cases, 10, 3, seed=4)
        assert short == 0
        assert ranks.greater.max() <= 1
        picked[item] = ranks.greater.mean()
    assert (picked[[2, 5, 6, 8]] == 0).all()
    free = picked[[1, 3, 4, 7, 9, 10]]
    assert free.sum() == pytest.approx(3)
    assert free == pytest.approx(np.full(6, 0.5), abs=0.03)


def test_the_sample_depends_on_the_seed_alone_and_runs_short_gracefully():
    rng = np.random.default_rng(2)
    cases = random_cases(30, 20, rng, longest=19)
    scores = rng.random((30, 21))
    first, short = rank_in_sample(scorer_of(scores), cases, 20, 15, seed=0, settings=EvalSettings(batch_size=4))
    again, _ = rank_in_sample(scorer_of(scores), cases, 20, 15, seed=0)
    other, _ = rank_in_sample(scorer_of(scores), cases, 20, 15, seed=1)
    assert (first.greater == again.greater).all()
    assert (first.greater != other.greater).any()
    left = [20 - len(set(h) | {t}) for h, t in zip(map(set, cases.histories), cases.targets, strict=True)]
    assert short == sum(n < 15 for n in left) > 0
    every, _ = rank_in_sample(scorer_of(scores), cases, 20, 20)  # more than there are: all of them, the full ranking
    assert (every.greater == rank_cases(scorer_of(scores), cases, 20).greater).all()
    with pytest.raises(SettingsError, match="n_negatives"):
        rank_in_sample(scorer_of(scores), cases, 20, 0)


def test_a_sample_from_nothing_left():
    ranks, short = rank_in_sample(scorer_of(np.zeros((1, 4))), make_cases([[1, 2]], [3]), 3, 5)
    assert (ranks.greater.tolist(), ranks.n_ties.tolist(), short) == ([0], [1], 1)


def test_top_k_is_the_sorted_catalogue_without_seen_items():
    rng = np.random.default_rng(3)
    cases = random_cases(25, 30, rng)
    scores = rng.random((25, 31)).astype(np.float32)
    items, values = top_k(scorer_of(scores), cases.histories, 5, 30, EvalSettings(batch_size=4))
    for c in range(25):
        order = [i for i in np.argsort(-scores[c]) if i > 0 and i not in cases.histories[c]][:5]
        assert items[c].tolist() == order
        assert (values[c] == scores[c, order]).all()
    unmasked, _ = top_k(scorer_of(scores), cases.histories, 30, 30, EvalSettings(mask_seen=False))
    assert (np.sort(unmasked, axis=1) == np.arange(1, 31)).all()


def test_top_k_of_a_model_is_that_of_its_scorer_and_knows_the_number_of_items():
    torch.manual_seed(0)
    model = IDRecommender(BackboneSettings(width=8, max_len=6), torch.ones(31).bool())
    cases = random_cases(10, 30, np.random.default_rng(4))
    items, values = top_k(model, cases.histories, 5)
    wanted_items, wanted = top_k(model_scorer(model, 30), cases.histories, 5, 30)
    assert (items == wanted_items).all() and (values == wanted).all()
    with pytest.raises(SettingsError, match="top_k needs n_items for 'popularity'"):
        top_k(popularity(np.arange(31)), cases.histories, 5)
    with pytest.raises(DataError, match="has 31 rows, wanted 21"):
        top_k(model, cases.histories, 5, 20)


def test_top_k_fills_up_with_padding():
    items, values = top_k(scorer_of(np.array([[9.0, 1, 2, 3]])), [np.array([3, 1])], 3, 3)
    assert items.tolist() == [[2, 0, 0]]
    assert values.tolist() == [[2, -np.inf, -np.inf]]
    with pytest.raises(SettingsError, match="k must lie between 1 and the number of items"):
        top_k(scorer_of(np.zeros((1, 4))), [np.array([1])], 4, 3)


def test_a_higher_rank_for_a_higher_target_never_the_reverse():
    """Raising the score of a target never makes its rank worse."""
    rng = np.random.default_rng(5)
    cases = random_cases(40, 25, rng)
    scores = rng.integers(0, 5, (40, 26)).astype(float)
    better = scores.copy()
    better[np.arange(40), cases.targets] += rng.integers(0, 3, 40)
    assert (rank_cases(scorer_of(better), cases, 25).rank <= rank_cases(scorer_of(scores), cases, 25).rank).all()


def test_batches_of_long_histories_are_smaller_and_ranks_stay(monkeypatch):
    rng = np.random.default_rng(5)
    cases, scores = random_cases(60, 30, rng), rng.integers(0, 9, (60, 31))
    whole, sizes = rank_cases(scorer_of(scores), cases, 30), []

    def scorer(histories, case_indices):
        sizes.append((len(histories), sum(map(len, histories))))
        return torch.as_tensor(scores[case_indices])

    monkeypatch.setattr("dmesr_core.models.scoring._EVENTS", 10)
    small = rank_cases(scorer, cases, 30)
    assert np.array_equal(small.rank, whole.rank)
    assert all(n == 1 or events <= 10 for n, events in sizes) and max(sizes)[0] > 1
