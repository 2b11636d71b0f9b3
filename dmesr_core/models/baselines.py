"""Two text-only relatives of DMESR, re-implemented on our backbones: "LLM-ESR-like" and "LLMEmb-like".

They are *like* the published models, not those: each class says what is as published and what is ours. Both get the
same text vectors (the mean of the token states of an item's original words), the same backbone, loss and budget as
every other model here, so a table compares the ways in which knowledge enters and nothing else.

Sources: Liu et al., LLM-ESR: Large Language Models Enhancement for Long-tailed Sequential Recommendation (NeurIPS
2024); Liu et al., LLMEmb: Large Language Model Can Be a Good Embedding Generator for Sequential Recommendation (AAAI
2025).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn

from dmesr_core.data.sequences import Sequences, Split
from dmesr_core.features.item_features import Features
from dmesr_core.models.alignment import info_nce
from dmesr_core.models.backbones import Backbone, BackboneSettings, TwoTowers, make_backbone
from dmesr_core.models.id_recommender import grown
from dmesr_core.models.item_inputs import StandardisedVectors
from dmesr_core.models.recommender import Encoded, Recommender, known_items, matched, seeded
from dmesr_core.models.vectors import leading_eigenvectors, principal_components
from dmesr_core.setting_types import check_settings


class DualView(TwoTowers):
    """One backbone shared by two views that first look at each other, item by item of the history.

    With a backbone that predicts the next item, position t of one view sees positions up to t of the other; with a
    cloze backbone it sees all real positions. (A public implementation attends to the future here, and so learns
    from what it must predict.)
    """

    def __init__(self, backbone: Backbone, width: int, heads: int, dropout: float):
        super().__init__(backbone)
        self.attentions = nn.ModuleList(_CrossAttention(width, heads, dropout) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, 2d), (B, T) -> (B, T, 2d)"""
        views = x.chunk(2, dim=-1)
        normed = [norm(view) for norm, view in zip(self.norms, views, strict=True)]
        seen = None if self.objective == "next" else mask
        mixed = [
            view + attend(normed[i], normed[1 - i], seen)
            for i, (view, attend) in enumerate(zip(views, self.attentions, strict=True))
        ]
        return super().forward(torch.cat(mixed, dim=-1), mask)


