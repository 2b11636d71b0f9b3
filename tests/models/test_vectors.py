"""Standardised vectors: over all items, or over those that may be used."""

from __future__ import annotations

import numpy as np
import torch

from dmesr_core.models.vectors import standardise


def vectors(n=20, width=3):
    return 5 + 2 * torch.randn(n + 1, width, generator=torch.Generator().manual_seed(0))


def test_columns_have_zero_mean_and_unit_variance_and_padding_stays_zero():
    out = standardise(vectors())
    torch.testing.assert_close(out[1:].mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1:].std(0), torch.ones(3))
    assert (out[0] == 0).all()


def test_mean_and_variance_can_come_from_some_items_only():
    given, items = vectors(), np.array([2, 5, 7, 11, 13])
    out = standardise(given, items)
    torch.testing.assert_close(out[items].mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[items].std(0), torch.ones(3))
    given[1] = 1000.0  # not one of them: the others stay as they are
    torch.testing.assert_close(standardise(given, items)[2:], out[2:])


def test_all_items_are_the_default():
    assert torch.equal(standardise(vectors()), standardise(vectors(), np.arange(1, 21)))


def test_a_constant_column_becomes_zero():
    assert (standardise(torch.full((5, 2), 3.0)) == 0).all()
