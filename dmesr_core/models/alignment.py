"""Alignment of two views: projection heads, the contrastive loss, and measures of alignment.

The paper says: contrastive learning aligns the cross-modal semantic representations that the MLLM generates.
Our choice: a two-layer head per view, symmetric InfoNCE (as in CLIP) over the items of a step.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Maps MLLM vectors to the width of the recommender: `aligned = head(coarse)`."""

    def __init__(self, width_in: int, width: int, dropout: float = 0.0):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(width_in, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, coarse: Tensor) -> Tensor:
        """(n, width_in) -> (n, width)"""
        return self.norm(self.body(coarse))


def info_nce(a: Tensor, b: Tensor, temperature: Tensor | float) -> Tensor:
    """Symmetric InfoNCE: row i of `a` and row i of `b` are two views of one item, all other rows are others.

    Args:
        a, b: (n, d), any scale (compared by cosine).

    Returns:
        Scalar loss in nats; log(n) when the views carry nothing in common, 0 at best.
    """
    logits = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature  # (n, n)
    truth = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of every row of `a` with every row of `b`: (n, d) and (m, d) -> (n, m)."""
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def alignment(a: Tensor, b: Tensor) -> float:
    """Mean squared distance of the two views of an item on the unit sphere: 0 best, 2 unrelated (Wang & Isola 2020)."""
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean().item()


def uniformity(a: Tensor) -> float:
    """Log of the mean Gaussian potential of all pairs (t = 2): lower is spread more evenly (Wang & Isola 2020)."""
    return torch.pdist(F.normalize(a, dim=1)).square().mul(-2).exp().mean().log().item()


def modality_gap(a: Tensor, b: Tensor) -> float:
    """Distance of the two views' centres on the unit sphere: 0 best, 2 worst (Liang et al. 2022)."""
    return (F.normalize(a, dim=1).mean(0) - F.normalize(b, dim=1).mean(0)).norm().item()


def cross_view_recall(a: Tensor, b: Tensor, k: int = 10) -> float:
    """Share of items whose other view is among the `k` nearest by cosine; k/n by chance."""
    similarity = cosine_matrix(a, b)
    better = (similarity > similarity.diagonal()[:, None]).sum(1)
    return (better < k).float().mean().item()


def recall_from_groups(groups: np.ndarray, k: int = 10) -> float:
    """The `cross_view_recall` of views that say nothing but the group (n,) of each item, such as its category."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return float(np.minimum(1.0, k / sizes)[group].mean())
