"""Vectors as models take them: standardised columns, main directions with a fixed sign."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

DENSE_LIMIT = 2**25  # entries up to which a matrix is multiplied as a dense one, which is faster (128 MB of float32)
_CHUNK = 4096  # rows that are read as float64 at once


def standardise(vectors: Tensor, items: np.ndarray | None = None) -> Tensor:
    """Zero mean, unit variance per column over the items (rows 1 …); row 0 stays zero. (N+1, F)

    MLLM vectors share a large common direction; without this every item looks alike to a cosine.

    Args:
        items: item numbers that mean and variance are computed from, such as the training items; all without it.
    """
    vectors = vectors.float()
    mean, std = column_statistics(vectors[1:] if items is None else vectors[items])
    out = (vectors - mean) / std
    out[0] = 0
    return out


def column_statistics(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and standard deviation (F,) of the columns of (n, F), float32; the latter is never 0.

    Summed as float64: so rounding, which depends on the number of threads, does not show in the result.
    """
    parts = vectors.split(_CHUNK)
    mean = _sum(part.double().sum(0) for part in parts) / len(vectors)
    squares = _sum((part.double() - mean).square().sum(0) for part in parts)
    std = (squares / max(len(vectors) - 1, 1)).sqrt()
    return mean.float(), std.float().clamp(min=1e-6)


def main_directions(vectors: Tensor, width: int) -> Tensor:
    """The `width` main directions of centred vectors (n, F), largest variance first, as columns (F, width).

    Each has a fixed sign. In one piece of memory, so that a copy of them gives the same products to the last bit.
    """
    gram = _sum(part.double().T @ part.double() for part in vectors.split(_CHUNK))
    _, directions = torch.linalg.eigh(gram)  # ascending
    return fixed_signs(directions.flip(1)[:, :width]).float().contiguous()


def _sum(parts: Iterable[Tensor]) -> Tensor:
    """One after the other, so that only one part is in memory."""
    return reduce(torch.add, parts)


def fixed_signs(directions: Tensor) -> Tensor:
    """Columns (F, w) turned so that the largest entry of each is positive: an eigenvector has no sign of its own."""
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))  # (1, w)
    return directions * torch.where(largest < 0, -1.0, 1.0).to(directions.dtype)


def principal_components(vectors: Tensor, width: int) -> Tensor:
    """Centred vectors (N+1, F) in their `width` main directions, unit variance overall: (N+1, width).

    Where there are fewer than `width` directions, the last columns are zero.
    """
    out = vectors @ main_directions(vectors[1:], width)
    out = out / out[1:].std().clamp(min=1e-6)
    return F.pad(out, (0, width - out.shape[1]))


def leading_eigenvectors(matrix: sparse.csr_matrix, k: int, rounds: int = 8) -> tuple[Tensor, Tensor]:
    """The k largest eigenvalues (k,) of a symmetric sparse matrix and their vectors (n, k), by subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness, 2011. ARPACK (`scipy.sparse.linalg.eigsh`) takes
    several times as long on the co-occurrences of a large catalogue, for an accuracy that item vectors do not need.
    Computed as float64: so rounding, which depends on the number of threads, does not show in the result.
    """
    n, matrix = matrix.shape[0], matrix.astype(np.float64)
    # A clone, because torch aligns its memory, on which the last bits of a product depend.
    dense = torch.from_numpy(matrix.toarray()).clone() if n * n <= DENSE_LIMIT else None
    start = torch.randn(n, min(2 * k, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(start).Q
    for _ in range(rounds):
        image = torch.from_numpy(matrix @ basis.numpy()) if dense is None else dense @ basis
        basis = torch.linalg.qr(image).Q
    left = torch.from_numpy(matrix @ basis.numpy()).T if dense is None else basis.T @ dense
    values, vectors = torch.linalg.eigh(left @ basis)  # ascending
    return values.flip(0)[:k].float(), fixed_signs((basis @ vectors.flip(1))[:, :k]).float()
