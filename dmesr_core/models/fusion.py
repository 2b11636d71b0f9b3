"""Fusion: cross-attention of the aligned MLLM views onto the item's own words.

The paper says: a cross-attention module joins the coarse-grained MLLM knowledge with the fine-grained
original text. Our choice: the two aligned views are the queries, the token states of title and text are keys
and values; each view keeps what it knew (a residual) and adds what it found.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossAttentionFusion(nn.Module):
    """`fused = aligned + norm(attention(aligned, fine))`, then a small feed-forward layer.

    The usual order would project every token of every item to keys and values: `N·L` matrix products a step.
    Here the key projection is applied to the (few) queries and the value projection to the (few) results
    instead: `q·(W f) = (Wᵀq)·f`. Same function, same parameters, a fraction of the work.
    """

    def __init__(self, width: int, width_fine: int, heads: int = 4):
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Parameter(torch.empty(heads, self.head_width, width_fine))
        self.value = nn.Parameter(torch.empty(heads, self.head_width, width_fine))
        for weight in (self.key, self.value):
            nn.init.xavier_uniform_(weight.view(width, width_fine))
        self.out = nn.Linear(width, width)
        # An average over many tokens is small: normalised, it has the same weight as the aligned vector.
        self.found_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def attend(self, aligned: Tensor, fine: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attention alone.

        Args:
            aligned: (n, V, d) queries, one per view; fine: (n, L, d_f); mask: (n, L) True at real tokens.

        Returns:
            what was found (n, V, d), weights (n, V, heads, L). An item without words finds zeros.
        """
        n, views, width = aligned.shape
        query = self.query(self.norm(aligned)).view(n, views, self.heads, self.head_width)
        asked = torch.einsum("nvhe,hef->nvhf", query, self.key) * self.head_width**-0.5  # (n, V, h, d_f)
        scores = asked.flatten(1, 2) @ fine.transpose(1, 2)  # (n, V·h, L)
        scores = scores.masked_fill(~mask[:, None, :], torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1) * mask[:, None, :]  # the product makes an all-masked row zero, not uniform
        seen = (weights @ fine).view(n, views, self.heads, -1)  # (n, V, h, d_f)
        found = torch.einsum("nvhf,hef->nvhe", seen, self.value).reshape(n, views, width)
        return self.out(found) * mask.any(1)[:, None, None], weights.view(n, views, self.heads, -1)

    def forward(self, aligned: Tensor, fine: Tensor, mask: Tensor) -> Tensor:
        """(n, V, d), (n, L, d_f), (n, L) -> (n, V, d)"""
        found, _ = self.attend(aligned, fine, mask)
        x = aligned + self.found_norm(found) * mask.any(1)[:, None, None]
        return x + self.feed(x)
