"""DMESR: item vectors made from two aligned, fused views, feeding any sequential backbone.

    picture ─ MLLM ─ coarse_p ─ head_p ─┐ InfoNCE ┌─ aligned_p ─┐ queries
    words   ─ MLLM ─ coarse_t ─ head_t ─┘         └─ aligned_t ─┤
    words   ─ text encoder ── fine (L, d_f) ──────── keys/values ┘→ fused_p, fused_t → item table → backbone

The paper fixes the parts (alignment by contrast, fusion by cross-attention, two fused representations that enter
an ordinary recommender). How they enter it, and all sizes, are our choices, tested by ablation.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.errors import SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.models.alignment import ProjectionHead, info_nce
from dmesr_core.models.backbones import BackboneSettings, TwoTowers, make_backbone
from dmesr_core.models.fusion import CrossAttentionFusion
from dmesr_core.models.id_recommender import ItemID
from dmesr_core.models.item_inputs import StandardisedVectors, TokenStates
from dmesr_core.models.recommender import Encoded, Recommender, known_items, matched, seeded
from dmesr_core.setting_types import check_settings, check_types

VIEWS = ("picture", "text")
INJECTIONS = ("sum", "concat", "two_towers")


@dataclass(frozen=True)
class DMESRSettings:
    """Which parts of DMESR are on, and their sizes.

    Args:
        backbone: what reads the histories; its width d is that of all vectors.
        views: which views exist, of "picture" and "text".
        align: the contrastive loss between the two views.
        alpha: weight of the alignment loss: loss = recommendation + alpha · alignment.
        items_per_step: items that a step encodes anew, and aligns with each other; None: all.
        temperature: of InfoNCE.
        fusion: cross-attention onto the original words.
        fine_tokens: tokens of the original text that the fusion attends to.
        fine_width: width of the token states, after principal component analysis (0: unchanged).
        fusion_heads: heads of the cross-attention; they divide d.
        injection: how the fused views enter the backbone: "sum", "concat" or "two_towers".
        id_embedding: add a learned vector per item.
        id_dropout: probability that a step drops an item's ID vector.
        unit: features, ID vector and their sum all have length 1 (injection "sum" only).
        dropout: inside the projection heads.

    Raises:
        SettingsError: names the setting and the values it may have.

    Example:
        >>> from dmesr_core import BackboneSettings, DMESRSettings
        >>> settings = DMESRSettings(BackboneSettings("bert4rec", width=32), alpha=0.1)
        >>> settings.views, settings.backbone.name
        (('picture', 'text'), 'bert4rec')
    """

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    views: tuple[str, ...] = VIEWS
    align: bool = True
    alpha: float = 0.05
    items_per_step: int | None = 128
    temperature: float = 0.2
    fusion: bool = True
    fine_tokens: int = 24
    fine_width: int = 96
    fusion_heads: int = 2
    injection: str = "sum"
    id_embedding: bool = True
    id_dropout: float = 0.1
    unit: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
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


class DMESR(Recommender):
    """The whole model: item vectors from pictures and words, aligned and fused, in front of any backbone.

    `DMESR.build` is the usual way to make one: it matches features and split by the ids of their items.

    Args:
        settings: which parts are on, and their sizes.
        features: of N items, see `Features`.
        known: (N+1,) bool, see `Recommender`.

    Example:
        >>> import numpy as np
        >>> from dmesr_core import DMESR, Features, Interactions, TrainSettings, fit
        >>> rng, n = np.random.default_rng(0), 4
        >>> picture, text = rng.normal(size=(2, n + 1, 6)).astype("float32")  # (N+1, d_c); row 0 is padding
        >>> fine, mask = rng.normal(size=(n + 1, 3, 8)).astype("float16"), np.ones((n + 1, 3), bool)
        >>> features = Features(picture, text, fine, mask, [""] * 5, [""] * 5, [[]] * 5, {})
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), n).leave_one_out()
        >>> model = DMESR.build(features, split)
        >>> report = fit(model, split, TrainSettings(epochs=2), progress=False)
        >>> list(model.recommend(["1", "2"], k=2).columns)
        ['user', 'item', 'title', 'score']
    """

    kind = "dmesr"
    temperature: Tensor  # ()

    def __init__(self, settings: DMESRSettings, features: Features, known: Tensor):
        check_settings(settings, DMESRSettings)
        s = settings
        backbone = make_backbone(s.backbone)
        super().__init__(TwoTowers(backbone) if s.injection == "two_towers" else backbone, s.backbone.max_len, known)
        self.settings = s
        width, views = s.backbone.width, len(s.views)
        self.encoder = ItemEncoder(s, features)
        self.feature_widths = features.coarse_text.shape[1], features.fine.shape[2]  # d_c, d_f
        self.item_id = ItemID(width, self.known, s.id_dropout) if s.id_embedding else None
        parts = views + (s.injection == "concat" and s.id_embedding)
        self.projection = nn.Linear(parts * width, width) if s.injection == "concat" else nn.Linear(width, width)
        self.features_share = nn.Parameter(torch.ones(())) if s.unit else None  # their length beside that of the ID
        # Rounded in log space, as in all stored results: float32 of its own would differ in the last bit.
        self.register_buffer("temperature", torch.tensor(math.log(s.temperature)).exp(), persistent=False)
        self.stale = StaleVectors()

    @classmethod
    def build(
        cls, features: Features, split: Split, settings: DMESRSettings | None = None, *, seed: int = 0
    ) -> DMESR:
        """An untrained model for the items of `split`; `seed` decides its first weights.

        Features are matched to the items of the split by id, whatever the order or the rest of their catalogue.

        Args:
            features: as `extract_features` makes them; of at least the items of the split.
            split: of the log that was loaded with their catalogue.
            settings: None: the defaults.
            seed: a whole number from 0 on.

        Raises:
            SettingsError: something else than features, a split, settings or a seed.
            DataError: an item of the split without features, or features that are not finite; names the item.

        Example:
            >>> import numpy as np
            >>> from dmesr_core import DMESR, Features, Interactions
            >>> n = 3  # items
            >>> rows = n + 1  # row 0 of all features is padding
            >>> coarse, fine = np.random.rand(2, rows, 6), np.random.rand(rows, 3, 8)
            >>> mask, words = np.ones((rows, 3), bool), [""] * rows
            >>> features = Features(*coarse, fine, mask, words, words, [[]] * rows, {})
            >>> split = Interactions.from_columns("aaabbb", [1, 2, 3] * 2, range(6), n).leave_one_out()
            >>> DMESR.build(features, split, seed=1)
            <DMESR with SASRec: 3 items, ... weights>
        """
        features = matched(features, split)
        with seeded(seed):
            model = cls(DMESRSettings() if settings is None else settings, features, known_items(split))
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def append_items(self, features: Features) -> None:
        self.encoder.append(features)
        self.stale.clear()

    def grow(self, n: int) -> None:
        super().grow(n)
        if self.item_id is not None:
            self.item_id.grow(n)

    def config(self) -> dict[str, Any]:
        return {"settings": asdict(self.settings), "feature_widths": list(self.feature_widths)}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        settings = dict(config["settings"])
        settings["backbone"], settings["views"] = BackboneSettings(**settings["backbone"]), tuple(settings["views"])
        return cls(DMESRSettings(**settings), Features.empty(*config["feature_widths"]), known)

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
