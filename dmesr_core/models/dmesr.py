"""DMESR: item vectors made from two aligned, fused views, feeding any sequential backbone.

    picture ─ MLLM ─ coarse_p ─ head_p ─┐ InfoNCE ┌─ aligned_p ─┐ queries
    words   ─ MLLM ─ coarse_t ─ head_t ─┘         └─ aligned_t ─┤
    words   ─ text encoder ── fine (L, d_f) ──────── keys/values ┘→ fused_p, fused_t → item table → backbone

The paper fixes the parts (alignment by contrast, fusion by cross-attention, two fused representations that enter
an ordinary recommender). How they enter it, and all sizes, are our choices, tested by ablation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.models.alignment import ProjectionHead, info_nce
from dmesr_core.models.backbones import BackboneSettings, TwoTowers, make_backbone
from dmesr_core.models.fusion import CrossAttentionFusion
from dmesr_core.models.recommender import Encoded, ItemID, Recommender, known_items
from dmesr_core.models.vectors import standardise, token_components

VIEWS = ("picture", "text")
INJECTIONS = ("sum", "concat", "two_towers")


@dataclass(frozen=True)
class DMESRSettings:
    """Which parts of DMESR are on, and their sizes."""

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    views: tuple[str, ...] = VIEWS  # which views exist
    align: bool = True  # the contrastive loss between the two views
    alpha: float = 0.05  # weight of the alignment loss: loss = recommendation + alpha · alignment
    items_per_step: int | None = 128  # items that a step encodes anew, and aligns with each other; None: all
    temperature: float = 0.2  # of InfoNCE
    fusion: bool = True  # cross-attention onto the original words
    fine_tokens: int = 24  # tokens of the original text that the fusion attends to
    fine_width: int = 96  # width of the token states, after principal component analysis (0: unchanged)
    fusion_heads: int = 2
    injection: str = "sum"  # how the fused views enter the backbone: sum | concat | two_towers
    id_embedding: bool = True  # add a learned vector per item
    id_dropout: float = 0.1  # probability that a step drops an item's ID vector
    unit: bool = False  # features, ID vector and their sum all have length 1 (injection sum only)
    dropout: float = 0.1  # inside the projection heads

    def __post_init__(self) -> None:
        if not self.views or any(v not in VIEWS for v in self.views) or len(set(self.views)) != len(self.views):
            raise SettingsError(f"views {self.views!r}: choose one or both of {', '.join(VIEWS)}")
        if self.injection not in INJECTIONS:
            raise SettingsError(f"unknown injection {self.injection!r}: choose one of {', '.join(INJECTIONS)}")
        if self.unit and (self.injection != "sum" or not self.id_embedding):
            raise SettingsError("unit vectors need injection 'sum' and an ID vector")
        if self.injection == "two_towers" and len(self.views) != 2:
            raise SettingsError("injection 'two_towers' needs both views")
        if self.items_per_step is not None and self.items_per_step < 2:
            raise SettingsError(f"items_per_step {self.items_per_step}: at least 2 items are needed to compare")
        if not 0 <= self.alpha < math.inf:
            raise SettingsError(f"alpha must be 0 or more, got {self.alpha!r}: a negative one pushes the views apart")
        if not 0.005 <= self.temperature <= 5:
            raise SettingsError(f"temperature must lie between 0.005 and 5, got {self.temperature!r}")
        for name, least in (("fine_tokens", 1), ("fine_width", 0), ("fusion_heads", 1)):
            if getattr(self, name) < least:
                raise SettingsError(f"{name} must be at least {least}, got {getattr(self, name)!r}")
        if self.fusion and self.backbone.width % self.fusion_heads:
            raise SettingsError(f"width {self.backbone.width} is not divisible by {self.fusion_heads} fusion heads")
        for name in ("id_dropout", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 0 and below 1, got {getattr(self, name)!r}")


class ItemEncoder(nn.Module):
    """The two views of each item, projected, and fused with the item's own words.

    Args:
        coarse: view -> (N+1, d_c) vectors of the MLLM; fine: (N+1, L, d_f) token states; mask: (N+1, L).
    """

    fine: Tensor  # (N+1, L, d_f)
    mask: Tensor  # (N+1, L)

    def __init__(self, s: DMESRSettings, coarse: dict[str, Tensor], fine: Tensor, mask: Tensor):
        super().__init__()
        width = s.backbone.width
        self.views = s.views
        for view in s.views:
            self.register_buffer(f"coarse_{view}", standardise(coarse[view]), persistent=False)
        self.heads = nn.ModuleDict({v: ProjectionHead(coarse[v].shape[1], width, s.dropout) for v in s.views})
        self.fusion = None
        if s.fusion:
            mask = mask[:, : s.fine_tokens].bool()
            fine = token_components(fine[:, : s.fine_tokens].float(), mask, s.fine_width)
            self.register_buffer("fine", fine, persistent=False)
            self.register_buffer("mask", mask, persistent=False)
            self.fusion = CrossAttentionFusion(width, fine.shape[2], s.fusion_heads)

    def aligned(self, items: Tensor) -> Tensor:
        """(n,) -> (n, V, d)"""
        return torch.stack([self.heads[v](getattr(self, f"coarse_{v}")[items]) for v in self.views], dim=1)

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) -> aligned (n, V, d), fused (n, V, d)"""
        aligned = self.aligned(items)
        if self.fusion is None:
            return aligned, aligned
        return aligned, self.fusion(aligned, self.fine[items], self.mask[items])


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


