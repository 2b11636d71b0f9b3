"""A recommender with given vectors: where its item table starts, and vectors of zeros and ones."""

import torch

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
