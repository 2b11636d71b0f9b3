"""A recommender with given vectors: where its item table starts, and vectors of zeros and ones."""

import torch
from helpers.small_models import make_catalogue, make_features, make_split

from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.feature_recommender import FeatureRecommender

N = 12
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2, dropout=0.1)


def test_feature_recommender_starts_with_a_table_of_ordinary_size_whatever_the_vectors():
    known = torch.ones(N + 1).bool()
    for vectors in (torch.eye(N + 1), 100 * torch.randn(N + 1, 40)):
        vectors[0] = 0
        model = FeatureRecommender(BACKBONE, vectors, known).eval()
        table = model.item_table()
        assert (table[0] == 0).all()
        assert 0.3 < table[1:].norm(dim=1).mean() < 3


def test_zeros_and_ones_stay_as_they_are_and_other_vectors_are_standardised():
    facts = torch.eye(N + 1)
    assert torch.equal(FeatureRecommender(BACKBONE, facts, torch.ones(N + 1)).vectors.rows[1:], facts[1:])
    rows = FeatureRecommender(BACKBONE, 5 + 3 * facts, torch.ones(N + 1)).vectors.rows[1:]
    torch.testing.assert_close(rows.mean(0), torch.zeros(N + 1), atol=1e-6, rtol=0)


def test_in_a_mixture_each_view_has_its_columns_and_the_whole_has_all_and_the_id():
    vectors, known = torch.randn(N + 1, 6, generator=torch.Generator().manual_seed(0)), torch.ones(N + 1).bool()
    torch.manual_seed(0)
    model = FeatureRecommender(BACKBONE, vectors, known, views=((0, 1, 2), (3, 4, 5))).eval()
    whole, first, second = model.item_table().chunk(3, dim=1)
    torch.testing.assert_close(whole - first - second, model.item_id(torch.arange(N + 1)))
    torch.testing.assert_close(first[1:], model.vectors.rows[1:, :3] @ model.projection.weight[:, :3].T)


def test_the_views_of_raw_vectors_are_the_picture_and_the_words():
    catalogue = make_catalogue()
    build = FeatureRecommender.build
    model = build(make_features(catalogue), make_split(catalogue), BACKBONE, mixture=True)
    assert model.views == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]  # d_c is 6
    assert model.backbone.softmaxes == 3
