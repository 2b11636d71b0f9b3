"""Scorers: popularity scores are counts, and a model's scorer scores as the model does, in evaluation mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_cases import make_cases, random_cases, random_split

from dmesr_core.errors import DataError
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.evaluation.ranking import EvalSettings, rank_cases
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.scorers import as_scorer, model_scorer, popularity, scorer_name


def test_popularity_of_a_split_counts_its_training_events():
    split = random_split(10, 12, np.random.default_rng(0))
    scores = popularity(split)([np.array([1, 2]), np.array([3])], np.arange(2))
    assert scores.tolist() == [np.bincount(split.train.items, minlength=13).tolist()] * 2


def test_popularity_scores_are_counts():
    cases = make_cases([[3], [1]], [2, 3])
    assert rank_cases(popularity(np.array([0, 5, 4, 9])), cases, 3).rank.tolist() == [2, 1]
    assert evaluate_cases(popularity(np.array([0, 5, 4, 9])), cases, 3).name == "popularity"


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


def test_a_scorer_is_its_own_scorer_and_a_model_gets_one(model):
    counts = popularity(np.arange(21))
    assert as_scorer(counts, 20) is counts
    history = [np.array([1, 2, 3])]
    assert (as_scorer(model, 20)(history, np.arange(1)) == model_scorer(model, 20)(history, np.arange(1))).all()


def test_a_scorer_is_named_by_its_name_then_its_function_then_its_class():
    class Named:
        name = "mine"

    assert scorer_name(Named()) == "mine"
    assert scorer_name(popularity) == "popularity"
    Named.name = None
    assert scorer_name(Named()) == "Named"