class DMESR(Recommender):
    """The whole model; `known` as in `Recommender`."""

    temperature: Tensor  # ()

    def __init__(self, settings: DMESRSettings, features: Features, known: Tensor):
        s = settings
        backbone = make_backbone(s.backbone)
        super().__init__(TwoTowers(backbone) if s.injection == "two_towers" else backbone, s.backbone.max_len, known)
        self.settings = s
        width, views = s.backbone.width, len(s.views)
        coarse = {v: torch.as_tensor(getattr(features, f"coarse_{v}")) for v in s.views}
        self.encoder = ItemEncoder(s, coarse, torch.as_tensor(features.fine), torch.as_tensor(features.fine_mask))
        self.item_id = ItemID(width, self.known, s.id_dropout) if s.id_embedding else None
        parts = views + (s.injection == "concat" and s.id_embedding)
        self.projection = nn.Linear(parts * width, width) if s.injection == "concat" else nn.Linear(width, width)
        self.features_share = nn.Parameter(torch.ones(())) if s.unit else None  # their length beside that of the ID
        # Rounded in log space, as in all stored results: float32 of its own would differ in the last bit.
        self.register_buffer("temperature", torch.tensor(math.log(s.temperature)).exp(), persistent=False)
        self.stale = StaleVectors()

    @classmethod
    def build(cls, features: Features, split: Split, settings: DMESRSettings | None = None) -> DMESR:
        """An untrained model for the items of `split`, which `features` describe.

        Both must come from one catalogue: item k is row k of the features. Data that was loaded with another `k_core`
        numbers its items anew, and needs features of its own.

        Raises:
            DataError: features of another number of items than the split has.
        """
        if len(features.coarse_text) != split.n_items + 1:
            raise DataError(
                f"features of {len(features.coarse_text) - 1:,} items for a split of {split.n_items:,}: extract them "
                "from the catalogue that was loaded together with the log"
            )
        return cls(settings or DMESRSettings(), features, known_items(split))

    def train(self, mode: bool = True) -> DMESR:
        self.stale.clear()  # an evaluation, and each epoch, starts from vectors of the present weights
        return super().train(mode)

    def encode_items(self, items: Tensor) -> Encoded:
        aligned, fused = self.encode_views(items)  # (m, V, d), (n, V, d)
        table = self.inject(fused, items)
        s = self.settings
        if not s.align or s.alpha == 0 or len(s.views) < 2:
            return table, None
        return table, lambda: s.alpha * info_nce(aligned[:, 0], aligned[:, 1], self.temperature)

    def inject(self, fused: Tensor, items: Tensor) -> Tensor:
        """The item table (n, D) of fused views (n, V, d) and ID vectors."""
        if self.features_share is not None and self.item_id is not None:
            features = F.normalize(self.projection(fused[:, 0]), dim=1)
            table = F.normalize(self.features_share * features + self.item_id(items, unit=True), dim=1)
            return table * (items > 0)[:, None]
        own = None if self.item_id is None else self.item_id(items)
        scale = fused.shape[-1] ** -0.5  # as an ID table starts: entries of size 1/√d
        if self.settings.injection == "concat":
            parts = [*fused.unbind(1)] + ([] if own is None else [own / scale])
            table = self.projection(torch.cat(parts, dim=1)) * scale
        elif self.settings.injection == "sum":
            table = self.projection(fused[:, 0]) * scale
            table = table if own is None else table + own
        else:
            views = self.projection(fused) * scale  # (n, V, d)
            table = (views if own is None else views + own[:, None]).flatten(1)  # (n, 2d)
        return table * (items > 0)[:, None]

    def encode_views(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Aligned views of the items that are encoded (m, V, d), and fused views of all `items` (n, V, d).

        In training a step encodes only a random part of the items. The gradient of the encoder is a sum over items,
        so a random part, weighted by how many items there are for each of the part, estimates it without bias. The
        others keep the vectors of an earlier step; an epoch starts with fresh vectors of all. This keeps the cost of a
        step near that of an ID table.
        """
        m = self.settings.items_per_step
        if not self.training or m is None or len(items) <= m:
            aligned, fused = self._fuse(items)
            return aligned[items > 0], fused
        if self.stale.vectors is None:
            with torch.no_grad():
                every = torch.arange(self.n_items + 1, device=items.device)
                self.stale.vectors = torch.cat([self._fuse(part)[1] for part in every.split(4096)])
        rows = 1 + torch.randperm(len(items) - 1, device=items.device)[:m]  # row 0 is the padding
        aligned, fused = self._fuse(items[rows])
        self.stale.replace(items[rows], fused)
        weight = (len(items) - 1) / m
        fused = fused.detach() * (1 - weight) + fused * weight  # the same value, `weight` times the gradient
        known = self.stale.vectors[items]
        return aligned, known.index_copy(0, rows, fused.to(known.dtype))

    def _fuse(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Aligned views (n, V, d), fused views (n, V, d); of the latter their sum, (n, 1, d), if only that enters."""
        aligned, fused = self.encoder(items)
        return aligned, fused.sum(1, keepdim=True) if self.settings.injection == "sum" else fused
