"""Metrics against pytrec_eval and brute force; protocols of full, sampled and split evaluation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import pytrec_eval
import torch
from helpers.small_cases import make_cases, random_cases, random_split, scorer_of
from scipy.stats import hypergeom

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.groups import item_groups
from dmesr_core.evaluation.metrics import evaluate, evaluate_cases, evaluate_sampled, metrics
from dmesr_core.evaluation.ranking import EvalSettings, Ranks
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import known_items
from dmesr_core.models.scorers import model_scorer, popularity

KS = (1, 5, 10, 20)


@pytest.mark.parametrize("mask_seen", [True, False])
def test_metrics_are_those_of_pytrec_eval(mask_seen):
    rng = np.random.default_rng(0)
    cases = random_cases(200, 60, rng)
    scores = rng.permuted(np.tile(np.arange(61.0), (200, 1)), axis=1)  # no ties
    ours = evaluate_cases(scorer_of(scores), cases, 60, EvalSettings(KS, mask_seen, batch_size=64)).per_case
    relevant, run = {}, {}
    for c, target in enumerate(cases.targets):
        relevant[str(c)] = {str(target): 1}
        hidden = set(cases.histories[c].tolist()) - {target} if mask_seen else set()
        run[str(c)] = {str(i): scores[c, i] for i in range(1, 61) if i not in hidden}
    measures = {f"{m}.{','.join(map(str, KS))}" for m in ("recall", "ndcg_cut")} | {"recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(relevant, measures).evaluate(run)
    assert len(theirs) == 200
    for c in range(200):
        found = theirs[str(c)]
        for k in KS:
            assert ours[f"hr@{k}"][c] == found[f"recall_{k}"]
            assert ours[f"ndcg@{k}"][c] == pytest.approx(found[f"ndcg_cut_{k}"], abs=1e-9)
            assert ours[f"mrr@{k}"][c] == pytest.approx(found["recip_rank"] * found[f"recall_{k}"], abs=1e-9)
    assert 0.1 < ours["hr@20"].mean() < 0.9  # both outcomes were seen


def test_ties_are_the_average_over_all_orders():
    """Each way to order equal scores, written out."""
    scores = np.array([[0.0, 3, 2, 2, 2, 1, 1]])
    for target in range(1, 7):
        ours = evaluate_cases(scorer_of(scores), make_cases([[]], [target]), 6, EvalSettings((1, 2, 3, 5))).per_case
        ranks = []
        for tiebreak in permutations(range(6)):
            order = sorted(range(1, 7), key=lambda i: (-scores[0, i], tiebreak[i - 1]))
            ranks.append(order.index(target) + 1)
        ranks = np.array(ranks)
        for k in (1, 2, 3, 5):
            inside = ranks <= k
            assert ours[f"hr@{k}"][0] == pytest.approx(inside.mean())
            assert ours[f"ndcg@{k}"][0] == pytest.approx((inside / np.log2(1 + ranks)).mean())
            assert ours[f"mrr@{k}"][0] == pytest.approx((inside / ranks).mean())


def test_a_constant_scorer_gets_what_chance_gets():
    cases = make_cases([[1, 2]] * 30, np.arange(11, 41))
    constant = scorer_of(torch.ones(30, 51))
    full = evaluate_cases(constant, cases, 50, EvalSettings((10,), mask_seen=False)).mean()
    assert full["hr@10"] == pytest.approx(10 / 50)
    assert full["ndcg@10"] == pytest.approx((1 / np.log2(np.arange(2, 12))).sum() / 50)
    assert full["mrr@10"] == pytest.approx((1 / np.arange(1, 11)).sum() / 50)
    assert evaluate_cases(constant, cases, 50, EvalSettings((10,))).mean()["hr@10"] == pytest.approx(10 / 48)
    assert evaluate_sampled(constant, cases, 50, 19).mean()["hr@10"] == pytest.approx(10 / 20)
    assert evaluate_cases(constant, cases, 50, EvalSettings((60,))).mean()["hr@60"] == 1


def test_a_perfect_and_a_hopeless_scorer():
    cases = random_cases(20, 30, np.random.default_rng(1))
    scores = np.zeros((20, 31))
    scores[np.arange(20), cases.targets] = 1
    assert set(evaluate_cases(scorer_of(scores), cases, 30).mean().values()) == {1.0}
    hopeless = evaluate_cases(scorer_of(-scores), cases, 30, EvalSettings((5, 10), mask_seen=False)).mean()
    assert set(hopeless.values()) == {0.0}


def test_metrics_never_fall_with_k_and_stay_in_bounds():
    rng = np.random.default_rng(2)
    ranks = Ranks(rng.integers(0, 100, 500), rng.integers(1, 60, 500))
    out = metrics(ranks, (1, 3, 10, 100))
    for name in ("hr", "ndcg", "mrr"):
        rows = np.stack([out[f"{name}@{k}"] for k in (1, 3, 10, 100)])
        assert (np.diff(rows, axis=0) >= 0).all()
        assert rows.min() >= 0
        assert rows.max() <= 1
    for k in (3, 10):
        assert (out[f"hr@{k}"] >= out[f"ndcg@{k}"]).all()
        assert (out[f"ndcg@{k}"] >= out[f"mrr@{k}"]).all()


def test_renumbering_the_items_changes_nothing():
    rng = np.random.default_rng(3)
    cases = random_cases(50, 40, rng)
    scores = rng.integers(0, 8, (50, 41)).astype(float)
    new = np.concatenate([[0], 1 + rng.permutation(40)])  # old number -> new number
    moved = np.empty_like(scores)
    moved[:, new] = scores
    renumbered = make_cases([new[h] for h in cases.histories], new[cases.targets])
    before, after = evaluate_cases(scorer_of(scores), cases, 40), evaluate_cases(scorer_of(moved), renumbered, 40)
    for m in before.per_case:
        assert (before.per_case[m] == after.per_case[m]).all()
    counts = rng.integers(0, 4, 41)
    counts[0] = 0
    moved_counts = np.empty_like(counts)
    moved_counts[new] = counts
    for group, mask in item_groups(counts).items():
        assert (item_groups(moved_counts)[group][new] == mask).all()


def test_masking_matters_and_the_protocol_says_which():
    rng = np.random.default_rng(4)
    cases = random_cases(80, 30, rng, repeat=0.0)
    scores = rng.random((80, 31))
    for c in range(80):
        scores[c, cases.histories[c]] += 1  # a model that recommends what one has
    masked = evaluate_cases(scorer_of(scores), cases, 30, name="m", split="leave-one-out test")
    plain = evaluate_cases(scorer_of(scores), cases, 30, EvalSettings(mask_seen=False), split="leave-one-out test")
    assert masked.mean()["hr@10"] > plain.mean()["hr@10"] + 0.1
    assert (masked.name, plain.name) == ("m", "known")
    assert masked.protocol == (
        "full catalogue of 30 items, seen items masked; leave-one-out test, 80 cases; k = 5, 10, 20; "
        "expected values where scores are tied"
    )
    assert plain.protocol == masked.protocol.replace("masked", "not masked")
    candidates = np.zeros(31, bool)
    candidates[cases.targets] = True
    some = evaluate_cases(scorer_of(scores), cases, 30, candidates=candidates)
    assert some.protocol.startswith(f"{len(set(cases.targets))} candidates out of 30 items, seen items masked; test,")


def test_cases_of_one_user_are_drawn_together():
    cases = make_cases([[1]] * 6, [2, 3, 4, 2, 3, 4], users=[0, 0, 0, 1, 1, 1])
    assert evaluate_cases(popularity(np.arange(6)), cases, 5).units.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_sampled_protocol_has_the_expected_value_of_the_hypergeometric():
    n_items, above, n_negatives, k = 60, 12, 20, 5
    scores = np.zeros((4000, n_items + 1))
    scores[:, 2 : 2 + above] = 2  # 12 items beat the target ...
    scores[:, 1] = 1  # ... which is item 1; nothing is tied with it
    result = evaluate_sampled(scorer_of(scores), make_cases([[60]] * 4000, [1] * 4000), n_items, n_negatives, seed=1)
    wanted = hypergeom(n_items - 2, above, n_negatives).cdf(k - 1)  # fewer than k of those drawn are better
    assert result.mean()["hr@5"] == pytest.approx(wanted, abs=0.03)
    assert result.mean()["hr@5"] > 0.5  # while the full ranking says:
    assert evaluate_cases(scorer_of(scores), make_cases([[60]] * 4000, [1] * 4000), n_items).mean()["hr@5"] == 0
    assert result.protocol.startswith("SAMPLED: the target among 20 random unseen items out of 60 (seed 1); not comp")
    short = evaluate_sampled(scorer_of(scores), make_cases([[60], [3]], [1, 1]), n_items, 59)
    assert "(seed 0, fewer in 2 cases)" in short.protocol


@pytest.fixture
def split():
    return random_split(40, 30, np.random.default_rng(9))


@pytest.mark.parametrize("part", ["test", "valid"])
def test_evaluating_a_model_is_evaluating_the_cases_with_its_scorer(split, part):
    torch.manual_seed(0)
    model = IDRecommender(BackboneSettings(width=8, max_len=6), known_items(split))
    settings = EvalSettings((3, 7), mask_seen=False)
    found = evaluate(model, split, part, settings)
    wanted = evaluate_cases(model_scorer(model, 30), getattr(split, part), 30, settings, split=f"leave-one-out {part}")
    assert (found.name, found.protocol) == ("IDRecommender", wanted.protocol)
    assert f"; leave-one-out {part}, 40 cases; k = 3, 7;" in found.protocol
    assert all((found.per_case[m] == wanted.per_case[m]).all() for m in wanted.metrics)
    assert evaluate(model, split, name="SASRec").name == "SASRec"


def test_a_scorer_and_candidates_can_be_evaluated_on_a_split(split):
    candidates = np.isin(np.arange(31), split.test.targets)
    found = evaluate(popularity(split), split, candidates=candidates)
    wanted = evaluate_cases(popularity(split.train_counts), split.test, 30, candidates=candidates)
    assert found.name == "popularity"
    assert found.mean() == wanted.mean()
    assert found.protocol.startswith(f"{candidates.sum()} candidates out of 30 items")


def test_evaluate_names_a_part_that_does_not_exist_and_a_model_for_other_items(split):
    with pytest.raises(SettingsError, match="part must be 'test' or 'valid', got 'train'"):
        evaluate(popularity(split), split, "train")
    model = IDRecommender(BackboneSettings(width=8), torch.ones(20).bool())
    with pytest.raises(DataError, match="the model was built for 19 items, the split has 30"):
        evaluate(model, split)
