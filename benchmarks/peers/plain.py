"""The classic recipe for SASRec, written plainly: what a reader's own first version would be.

Every history is padded to the full length, each position predicts the next item against one negative drawn uniformly,
and the loss is binary cross-entropy (Kang & McAuley, Self-Attentive Sequential Recommendation, ICDM 2018). The
original redraws negatives that the user has seen; with thousands of items that changes nothing but the time.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import common


class Block(nn.Module):
    """Attend to the past, then a point-wise layer; both with a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(width, width), nn.Dropout(dropout), nn.ReLU(), nn.Linear(width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, causal: Tensor) -> Tensor:
        q = self.norm1(x)
        x = q + self.attention(q, x, x, attn_mask=causal, is_causal=True, need_weights=False)[0]
        y = self.norm2(x)
        return y + self.feed(y)


class PlainSASRec(nn.Module):
    """Histories (B, T), left-padded with 0, to what is expected after each position (B, T, d)."""

    causal: Tensor

    def __init__(self, n_items: int, max_len: int, width: int, layers: int, heads: int, dropout: float):
        super().__init__()
        self.item = nn.Embedding(n_items + 1, width, padding_idx=0)
        self.position = nn.Embedding(max_len, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(max_len), persistent=False)
        for table in (self.item, self.position):
            nn.init.xavier_normal_(table.weight)
        with torch.no_grad():
            self.item.weight[0] = 0

    def forward(self, items: Tensor) -> Tensor:
        real = (items > 0)[..., None]
        x = self.item(items) * self.item.embedding_dim**0.5 + self.position.weight
        x = self.dropout(x) * real
        for block in self.blocks:
            x = block(x, self.causal) * real
        return self.norm(x)


def bce(model: PlainSASRec, items: Tensor, negatives: Tensor) -> Tensor:
    """Loss of a batch: items (B, T + 1) left-padded, negatives (B, T) one for each position."""
    hidden, wanted = model(items[:, :-1]), items[:, 1:]
    real = wanted > 0
    positive = (hidden * model.item(wanted)).sum(-1)[real]
    negative = (hidden * model.item(negatives)).sum(-1)[real]
    ones, zeros = torch.ones_like(positive), torch.zeros_like(negative)
    return F.binary_cross_entropy_with_logits(positive, ones) + F.binary_cross_entropy_with_logits(negative, zeros)


class Plain(common.Peer):
    package, loss = "plain", "sampled BCE, one negative"

    def __init__(self, settings: common.RunSettings, data: common.Data):
        if settings.model != "sasrec":
            raise ValueError(f"the plain recipe is SASRec's, not {settings.model}'s")
        s = self.settings = settings
        self.n_items = data.n_items
        self.items = torch.from_numpy(common.pad_left(data.train, s.max_len + 1))
        self.items = self.items[(self.items > 0).sum(1) > 1]  # a history of one item predicts nothing
        self.rows_per_epoch = len(self.items)
        self.columns = np.arange(-1, data.n_items)
        self.module = PlainSASRec(data.n_items, s.max_len, s.width, s.layers, s.heads, s.dropout)
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=s.learning_rate, betas=(0.9, 0.98))

    def train(self, clock: common.Clock, watch: common.Watch) -> None:
        self.module.train()
        rng = np.random.default_rng(self.settings.seed)
        clock.start()
        while True:
            for rows in common.batches(len(self.items), self.settings.batch_size, rng):
                items = self.items[rows]
                negatives = torch.randint(1, self.n_items + 1, (len(rows), items.shape[1] - 1))
                loss = bce(self.module, items, negatives)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                if clock.step(len(rows), int((items[:, 1:] > 0).sum())):
                    return
            if watch.epoch(self):
                return

    def score(self, histories: list[np.ndarray]) -> Tensor:
        items = torch.from_numpy(common.pad_left(histories, self.settings.max_len))
        return self.module(items)[:, -1] @ self.module.item.weight[1:].T


if __name__ == "__main__":
    common.main(Plain)
