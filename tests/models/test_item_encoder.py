"""The encoder of items, and the vectors that a step remembers of those that it did not encode."""

import torch
from helpers.small_models import N, make_catalogue, make_features

from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.dmesr_settings import DMESRSettings
from dmesr_core.models.item_encoder import ItemEncoder, StaleVectors

ALL = torch.arange(N + 1)


def encoder(features=None, **changes):
    torch.manual_seed(0)
    settings = DMESRSettings(BackboneSettings(width=16), **changes)
    return ItemEncoder(settings, features or make_features(make_catalogue())).eval()


def test_each_item_gets_an_aligned_and_a_fused_vector_per_view():
    aligned, fused = encoder()(ALL)
    assert aligned.shape == fused.shape == (N + 1, 2, 16)
    assert not torch.allclose(aligned, fused)


def test_without_fusion_the_fused_vectors_are_the_aligned_ones():
    aligned, fused = encoder(fusion=False)(ALL)
    assert torch.equal(aligned, fused)


def test_items_that_come_later_are_transformed_by_what_was_learned_from_the_first():
    both = make_features(make_catalogue(0, N + 4))
    first = encoder(make_features(make_catalogue()))
    before = first(ALL)[1]
    first.append(make_features(make_catalogue(N, 4)))
    torch.testing.assert_close(first(ALL)[1], before, atol=1e-6, rtol=0)
    assert first(torch.arange(N + 5))[1].shape[0] == N + 5
    assert not torch.allclose(encoder(both)(ALL)[1], before)  # statistics of another catalogue


def test_remembered_vectors_are_replaced_without_a_gradient_and_forgotten():
    stale = StaleVectors()
    stale.vectors = torch.zeros(4, 2, 3)
    new = torch.ones(1, 2, 3, requires_grad=True)
    stale.replace(torch.tensor([2]), 2 * new)
    assert stale.vectors[2].eq(2).all() and stale.vectors[[0, 1, 3]].eq(0).all()
    assert not stale.vectors.requires_grad
    stale.clear()
    assert stale.vectors is None
