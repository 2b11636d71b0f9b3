"""Recommenders: vectors of users, the bias of an item, and where an item table starts."""

import pytest
import torch

from dmesr_core.models.backbones import BACKBONES, BackboneSettings
from dmesr_core.models.recommender import FeatureRecommender, IDRecommender

SIZE = dict(width=16, max_len=10, layers=2, heads=2, dropout=0.3)
N = 12
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2, dropout=0.1)


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


def test_feature_recommender_starts_with_a_table_of_ordinary_size_whatever_the_vectors():
    known = torch.ones(N + 1).bool()
    for vectors in (torch.eye(N + 1), 100 * torch.randn(N + 1, 40)):
        vectors[0] = 0
        model = FeatureRecommender(BACKBONE, vectors, known).eval()
        table = model.item_table()
        assert (table[0] == 0).all()
        assert 0.3 < table[1:].norm(dim=1).mean() < 3
