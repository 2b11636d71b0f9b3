"""DMESR's encoder: the two views of each item, aligned, and fused with its own words; and what steps remember of it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from dmesr_core.features.item_features import Features
from dmesr_core.models.alignment import ProjectionHead
from dmesr_core.models.dmesr_settings import DMESRSettings
from dmesr_core.models.fusion import CrossAttentionFusion
from dmesr_core.models.item_inputs import StandardisedVectors, TokenStates


class ItemEncoder(nn.Module):
    """The two views of each item, projected, and fused with the item's own words.

    The means, scales and directions of the features are learned from the given ones, and stay.
    """

    def __init__(self, s: DMESRSettings, features: Features):
        super().__init__()
        width, d_c, d_f = s.backbone.width, features.coarse_text.shape[1], features.fine.shape[2]
        self.views = s.views
        self.coarse = nn.ModuleDict({view: StandardisedVectors(d_c) for view in s.views})
        for view, vectors in self._vectors(features).items():
            self._input(view).learn(vectors)
        self.heads = nn.ModuleDict({view: ProjectionHead(d_c, width, s.dropout) for view in s.views})
        self.fine = self.fusion = None
        if s.fusion:
            self.fine = TokenStates(d_f, s.fine_width, s.fine_tokens)
            self.fine.learn(torch.as_tensor(features.fine), torch.as_tensor(features.fine_mask))
            self.fusion = CrossAttentionFusion(width, self.fine.rows.shape[2], s.fusion_heads)

    def append(self, features: Features) -> None:
        """More items, transformed by what was learned from the first ones."""
        for view, vectors in self._vectors(features).items():
            self._input(view).append(vectors[1:])
        if self.fine is not None:
            self.fine.append(torch.as_tensor(features.fine)[1:], torch.as_tensor(features.fine_mask)[1:])

    def _vectors(self, features: Features) -> dict[str, Tensor]:
        return {view: torch.as_tensor(getattr(features, f"coarse_{view}")) for view in self.views}

    def _input(self, view: str) -> StandardisedVectors:
        return cast(StandardisedVectors, self.coarse[view])

    def aligned(self, items: Tensor) -> Tensor:
        """(n,) -> (n, V, d)"""
        return torch.stack([self.heads[view](self.coarse[view](items)) for view in self.views], dim=1)

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) -> aligned (n, V, d), fused (n, V, d)"""
        aligned = self.aligned(items)
        if self.fusion is None or self.fine is None:
            return aligned, aligned
        return aligned, self.fusion(aligned, *self.fine(items))


class StaleVectors:
    """Fused vectors of all items, each from the step that last encoded it: what partial encoding remembers."""

    def __init__(self) -> None:
        self.vectors: Tensor | None = None  # (N+1, V, d), without gradient

    def clear(self) -> None:
        self.vectors = None

    def replace(self, items: Tensor, vectors: Tensor) -> None:
        """Remember new vectors (n, V, d) of `items` (n,)."""
        assert self.vectors is not None
        self.vectors[items] = vectors.detach().to(self.vectors.dtype)
