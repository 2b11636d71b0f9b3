"""Recommenders by ID: one learned vector per item, and nothing else known about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split, check_split
from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BackboneSettings, make_backbone
from dmesr_core.models.mixture import mixed
from dmesr_core.models.recommender import Encoded, Recommender, known_items, seeded
from dmesr_core.setting_types import check_settings


class IDRecommender(Recommender):
    """The plain sequential recommender: one learned vector per item, nothing else known about it.

    Items that training has not seen are never recommended, and a history is read without them.

    Args:
        settings: of the backbone.
        known: (N+1,) bool, see `Recommender`.
        unit: all vectors have length 1, so that an item is recommended for its direction alone. A model then cannot
            keep rare items small, which is what weight decay makes of them.
        softmaxes: more than 1: a mixture of so many, see `MixtureOfViews`; all of them see the same item vectors.

    Example:
        >>> from dmesr_core import BackboneSettings, IDRecommender, Interactions, TrainSettings, fit
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> model = IDRecommender.build(split, BackboneSettings(width=8))
        >>> report = fit(model, split, TrainSettings(epochs=2), progress=False)
        >>> model.item_table().shape  # (N+1, d)
        torch.Size([5, 8])
    """

    kind = "id"

    def __init__(self, settings: BackboneSettings, known: Tensor, unit: bool = False, softmaxes: int = 1):
        check_settings(settings, BackboneSettings)
        super().__init__(mixed(make_backbone(settings), settings.width, softmaxes), settings.max_len, known)
        self.settings, self.unit = settings, unit
        self.embedding = nn.Embedding(len(known), settings.width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.02 if unit else settings.width**-0.5)

    @classmethod
    def build(
        cls, split: Split, settings: BackboneSettings | None = None, *, unit: bool = False, softmaxes: int = 1,
        seed: int = 0,
    ) -> IDRecommender:  # fmt: skip
        """An untrained model for the items of `split`; `seed` decides its first weights.

        Args:
            split: says which items there are, and which of them training has seen.
            settings: of the backbone; None: the defaults.
            unit: all vectors have length 1.
            softmaxes: more than 1: a mixture of so many.
            seed: a whole number from 0 on.

        Raises:
            SettingsError: something else than a split, settings of a backbone or a seed.

        Example:
            >>> from dmesr_core import BackboneSettings, IDRecommender, Interactions
            >>> split = Interactions.from_columns("aaabbb", [1, 2, 3] * 2, range(6), 3).leave_one_out()
            >>> IDRecommender.build(split, BackboneSettings("gru4rec", width=8), seed=1)
            <IDRecommender with GRU4Rec: 3 items, ... weights>
        """
        check_split(split)
        with seeded(seed):
            model = cls(BackboneSettings() if settings is None else settings, known_items(split), unit, softmaxes)
        model.item_names = split.item_names
        return model

    def encode_items(self, items: Tensor) -> Encoded:
        vectors = self.embedding(items)
        vectors = (F.normalize(vectors, dim=1) if self.unit else vectors) * self.known[items][:, None]
        return vectors.repeat(1, self.backbone.softmaxes), None

    def recommendable(self) -> np.ndarray:
        return self.known.cpu().numpy()

    def config(self) -> dict[str, Any]:
        return {"settings": asdict(self.settings), "unit": self.unit, "softmaxes": self.backbone.softmaxes}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        return cls(BackboneSettings(**config["settings"]), known, config["unit"], config.get("softmaxes", 1))


class ItemID(nn.Module):
    """A learned vector per item that training has seen; with dropout of whole vectors.

    Without that dropout the ID vectors explain the popular items alone and nothing useful is learned from
    what the items are: exactly what an item without an ID vector, a new one, needs.

    Args:
        known: (N+1,) bool, see `Recommender`.
        dropout: probability that a step drops an item's vector.
        share: what counts of a vector outside of training. Most of what is learned of an item with few purchases is
            learned by heart.
    """

    known: Tensor  # (N+1,) float32

    def __init__(self, width: int, known: Tensor, dropout: float, share: float = 1.0):
        super().__init__()
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            raise SettingsError(f"id_dropout must be at least 0 and below 1, got {dropout!r}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise SettingsError(f"id_share must be above 0 and at most 1, got {share!r}")
        self.embedding = nn.Embedding(len(known), width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.2 * width**-0.5)
        self.register_buffer("known", known.float(), persistent=False)
        self.dropout, self.share = dropout, share

    def forward(self, items: Tensor, unit: bool = False) -> Tensor:
        """(n,) -> (n, d); `unit`: of length 1, or 0 where there is none."""
        keep = self.known[items]
        if self.training and self.dropout:
            keep = keep * (torch.rand_like(keep) >= self.dropout)
        elif not self.training and self.share < 1:
            keep = keep * self.share
        own = self.embedding(items)
        return (F.normalize(own, dim=1) if unit else own) * keep[:, None]

    def grow(self, n: int) -> None:
        """No vectors for `n` more items: training has not seen them."""
        self.embedding, self.known = grown(self.embedding, n), F.pad(self.known, (0, n))


def grown(embedding: nn.Embedding, n: int) -> nn.Embedding:
    """An embedding with `n` more rows, of zeros."""
    return nn.Embedding.from_pretrained(F.pad(embedding.weight.detach(), (0, 0, 0, n)), freeze=False, padding_idx=0)