class _CrossAttention(nn.Module):
    """Cross-attention of one view of a history onto the other."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key_value, self.out = (nn.Linear(width, n * width) for n in (1, 2, 1))

    def forward(self, x: Tensor, other: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, d), (B, T, d) -> (B, T, d); `mask` (B, T): positions to attend to; None: causal."""
        b, t, d = x.shape
        q = self.query(x).view(b, t, self.heads, -1).transpose(1, 2)  # (B, h, T, d/h)
        k, v = self.key_value(other).view(b, t, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(
            q, k, v, None if mask is None else mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0, is_causal=mask is None,
        )  # fmt: skip
        # Entries of an item table have size 1/√d: what is added to them should be no larger.
        return self.out(y.transpose(1, 2).reshape(b, t, d)) * d**-0.5


class LLMESR(Recommender):
    """LLM-ESR-like: a semantic and a collaborative view, one shared backbone, scores of both added.

    As published: a frozen text vector per item through a two-layer linear adapter (semantic view); a learned table
    that starts as the principal components of the text vectors (collaborative view); a cross-attention in each
    direction; one backbone for both; the two user vectors side by side against the two item vectors side by side.

    Ours: the text vectors (MiniLM instead of a bought embedding); attention that cannot see the future; a residual
    path around it; our backbones and loss. Left out: the distillation from users with similar histories.

    Args:
        text: (N+1, F) one vector of its words per item.
    """

    kind = "llm_esr"

    def __init__(self, settings: BackboneSettings, text: Tensor, known: Tensor):
        check_settings(settings, BackboneSettings)
        s = settings
        dual = DualView(make_backbone(s), s.width, s.heads, s.dropout)
        super().__init__(dual, s.max_len, known)
        self.settings = s
        self.text = StandardisedVectors(text.shape[1])
        self.text.learn(text)
        self.adapter = _adapter(text.shape[1], s.width)
        self.collaborative = nn.Embedding(len(known), s.width, padding_idx=0)
        if len(text) > 1:
            with torch.no_grad():
                self.collaborative.weight.copy_(principal_components(self.text.rows, s.width) * s.width**-0.5)

    @classmethod
    def build(
        cls, features: Features, split: Split, settings: BackboneSettings | None = None, *, seed: int = 0
    ) -> LLMESR:
        """An untrained model for the items of `split`; arguments and errors as `DMESR.build`."""
        features = matched(features, split)
        with seeded(seed):
            model = cls(settings or BackboneSettings(), torch.as_tensor(features.sentence), known_items(split))
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def encode_items(self, items: Tensor) -> Encoded:
        """(n,) -> (n, 2d): the semantic view, then the collaborative one."""
        semantic = self.adapter(self.text(items))
        own = self.collaborative(items) * self.known[items][:, None]
        return torch.cat([semantic, own], dim=1) * (items > 0)[:, None], None

    def append_items(self, features: Features) -> None:
        self.text.append(torch.as_tensor(features.sentence)[1:])

    def grow(self, n: int) -> None:
        super().grow(n)
        self.collaborative = grown(self.collaborative, n)

    def config(self) -> dict[str, Any]:
        return {"settings": asdict(self.settings), "width": len(self.text.mean)}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        return cls(BackboneSettings(**config["settings"]), torch.zeros(1, config["width"]), known)


class LLMEmb(Recommender):
    """LLMEmb-like: the item table is made from text vectors alone; an auxiliary loss adds collaborative knowledge.

    As published: text vectors reduced by principal components, a two-layer adapter, no ID vectors in the scores, and
    an alignment (InfoNCE) of the adapted vectors with collaborative ones. Items that nobody has bought yet are scored
    like all others.

    Ours: the paper first fine-tunes an LLM by contrast between texts of the same item with parts left out; here the
    text encoder stays as it is. The paper aligns with the ID vectors of a trained recommender; we take a factorisation
    of which items occur close to each other (`ppmi_embeddings`), which needs no second training. Between the layers of
    the adapter stands a GELU, which helps on the Bazaar's validation cases: the vectors have no ID beside them.

    Args:
        text: (N+1, F) one vector of its words per item.
        collaborative: (N+1, d) what the alignment aims at; items with a row of zeros take no part in it.
        alpha: weight of the alignment; temperature: of its InfoNCE; align_items: items that a step compares.
        components: at most so many principal components of the text vectors are kept. This and `alpha` were chosen on
            the Bazaar's validation cases.
    """

    kind = "llm_emb"
    target: Tensor  # (N+1, d)

    def __init__(
        self,
        settings: BackboneSettings,
        text: Tensor,
        collaborative: Tensor,
        known: Tensor,
        alpha: float = 0.2,
        temperature: float = 0.2,
        align_items: int = 256,
        components: int = 384,
    ):
        check_settings(settings, BackboneSettings)
        super().__init__(make_backbone(settings), settings.max_len, known)
        self.settings, self.alpha, self.temperature, self.align_items = settings, alpha, temperature, align_items
        self.components = min(components, text.shape[1])
        self.text = StandardisedVectors(text.shape[1], self.components)
        self.text.learn(text)
        self.register_buffer("target", collaborative.float(), persistent=False)
        self.adapter = _adapter(self.components, settings.width, activation=True)

    @classmethod
    def build(
        cls, features: Features, split: Split, settings: BackboneSettings | None = None, *, seed: int = 0,
        **options: Any,
    ) -> LLMEmb:  # fmt: skip
        """An untrained model for the items of `split`; arguments and errors as `DMESR.build`, `options` as above."""
        features, settings = matched(features, split), settings or BackboneSettings()
        collaborative = ppmi_embeddings(split.train, split.n_items, settings.width)
        text = torch.as_tensor(features.sentence)
        with seeded(seed):
            model = cls(settings, text, collaborative, known_items(split), **options)
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def encode_items(self, items: Tensor) -> Encoded:
        table = self.adapter(self.text(items)) * (items > 0)[:, None]
        return table, (lambda: self._alignment(table, items)) if self.alpha else None

    def _alignment(self, table: Tensor, items: Tensor) -> Tensor | None:
        """Weighted InfoNCE between encoded items (n, d) and their collaborative vectors; a sample of them in training.

        None where fewer than two of `items` have a collaborative vector.
        """
        target = self.target[items]
        has = target.any(1).nonzero()[:, 0]
        if self.training and len(has) > self.align_items:
            has = has[torch.randperm(len(has), device=has.device)[: self.align_items]]
        if len(has) < 2:
            return None
        return self.alpha * info_nce(table[has], target[has], self.temperature)

    def append_items(self, features: Features) -> None:
        self.text.append(torch.as_tensor(features.sentence)[1:])

    def grow(self, n: int) -> None:
        super().grow(n)
        self.target = F.pad(self.target, (0, 0, 0, n))

    def config(self) -> dict[str, Any]:
        names = ("alpha", "temperature", "align_items", "components")
        options = {name: getattr(self, name) for name in names}
        return {"settings": asdict(self.settings), "width": len(self.text.mean), "options": options}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        settings = BackboneSettings(**config["settings"])
        blank = torch.zeros(1, config["width"]), torch.zeros(1, settings.width)
        return cls(settings, *blank, known, **config["options"])


def ppmi_embeddings(train: Sequences, n_items: int, width: int, window: int = 5) -> Tensor:
    """Collaborative vectors (N+1, width) of the items, from which items occur close to each other in training.

    Positive pointwise mutual information of the counts of pairs at most `window` apart, factorised: the matrix that
    word embeddings factorise implicitly (Levy and Goldberg, Neural Word Embedding as Implicit Matrix Factorization,
    2014). Memory grows with the number of pairs, not with the square of N. Items without a pair have a row of zeros.
    """
    counts = cooccurrences(train, n_items, window)
    values, vectors = leading_eigenvectors(ppmi(counts), min(width, n_items))
    out = torch.zeros(n_items + 1, width)
    out[:, : len(values)] = vectors * values.clamp(min=0).sqrt()
    out[torch.from_numpy(np.diff(counts.indptr) == 0)] = 0
    return out


def cooccurrences(train: Sequences, n_items: int, window: int) -> sparse.csr_matrix:
    """(N+1, N+1) symmetric: how often two items stand at most `window` places apart in a training sequence."""
    sequence = np.repeat(np.arange(len(train)), train.lengths)
    counts = sparse.csr_matrix((n_items + 1, n_items + 1), dtype=np.float64)
    for gap in range(1, window + 1):
        same = sequence[gap:] == sequence[:-gap]
        pairs = train.items[:-gap][same], train.items[gap:][same]
        counts += sparse.coo_matrix((np.ones(len(pairs[0])), pairs), counts.shape).tocsr()
    return counts + counts.T


def ppmi(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Positive pointwise mutual information of symmetric counts: log(n_ij n / n_i n_j) where it is positive, else 0."""
    pairs = counts.tocoo()
    by_item = np.asarray(counts.sum(1)).ravel()
    information = np.log(pairs.data * by_item.sum() / (by_item[pairs.row] * by_item[pairs.col]))
    out = sparse.csr_matrix((information.clip(min=0), (pairs.row, pairs.col)), counts.shape)
    out.eliminate_zeros()
    return out


def _adapter(inputs: int, width: int, activation: bool = False) -> nn.Sequential:
    """Two linear layers, with a GELU between them if `activation`; entries have the size of an ID table's."""
    first, second = nn.Linear(inputs, inputs // 2 + 1), nn.Linear(inputs // 2 + 1, width)
    nn.init.normal_(first.weight, std=inputs**-0.5)
    nn.init.normal_(second.weight, std=(second.in_features * width) ** -0.5)
    for layer in (first, second):
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.GELU(), second) if activation else nn.Sequential(first, second)
