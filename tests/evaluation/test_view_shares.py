"""Shares of views: they sum to one, and a view whose gate is shut explains nothing."""

import numpy as np
import pytest
import torch
from helpers.small_models import make_catalogue, make_split, trained

from dmesr_core.errors import SettingsError
from dmesr_core.evaluation.view_shares import view_shares


@pytest.mark.parametrize("kind", ["mixture", "words_mixture", "id_mixture"])
def test_shares_of_a_purchase_sum_to_one(kind):
    split = make_split(make_catalogue())
    shares = view_shares(trained(kind), split.test)
    assert shares.shape == (len(split.test), 3) and (shares > 0).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)


def test_a_view_whose_gate_is_shut_explains_nothing():
    model, split = trained("mixture"), make_split(make_catalogue())
    with torch.no_grad():
        model.backbone.gate.bias[1] = -50.0
    shares = view_shares(model, split.test)
    assert shares[:, 1].max() < 1e-12 and shares[:, [0, 2]].min() > 1e-6


def test_with_a_bias_per_item_shares_follow_the_scores():
    model, split = trained("mixture", "bert4rec"), make_split(make_catalogue())
    np.testing.assert_allclose(view_shares(model, split.test).sum(1), 1, atol=1e-6)


def test_one_softmax_has_nothing_to_share():
    with pytest.raises(SettingsError, match="has one softmax"):
        view_shares(trained("dmesr"), make_split(make_catalogue()).test)
