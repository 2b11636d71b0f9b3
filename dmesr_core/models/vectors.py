"""Item vectors as models take them: standardised columns, principal components."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

DENSE_LIMIT = 2**25  # entries up to which a matrix is multiplied as a dense one, which is faster (128 MB of float32)


def standardise(vectors: Tensor, items: np.ndarray | None = None) -> Tensor:
    """Zero mean, unit variance per column over the items (rows 1 …); row 0 stays zero. (N+1, F)

    MLLM vectors share a large common direction; without this every item looks alike to a cosine.

    Args:
        items: item numbers that mean and variance are computed from, such as the training items; all without it.
    """
    vectors = vectors.float()
    sample = vectors[1:] if items is None else vectors[items]
    mean, std = sample.mean(0), sample.std(0)
    out = (vectors - mean) / std.clamp(min=1e-6)
    out[0] = 0
    return out


def token_components(fine: Tensor, mask: Tensor, width: int) -> Tensor:
    """Token states (N+1, L, d_f) in their `width` main directions, unit variance overall: (N+1, L, width).

    The fusion reads every token of every item at every step: fewer columns, less to read. 0 keeps all columns.
    """
    tokens = fine[mask]  # (tokens, d_f)
    centred = (fine - tokens.mean(0)) * mask[..., None]
    if 0 < width < fine.shape[2]:
        _, directions = torch.linalg.eigh(centred[mask].T @ centred[mask])  # ascending
        centred = centred @ directions[:, -width:].flip(1)
    return centred / centred[mask].std().clamp(min=1e-6)


def leading_eigenvectors(matrix: sparse.csr_matrix, k: int, rounds: int = 8) -> tuple[Tensor, Tensor]:
    """The k largest eigenvalues (k,) of a symmetric sparse matrix and their vectors (n, k), by subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness, 2011. ARPACK (`scipy.sparse.linalg.eigsh`) takes
    several times as long on the co-occurrences of a large catalogue, for an accuracy that item vectors do not need.
    """
    n = matrix.shape[0]
    # A clone, because torch aligns its memory, on which the last bits of a product depend.
    dense = torch.from_numpy(matrix.toarray()).clone() if n * n <= DENSE_LIMIT else None
    start = torch.randn(n, min(2 * k, n), generator=torch.Generator().manual_seed(0))
    basis = torch.linalg.qr(start).Q
    for _ in range(rounds):
        image = torch.from_numpy(matrix @ basis.numpy()) if dense is None else dense @ basis
        basis = torch.linalg.qr(image).Q
    left = torch.from_numpy(matrix @ basis.numpy()).T if dense is None else basis.T @ dense
    values, vectors = torch.linalg.eigh(left @ basis)  # ascending
    return values.flip(0)[:k], (basis @ vectors.flip(1))[:, :k]


def principal_components(vectors: Tensor, width: int) -> Tensor:
    """Centred vectors (N+1, F) in their `width` main directions, unit variance overall: (N+1, width).

    Where there are fewer than `width` directions, the last columns are zero.
    """
    _, directions = torch.linalg.eigh(vectors[1:].T @ vectors[1:])  # ascending
    out = vectors @ directions.flip(1)[:, :width]
    out = out / out[1:].std().clamp(min=1e-6)
    return F.pad(out, (0, width - out.shape[1]))
