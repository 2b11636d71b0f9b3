"""Recommendations for people: every form of history, unknown ids, seen items, and a table that is never stale."""

from __future__ import annotations

import copy
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small_models import KINDS, N, make_catalogue, make_split, trained

from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.ranking import top_k
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.view_shares import view_shares

HISTORY = ["item-ab", "item-ad", "item-aa"]


def rows(table: pd.DataFrame) -> list[tuple]:
    return list(table.itertuples(index=False, name=None))


@pytest.mark.parametrize("kind", KINDS)
def test_recommendations_are_the_best_items_of_the_model(kind):
    model = trained(kind)
    found = model.recommend([HISTORY, ["item-ac"]], k=4)
    assert list(found.columns) == ["user", "item", "title", "score"]
    candidates = model.recommendable()
    numbers, scores = top_k(model, [[2, 4, 1], [3]], 4, candidates=candidates)
    ids = np.array(make_catalogue().ids)[numbers - 1]
    assert found["item"].tolist() == ids.flatten().tolist()
    np.testing.assert_array_equal(found["score"], scores.flatten())
    assert found["user"].tolist() == [0] * 4 + [1] * 4
    assert found["title"].tolist() == [f"Title of {id}" for id in found["item"]]


@pytest.mark.parametrize(("kind", "names"), [("mixture", ("picture", "text")), ("words_mixture", ("view 1", "view 2"))])
def test_a_mixture_says_where_each_recommendation_comes_from(kind, names):
    model = trained(kind)
    plain, found = (model.recommend([HISTORY, ["item-ac"]], k=4, views=views) for views in (False, True))
    assert list(found.columns) == ["user", "item", "title", "score", "whole item", *names]
    pd.testing.assert_frame_equal(found[list(plain.columns)], plain)
    shares = found[["whole item", *names]].to_numpy()
    numbers = model.names().numbers(found["item"].tolist()).reshape(2, 4)
    want = view_shares(model, [np.array([2, 4, 1]), np.array([3])], numbers)
    np.testing.assert_allclose(shares, want.reshape(8, 3), atol=1e-12)
    assert model.recommend([["nothing"]], views=True).empty
    with pytest.raises(SettingsError, match="one softmax"):
        trained("dmesr").recommend(HISTORY, views=True)


def test_every_form_of_history():
    model = trained("dmesr")
    one = rows(model.recommend(HISTORY, k=3))
    assert rows(model.recommend([HISTORY], k=3)) == rows(model.recommend(tuple(HISTORY), k=3)) == one
    assert rows(model.recommend(np.array(HISTORY), k=3)) == rows(model.recommend(pd.Series(HISTORY), k=3)) == one
    named = model.recommend({"ann": HISTORY, "bob": np.array(HISTORY)}, k=3)
    assert named["user"].tolist() == ["ann"] * 3 + ["bob"] * 3
    assert named["item"].tolist() == [row[1] for row in one] * 2
    np.testing.assert_allclose(named["score"], [row[3] for row in one] * 2, rtol=1e-5)  # another batch, other last bits


def test_a_log_asks_for_what_comes_after_the_last_event():
    catalogue, model = make_catalogue(), trained("dmesr")
    log = Interactions.from_columns(["u", "u", "v"], ["item-ac", "item-ad", "item-aa"], [2, 1, 3], catalogue)
    found = model.recommend(log, k=2)
    want = model.recommend({"u": ["item-ad", "item-ac"], "v": ["item-aa"]}, k=2)
    assert rows(found) == rows(want)


def test_seen_items_are_left_out_if_wanted():
    model = trained("dmesr")
    fresh = model.recommend(HISTORY, k=N)
    assert len(fresh) == N - 3 and not set(HISTORY) & set(fresh["item"])
    assert set(HISTORY) <= set(model.recommend(HISTORY, k=N, exclude_seen=False)["item"])
    assert len(model.recommend(HISTORY, k=1_000)) == N - 3


def test_unknown_ids_are_skipped_counted_and_said_or_an_error(caplog):
    model = trained("dmesr")
    histories = {"ann": ["x1", *HISTORY, "x2"], "bob": ["x3"], "eve": []}
    with caplog.at_level(logging.WARNING, logger="dmesr_core"):
        found = model.recommend(histories, k=2)
    assert rows(found) == rows(model.recommend({"ann": HISTORY}, k=2))
    assert found.attrs == {"unknown_ids": 3, "without_history": 2}
    assert "3 unknown ids skipped in histories, the first: 'x1' (user 'ann')" in caplog.text
    assert "2 users have no history that is known" in caplog.text
    with pytest.raises(DataError, match=r"3 ids are none of the model's 15 items, the first: 'x1' \(user 'ann'\)"):
        model.recommend(histories, unknown="error")


