"""Metrics against a well-known library and against brute force; protocols, groups and scorers."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
import pytrec_eval
import torch
from helpers.small_cases import make_cases, random_cases, scorer_of
from scipy.stats import hypergeom

from dmesr_core.errors import DataError
from dmesr_core.evaluation.metrics import evaluate_cases, groups, item_groups, metrics, sampled_protocol
from dmesr_core.evaluation.ranking import EvalSettings, Ranks, rank_cases
from dmesr_core.evaluation.scorers import model_scorer, popularity_scorer
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.recommender import IDRecommender

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
    assert sampled_protocol(constant, cases, 50, 19).mean()["hr@10"] == pytest.approx(10 / 20)
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
    assert evaluate_cases(popularity_scorer(np.arange(6)), cases, 5).units.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_sampled_protocol_has_the_expected_value_of_the_hypergeometric():
    n_items, above, n_negatives, k = 60, 12, 20, 5
    scores = np.zeros((4000, n_items + 1))
    scores[:, 2 : 2 + above] = 2  # 12 items beat the target ...
    scores[:, 1] = 1  # ... which is item 1; nothing is tied with it
    result = sampled_protocol(scorer_of(scores), make_cases([[60]] * 4000, [1] * 4000), n_items, n_negatives, seed=1)
    wanted = hypergeom(n_items - 2, above, n_negatives).cdf(k - 1)  # fewer than k of those drawn are better
    assert result.mean()["hr@5"] == pytest.approx(wanted, abs=0.03)
    assert result.mean()["hr@5"] > 0.5  # while the full ranking says:
    assert evaluate_cases(scorer_of(scores), make_cases([[60]] * 4000, [1] * 4000), n_items).mean()["hr@5"] == 0
    assert result.protocol.startswith("SAMPLED: the target among 20 random unseen items out of 60 (seed 1); not comp")
    short = sampled_protocol(scorer_of(scores), make_cases([[60], [3]], [1, 1]), n_items, 59)
    assert "(seed 0, fewer in 2 cases)" in short.protocol


def test_item_groups_by_popularity():
    counts = np.array([0, 9, 7, 7, 5, 0, 1, 1, 1, 1, 1, 1])  # 10 warm items: two are a fifth, and 7 comes twice
    found = {g: np.flatnonzero(m).tolist() for g, m in item_groups(counts).items()}
    assert found == {"head": [1, 2, 3], "tail": [4, 6, 7, 8, 9, 10, 11], "cold": [5], "tail+cold": list(range(4, 12))}
    assert np.flatnonzero(item_groups(counts, 0.05)["head"]).tolist() == [1]
    nothing = item_groups(np.zeros(4, int))
    assert not nothing["head"].any()
    assert nothing["cold"].tolist() == [False, True, True, True]


def test_groups_of_cases():
    split = SimpleNamespace(train_counts=np.array([0, 9, 3, 3, 3, 3, 0]))
    cases = make_cases([[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]], [1, 2, 6, 1])
    found = {g: m.tolist() for g, m in groups(split, cases).items()}
    assert found["head"] == [True, False, False, True]
    assert found["tail"] == [False, True, False, False]
    assert found["cold"] == [False, False, True, False]
    assert found["tail+cold"] == [False, True, True, False]
    assert found["short"] == [True, True, False, False]
    assert found["long"] == [False, False, True, True]
    assert groups(split, cases, EvalSettings(short_history=1))["short"].tolist() == [True, False, False, False]
    assert all(len(m) == 0 for m in groups(split, make_cases([], [])).values())


def test_popularity_scores_are_counts():
    cases = make_cases([[3], [1]], [2, 3])
    assert rank_cases(popularity_scorer(np.array([0, 5, 4, 9])), cases, 3).rank.tolist() == [2, 1]
    assert evaluate_cases(popularity_scorer(np.array([0, 5, 4, 9])), cases, 3).name == "popularity"


@pytest.fixture(params=["sasrec", "bert4rec"])
def model(request):
    torch.manual_seed(0)
    known = torch.ones(21).bool()
    known[[0, 7]] = False
    made = IDRecommender(BackboneSettings(request.param, width=16, max_len=6, dropout=0.5), known)
    if made.bias is not None:
        torch.nn.init.normal_(made.bias)
    return made.train()


def test_model_scorer_scores_as_the_model_does(model):
    cases = random_cases(30, 20, np.random.default_rng(5), longest=9)
    model.backbone.dropout.eval()  # a part that somebody froze stays as it was
    model_modes = [m.training for m in model.modules()]
    calls = []
    original = model.item_table
    model.item_table = lambda items=None: calls.append(1) or original(items)
    scorer = model_scorer(model, 20, name="mine")
    ranks = rank_cases(scorer, cases, 20, EvalSettings(batch_size=8))
    again = rank_cases(scorer, cases, 20, EvalSettings(batch_size=8))
    assert (ranks.greater == again.greater).all()  # no dropout
    assert [m.training for m in model.modules()] == model_modes
    assert len(calls) == 1
    assert scorer.concurrent
    model.eval()
    with torch.no_grad():
        table = original()
        for c, history in enumerate(cases.histories):
            scores = model.scores(model.user(table, torch.tensor(history[-6:])[None]), table)
            torch.testing.assert_close(scorer([history], np.array([c])), scores)
    assert evaluate_cases(scorer, cases, 20).name == "mine"
    short = model_scorer(model, 20, max_len=2)
    torch.testing.assert_close(short([np.array([1, 2, 3])], np.array([0])), scorer([np.array([2, 3])], np.array([0])))


def test_model_scorer_names_what_it_cannot_do(model):
    with pytest.raises(DataError, match="item table of 'IDRecommender' has 21 rows, wanted 31"):
        model_scorer(model, 30)
    with pytest.raises(DataError, match="case 1 has an empty history: 'IDRecommender' needs"):
        rank_cases(model_scorer(model, 20), make_cases([[1], []], [2, 3]), 20)
