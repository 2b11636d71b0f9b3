"""Shares of views: they sum to one, and a view whose gate is shut explains nothing."""

import numpy as np
import pytest
import torch
from helpers.small_models import make_catalogue, make_split, trained

from dmesr_core.errors import SettingsError
from dmesr_core.models.mixture import view_log_chances
from dmesr_core.models.view_shares import view_shares


@pytest.mark.parametrize("kind", ["mixture", "words_mixture", "id_mixture"])
def test_shares_of_a_purchase_sum_to_one(kind):
    split = make_split(make_catalogue())
    shares = view_shares(trained(kind), split.test.histories, split.test.targets)
    assert shares.shape == (len(split.test), 3) and (shares > 0).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)


def test_a_view_whose_gate_is_shut_explains_nothing():
    model, split = trained("mixture"), make_split(make_catalogue())
    with torch.no_grad():
        model.backbone.gate.bias[1] = -50.0
    shares = view_shares(model, split.test.histories, split.test.targets)
    assert shares[:, 1].max() < 1e-12 and shares[:, [0, 2]].min() > 1e-6


def test_with_a_bias_per_item_shares_follow_the_scores():
    model, split = trained("mixture", "bert4rec"), make_split(make_catalogue())
    np.testing.assert_allclose(view_shares(model, split.test.histories, split.test.targets).sum(1), 1, atol=1e-6)


def test_one_softmax_has_nothing_to_share():
    with pytest.raises(SettingsError, match="has one softmax"):
        view_shares(trained("dmesr"), [np.array([1])], np.array([2]))


def test_several_items_of_one_history_and_the_mode_of_the_model():
    model = trained("mixture")
    histories, items = [np.array([1, 2]), np.array([3])], np.array([[3, 4, 5], [1, 2, 4]])
    model.train()
    shares = view_shares(model, histories, items)
    assert model.training and shares.shape == (2, 3, 3)
    for column in range(3):
        np.testing.assert_allclose(shares[:, column], view_shares(model, histories, items[:, column]), atol=1e-12)
    assert view_shares(model, [], np.zeros((0, 2))).shape == (0, 2, 3)


@pytest.mark.parametrize("kind", ["mixture", "id_mixture"])
def test_shares_are_those_of_the_chances(kind):
    model = trained(kind).eval()
    with torch.no_grad():
        table = model.item_table()
        user = model.user(table, torch.tensor([[1, 2, 4]]))
        parts = view_log_chances(user, table, 3, model.known)[:, 0, 3].exp()
    want = (parts / parts.sum()).tolist()
    np.testing.assert_allclose(view_shares(model, [np.array([1, 2, 4])], np.array([3]))[0], want, atol=1e-6)
