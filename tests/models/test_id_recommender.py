"""Recommenders by ID: vectors of users, the bias of an item, and items without a vector."""

import pytest
import torch

from dmesr_core.models.backbones import BACKBONES, BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender

SIZE = dict(width=16, max_len=10, layers=2, heads=2, dropout=0.3)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_user_vectors_do_not_depend_on_padding_and_items_can_be_renumbered(name):
    torch.manual_seed(0)
    known = torch.ones(21).bool()
    model = IDRecommender(BackboneSettings(name, **SIZE), known).eval()
    table = model.item_table()
    items = torch.tensor([[4, 9, 2, 0, 0], [7, 0, 0, 0, 0]])
    users = model.user(table, items)
    torch.testing.assert_close(model.user(table, items[:1, :3])[0], users[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.user(table, items[1:, :1])[0], users[1], atol=1e-5, rtol=1e-5)
    order = torch.cat([torch.zeros(1).long(), 1 + torch.randperm(20)])
    moved = torch.empty_like(table)
    moved[order] = table
    torch.testing.assert_close(model.user(moved, order[items] * (items > 0)), users)


def test_bert4rec_has_an_output_bias_and_unknown_items_have_none():
    known = torch.ones(9).bool()
    known[5] = False
    model = IDRecommender(BackboneSettings("bert4rec", **SIZE), known).eval()
    model.bias.data.fill_(2.0)
    table = model.item_table()
    scores = model.scores(torch.zeros(1, 16), table)
    assert scores[0, 4] == 2 and scores[0, 5] == 0
    assert (table[5] == 0).all() and (table[0] == 0).all()
