"""DMESR: item vectors made from two aligned, fused views, feeding any sequential backbone.

    picture ─ MLLM ─ coarse_p ─ head_p ─┐ InfoNCE ┌─ aligned_p ─┐ queries
    words   ─ MLLM ─ coarse_t ─ head_t ─┘         └─ aligned_t ─┤
    words   ─ text encoder ── fine (L, d_f) ──────── keys/values ┘→ fused_p, fused_t → item table → backbone

The paper fixes the parts (alignment by contrast, fusion by cross-attention, two fused representations that enter
an ordinary recommender). How they enter it, and all sizes, are our choices, tested by ablation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.features.item_features import Features
from dmesr_core.models.alignment import info_nce
from dmesr_core.models.backbones import BackboneSettings, TwoTowers, make_backbone
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings
from dmesr_core.models.id_recommender import ItemID
from dmesr_core.models.item_encoder import ItemEncoder, StaleVectors
from dmesr_core.models.mixture import mixed
from dmesr_core.models.recommender import Encoded, Recommender, known_items, matched, seeded
from dmesr_core.models.words import ItemWords
from dmesr_core.setting_types import check_settings


class DMESR(Recommender):
    """The whole model: item vectors from pictures and words, aligned and fused, in front of any backbone.

    `DMESR.build` is the usual way to make one: it matches features and split by the ids of their items.

    Args:
        settings: which parts are on, and their sizes.
        features: of N items, see `Features`.
        known: (N+1,) bool, see `Recommender`.
        vocabulary: view -> its learned words; None: as the features have them.

    Example:
        >>> import numpy as np
        >>> from dmesr_core import DMESR, Features, Interactions, TrainSettings, fit
        >>> rng, n = np.random.default_rng(0), 4
        >>> picture, text = rng.normal(size=(2, n + 1, 6)).astype("float32")  # (N+1, d_c); row 0 is padding
        >>> fine, mask = rng.normal(size=(n + 1, 3, 8)).astype("float16"), np.ones((n + 1, 3), bool)
        >>> features = Features(picture, text, fine, mask, [""] * 5, [""] * 5, [[]] * 5, {}, texts=["a cup"] * 5)
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), n).leave_one_out()
        >>> model = DMESR.build(features, split)
        >>> report = fit(model, split, TrainSettings(epochs=2), progress=False)
        >>> list(model.recommend(["1", "2"], k=2).columns)
        ['user', 'item', 'title', 'score']
    """

    kind = "dmesr"
    temperature: Tensor  # ()

    def __init__(
        self, settings: DMESRSettings, features: Features, known: Tensor,
        vocabulary: dict[str, Sequence[str]] | None = None,
    ):  # fmt: skip
        check_settings(settings, DMESRSettings)
        s = settings
        width, views = s.backbone.width, len(s.views)
        backbone = make_backbone(s.backbone)
        backbone = TwoTowers(backbone) if s.injection == "two_towers" else mixed(backbone, width, s.softmaxes)
        super().__init__(backbone, s.backbone.max_len, known)
        self.settings = s
        self.encoder = ItemEncoder(s, features)
        self.feature_widths = features.coarse_text.shape[1], features.fine.shape[2]  # d_c, d_f
        self.words = ItemWords(width, s.views, features, vocabulary) if s.words else None
        self.item_id = ItemID(width, self.known, s.id_dropout, s.id_share) if s.id_embedding else None
        parts = views + (s.injection == "concat" and s.id_embedding)
        self.projection = nn.Linear(parts * width, width) if s.injection == "concat" else nn.Linear(width, width)
        self.features_share = nn.Parameter(torch.ones(())) if s.unit else None  # their length beside that of the ID
        self.fused_share = nn.Parameter(torch.tensor(0.3)) if s.words else None
        # Rounded in log space, as in all stored results: float32 of its own would differ in the last bit.
        self.register_buffer("temperature", torch.tensor(math.log(s.temperature)).exp(), persistent=False)
        self.stale = StaleVectors()

    @classmethod
    def build(cls, features: Features, split: Split, settings: DMESRSettings | None = None, *, seed: int = 0) -> DMESR:
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
            >>> features = Features(*coarse, fine, mask, words, words, [[]] * rows, {}, texts=words)
            >>> split = Interactions.from_columns("aaabbb", [1, 2, 3] * 2, range(6), n).leave_one_out()
            >>> DMESR.build(features, split, seed=1)
            <DMESR with SASRec: 3 items, ... weights>
        """
        features = matched(features, split)
        with seeded(seed):
            model = cls(DMESRSettings() if settings is None else settings, features, known_items(split))
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def softmax_names(self) -> tuple[str, ...]:
        return ("whole item", *self.settings.views) if self.settings.softmaxes > 1 else ()

    def append_items(self, features: Features) -> None:
        self.encoder.append(features)
        if self.words is not None:
            self.words.append(features)
        self.stale.clear()

    def grow(self, n: int) -> None:
        super().grow(n)
        if self.item_id is not None:
            self.item_id.grow(n)

    def config(self) -> dict[str, Any]:
        config = {"settings": asdict(self.settings), "feature_widths": list(self.feature_widths)}
        return config if self.words is None else config | {"vocabulary": self.words.vocabulary}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        settings = PLAIN | config["settings"]  # a folder of before there were words lacks some
        settings["backbone"], settings["views"] = BackboneSettings(**settings["backbone"]), tuple(settings["views"])
        features = Features.empty(*config["feature_widths"])
        return cls(DMESRSettings(**settings), features, known, config.get("vocabulary"))

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
        """The item table (n, D) of fused views (n, V, d), words and ID vectors."""
        if self.features_share is not None and self.item_id is not None:
            features = F.normalize(self.projection(fused[:, 0]), dim=1)
            table = F.normalize(self.features_share * features + self.item_id(items, unit=True), dim=1)
            return table * (items > 0)[:, None]
        scale = fused.shape[-1] ** -0.5  # as an ID table starts: entries of size 1/√d
        own = None if self.item_id is None else self.item_id(items)  # (n, d)
        if self.settings.injection == "concat":
            parts = [*fused.unbind(1)] + ([] if own is None else [own / scale])
            return self.projection(torch.cat(parts, dim=1)) * scale * (items > 0)[:, None]
        views = self.projection(fused) * scale  # (n, V, d); for "sum" the two are one, (n, 1, d)
        if self.words is not None:
            words = self.words(items)  # (n, V, d)
            views = self.fused_share * views + (words.sum(1, True) if self.settings.injection == "sum" else words)
        table = views if own is None else views + own[:, None]
        if self.settings.injection == "mixture":
            whole = views.sum(1) if own is None else views.sum(1) + own
            table = torch.cat([whole[:, None], views], dim=1)  # (n, 1 + V, d)
        return table.flatten(1) * (items > 0)[:, None]

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