def test_nothing_is_said_where_nothing_was_lost(caplog):
    found = trained("dmesr").recommend(HISTORY)
    assert found.attrs == {"unknown_ids": 0, "without_history": 0} and not caplog.text


def test_nobody_asks():
    for nobody in ([], {}):
        found = trained("dmesr").recommend(nobody)
        assert len(found) == 0 and list(found.columns) == ["user", "item", "title", "score"]


@pytest.mark.parametrize(
    "wrong",
    ["item-ab", 3, None, [["item-ab"], "item-ab"], [[["item-ab"]]], [None], {"ann": 3}, [b"item-ab"], [True]],
)
def test_histories_of_another_form(wrong):
    with pytest.raises(DataError, match="a list of item ids .one user., a list of such lists, a dict user"):
        trained("id").recommend(wrong)


@pytest.mark.parametrize(
    "wrong", [{"k": 0}, {"k": 2.5}, {"k": "3"}, {"k": True}, {"unknown": "drop"}, {"exclude_seen": "no"}]
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(SettingsError, match=f"{next(iter(wrong))} must"):
        trained("id").recommend(HISTORY, **wrong)


def test_an_id_model_recommends_only_what_somebody_has_bought():
    model = trained("id")
    found = model.recommend(HISTORY, k=N, exclude_seen=False)
    assert len(found) == N - 1 and make_catalogue().ids[-1] not in set(found["item"])
    assert len(trained("dmesr").recommend(HISTORY, k=N, exclude_seen=False)) == N


def test_numbers_are_the_ids_of_a_model_without_a_catalogue():
    from dmesr_core.models.backbones import BackboneSettings
    from dmesr_core.models.id_recommender import IDRecommender

    model = IDRecommender(BackboneSettings(width=8), torch.ones(5).bool())
    as_numbers, as_text = model.recommend([2, 3], k=2), model.recommend(["2", "3"], k=2)
    assert set(as_numbers["item"]) == {"1", "4"} and as_numbers.equals(as_text)


def test_the_table_is_made_once_and_again_when_the_model_changes(monkeypatch):
    model, made = trained("dmesr"), []
    whole = type(model).item_table
    monkeypatch.setattr(type(model), "item_table", lambda self, items=None: made.append(1) or whole(self, items))
    first = model.recommend(HISTORY)
    assert model.recommend(HISTORY).equals(first) and len(made) == 1
    with torch.no_grad():
        model.projection.weight.mul_(-1)
    assert not model.recommend(HISTORY).equals(first) and len(made) == 2
    model.load_state_dict(trained("dmesr").state_dict())
    assert model.recommend(HISTORY).equals(first) and len(made) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda weights: [weight.data.mul_(-1.5) for weight in weights],
        lambda weights: [setattr(weight, "data", weight.data * -1.5) for weight in weights],
        lambda weights: torch.nn.utils.vector_to_parameters(-torch.nn.utils.parameters_to_vector(weights), weights),
    ],
)
def test_weights_that_change_without_a_trace_are_noticed(kind, change):
    model = copy.deepcopy(trained(kind))
    before = model.recommend(HISTORY, k=4)
    change(list(model.parameters()))
    after = model.recommend(HISTORY, k=4)
    assert not after.equals(before)
    assert after.equals(copy.deepcopy(model).recommend(HISTORY, k=4))


def test_statistics_that_change_in_place_are_noticed(monkeypatch):
    model, made = copy.deepcopy(trained("dmesr")), []
    whole = type(model).item_table
    monkeypatch.setattr(type(model), "item_table", lambda self, items=None: made.append(1) or whole(self, items))
    model.recommend(HISTORY)
    model.encoder.coarse["text"].mean.add_(1)
    model.recommend(HISTORY)
    assert len(made) == 2


def test_a_model_that_was_loaded_in_inference_mode(tmp_path):
    trained("dmesr").save(tmp_path / "mine")
    with torch.inference_mode():
        table = Recommender.load(tmp_path / "mine").recommend(HISTORY, k=2)
    assert table.equals(trained("dmesr").recommend(HISTORY, k=2))


def test_the_mode_of_the_model_is_left_alone():
    model = trained("dmesr").train()
    first = model.recommend(HISTORY)
    assert model.training and model.recommend(HISTORY).equals(first)


def test_titles_and_ids_come_from_the_log_of_training():
    assert make_split(make_catalogue()).item_names == trained("id").names()
