"""Standardised vectors: over all items, or over those that may be used."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from dmesr_core.models import vectors as vectors_module
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


def test_leading_eigenvectors_of_a_sparse_matrix_are_those_of_the_dense_one(monkeypatch):
    half = sparse.random(200, 200, 0.05, format="csr", dtype=np.float32, random_state=0)
    matrix = (half + half.T + sparse.diags_array(np.r_[np.zeros(196), 40, 50, 60, 70].astype(np.float32))).tocsr()
    values, directions = vectors_module.leading_eigenvectors(matrix, 4, rounds=30)
    want = np.linalg.eigvalsh(matrix.toarray())[::-1][:4].copy()
    torch.testing.assert_close(values, torch.from_numpy(want), rtol=1e-3, atol=0)
    torch.testing.assert_close(directions.T @ directions, torch.eye(4), atol=1e-4, rtol=0)
    monkeypatch.setattr(vectors_module, "DENSE_LIMIT", 0)
    also, same = vectors_module.leading_eigenvectors(matrix, 4, rounds=30)
    torch.testing.assert_close(also, values, rtol=1e-4, atol=0)
    torch.testing.assert_close((same * directions).sum(0).abs(), torch.ones(4), atol=1e-3, rtol=0)
