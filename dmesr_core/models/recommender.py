"""Recommenders: a backbone and an item table. Subclasses say where the table comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.models.backbones import Backbone, BackboneSettings, make_backbone
from dmesr_core.models.vectors import standardise

# Vectors of n items (n, D), and a function that computes what the model adds to the recommendation loss (or None).
# A function, so that evaluation does not pay for it, and so that it is computed after the recommendation loss.
Encoded = tuple[Tensor, Callable[[], Tensor | None] | None]


def known_items(split: Split) -> Tensor:
    """(N+1,) bool: items that occur in training."""
    return torch.as_tensor(np.asarray(split.train_counts) > 0)


class Recommender(nn.Module):
    """A backbone and an item table: subclasses implement `encode_items`.

    Args:
        known: (N+1,) bool, True for items that occur in training. Others have no ID vector and no bias (zeros):
            an untrained random vector would be noise.
    """

    known: Tensor  # (N+1,) bool

    def __init__(self, backbone: Backbone, max_len: int, known: Tensor):
        super().__init__()
        self.backbone, self.max_len = backbone, max_len
        known = known.bool().clone()
        known[0] = False  # padding
        self.register_buffer("known", known, persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(known))) if backbone.item_bias else None

    @property
    def n_items(self) -> int:
        """N, without the padding."""
        return len(self.known) - 1

    def encode_items(self, items: Tensor) -> Encoded:
        """The vectors of `items` (n,) and the auxiliary loss of this encoding; the vector of item 0 is zero."""
        raise NotImplementedError

    def item_table(self, items: Tensor | None = None) -> Tensor:
        """Vectors of `items` (n,), or of all: (N+1, D). Row 0, the padding, is zero."""
        if items is None:
            items = torch.arange(self.n_items + 1, device=self.known.device)
        return self.encode_items(items)[0]

    def item_bias(self, items: Tensor) -> Tensor | None:
        """(n,) what is added to the scores of `items`, whatever the history; None for nothing."""
        return None if self.bias is None else self.bias[items] * self.known[items]

    def user(self, table: Tensor, items: Tensor) -> Tensor:
        """User vectors: what the model expects after each history, (B, T) right-padded item numbers -> (B, D)."""
        length = (items > 0).sum(1)  # (B,)
        x, mask = F.embedding(items, table), items > 0
        rows = torch.arange(len(items), device=items.device)
        if self.backbone.objective == "cloze":
            x, mask = F.pad(x, (0, 0, 0, 1)), F.pad(mask, (0, 1))
            x[rows, length] = self.backbone.mask_vector().to(x.dtype)
            mask[rows, length] = True
            return self.backbone(x, mask)[rows, length]
        return self.backbone(x, mask)[rows, (length - 1).clamp(min=0)]

    def scores(self, user: Tensor, table: Tensor) -> Tensor:
        """(B, D), (N+1, D) -> (B, N+1)"""
        scores = user @ table.T
        return scores if self.bias is None else scores + self.bias * self.known


class IDRecommender(Recommender):
    """The plain sequential recommender: one learned vector per item, nothing else known about it.

    Args:
        unit: all vectors have length 1, so that an item is recommended for its direction alone. A model then cannot
            keep rare items small, which is what weight decay makes of them.
    """

    def __init__(self, settings: BackboneSettings, known: Tensor, unit: bool = False):
        super().__init__(make_backbone(settings), settings.max_len, known)
        self.unit = unit
        self.embedding = nn.Embedding(len(known), settings.width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.02 if unit else settings.width**-0.5)

    @classmethod
    def build(cls, split: Split, settings: BackboneSettings | None = None, *, unit: bool = False) -> IDRecommender:
        """An untrained model for the items of `split`."""
        return cls(settings or BackboneSettings(), known_items(split), unit)

    def encode_items(self, items: Tensor) -> Encoded:
        vectors = self.embedding(items)
        return (F.normalize(vectors, dim=1) if self.unit else vectors) * self.known[items][:, None], None


class ItemID(nn.Module):
    """A learned vector per item that training has seen; with dropout of whole vectors.

    Without that dropout the ID vectors explain the popular items alone and nothing useful is learned from
    what the items are: exactly what an item without an ID vector, a new one, needs.
    """

    known: Tensor  # (N+1,) float32

    def __init__(self, width: int, known: Tensor, dropout: float):
        super().__init__()
        self.embedding = nn.Embedding(len(known), width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.2 * width**-0.5)
        self.register_buffer("known", known.float(), persistent=False)
        self.dropout = dropout

    def forward(self, items: Tensor, unit: bool = False) -> Tensor:
        """(n,) -> (n, d); `unit`: of length 1, or 0 where there is none."""
        keep = self.known[items]
        if self.training and self.dropout:
            keep = keep * (torch.rand_like(keep) >= self.dropout)
        own = self.embedding(items)
        return (F.normalize(own, dim=1) if unit else own) * keep[:, None]


class FeatureRecommender(Recommender):
    """A plain way to use what is known about items: one linear map of given vectors, plus the ID vector.

    With the true facts of the Bazaar it is the *fact oracle*; with the MLLM's vectors, side by side, it is the
    "raw features" baseline.

    Args:
        vectors: (N+1, F); standardised per column unless they are zeros and ones.
    """

    vectors: Tensor  # (N+1, F)

    def __init__(self, settings: BackboneSettings, vectors: Tensor, known: Tensor, id_dropout: float = 0.1):
        super().__init__(make_backbone(settings), settings.max_len, known)
        vectors = torch.as_tensor(vectors, dtype=torch.float32)
        binary = bool(((vectors == 0) | (vectors == 1)).all())
        self.register_buffer("vectors", vectors if binary else standardise(vectors), persistent=False)
        self.projection = nn.Linear(vectors.shape[1], settings.width, bias=False)
        # Entries of the table should start at the size of an ID table, whatever the features' norm.
        nn.init.normal_(
            self.projection.weight, std=(settings.width * self.vectors[1:].square().sum(1).mean().item()) ** -0.5
        )
        self.item_id = ItemID(settings.width, self.known, id_dropout)

    def encode_items(self, items: Tensor) -> Encoded:
        table = self.projection(self.vectors[items]) + self.item_id(items)
        return table * (items > 0)[:, None], None
