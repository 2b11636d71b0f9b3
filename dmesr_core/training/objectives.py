"""Objectives: what a training step predicts (the next item, or BERT4Rec's masked ones), where, and its loss."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dmesr_core.models.recommender import Recommender
from dmesr_core.training.losses import binary_loss, gbce_beta, history_loss, mixture_loss, softmax_loss
from dmesr_core.training.settings import TrainSettings

# Cloze: how many copies of each history a step masks differently (few positions are predicted at a time; the authors'
# code repeats each history ten times), and the share of copies that are cut at a random position and mask only their
# last item. That is the question of the test, asked once per event instead of once per history.
MASK_COPIES = 4
LAST_SHARE = 0.8


def predictions(
    model: Recommender, table: Tensor, items: Tensor, generator: torch.Generator, hide: float
) -> tuple[Tensor, Tensor]:
    """Predictions and targets of a batch: hidden (P, D), targets (P,) rows of `table`.

    Args:
        items: (B, T) right-padded rows of `table`, 0 where padded.
        hide: share of positions masked: cloze predicts them; a causal backbone has to predict without them.
    """
    if model.backbone.objective == "next":
        inputs, targets = items[:, :-1], items[:, 1:]
        x = F.embedding(inputs, table)
        if hide:
            x = x * (torch.rand(inputs.shape, generator=generator) >= hide).to(x.device)[..., None]
        hidden = model.backbone(x, inputs > 0)
        real = targets > 0
        return hidden[real], targets[real]
    items = items.repeat(MASK_COPIES, 1)
    real = items > 0
    draw = torch.rand(items.shape, generator=generator).to(items.device)
    hidden_at = (draw < hide) & real
    # The other copies mask the last item of a prefix, as at inference; so do copies in which nothing was masked.
    length, n = real.sum(1), len(items)
    prefix = (torch.rand(n, generator=generator) < LAST_SHARE).to(items.device) | ~hidden_at.any(1)
    end = (torch.rand(n, generator=generator).to(items.device) * (length - 1)).long() + 1  # column of its last item
    end = torch.where(prefix, torch.minimum(end, length - 1), length - 1)[:, None]
    column = torch.arange(items.shape[1], device=items.device)
    hidden_at = torch.where(prefix[:, None], column == end, hidden_at)
    real = column <= end
    x = torch.where(hidden_at[..., None], model.backbone.mask_vector(), F.embedding(items, table))
    return model.backbone(x, real)[hidden_at], items[hidden_at]


class Step:
    """The loss of a step: the items that it needs, their vectors, recommendation loss and auxiliary loss."""

    def __init__(self, model: Recommender, counts: np.ndarray, settings: TrainSettings, device: torch.device):
        self.model, self.settings = model, settings
        # Items without a training event enter no loss.
        self.known = torch.as_tensor(np.flatnonzero(counts > 0), device=device)
        self.row_of = torch.zeros(len(counts), dtype=torch.long, device=device)
        self.beta = 1.0
        if settings.loss == "gbce":
            self.beta = gbce_beta(len(self.known), settings.negatives, settings.gbce_t)

    def __call__(self, items: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None, int]:
        """Items (B, T) -> mean loss, auxiliary loss or None, number of predicted positions."""
        model, s = self.model, self.settings
        if s.loss == "ce":
            needed = self.known
        else:
            # One row of negatives for all positions (sampled), or one for each position.
            positions = int((items > 0).sum()) * (MASK_COPIES if model.backbone.objective == "cloze" else 1)
            shape = (1 if s.loss == "sampled" else positions, s.negatives)
            drawn = self.known[torch.randint(len(self.known), shape, generator=generator).to(items.device)]
            needed = torch.cat([items[items > 0], drawn.flatten()]).unique()
        table, auxiliary = model.encode_items(F.pad(needed, (1, 0)))  # row 0: padding
        self.row_of[needed] = torch.arange(1, len(needed) + 1, device=needed.device)
        hide = s.mask_probability if model.backbone.objective == "cloze" else s.item_dropout
        hidden, targets = predictions(model, table, self.row_of[items], generator, hide)  # (P, D), (P,)
        bias = model.item_bias(needed)  # (n,), or None
        if s.loss in ("ce", "sampled"):
            if s.loss == "sampled":
                log_q = self._expected(items, needed).log()
                bias = -log_q if bias is None else bias - log_q
            views = model.backbone.softmaxes
            if views > 1:
                loss = mixture_loss(hidden, table[1:], targets - 1, views, bias)
            else:
                loss = softmax_loss(hidden, table[1:], targets - 1, bias)
        else:
            drawn_rows = self.row_of[drawn[: len(targets)]]  # (P, k)
            positive = (hidden * table[targets]).sum(1)
            negative = (F.embedding(drawn_rows, table) @ hidden[:, :, None]).squeeze(2)  # (P, k)
            if bias is not None:
                positive, negative = positive + bias[targets - 1], negative + bias[drawn_rows - 1]
            # With many negatives per positive the best constant score is far below zero. As a given constant it need
            # not be learned; otherwise all vectors become alike in the first steps, and stay so.
            best_constant = math.log(s.negatives / self.beta)
            positive, negative = positive - best_constant, negative - best_constant
            loss = binary_loss(positive, negative, self.beta)
        if s.history_loss_weight:
            rows = self.row_of[items]
            expected = hidden.new_zeros(*rows[:, 1:].shape, hidden.shape[1])  # (B, T, D)
            expected[rows[:, 1:] > 0] = hidden
            loss = loss + s.history_loss_weight * history_loss(expected, rows, table)
        return loss, None if auxiliary is None else auxiliary(), len(targets)

    def _expected(self, items: Tensor, needed: Tensor) -> Tensor:
        """Expected number of each of `needed` in this step's sample, (n,): the Q of logQ."""
        present, counts = items[items > 0].unique(return_counts=True)
        expected = torch.full((len(needed),), self.settings.negatives / len(self.known), device=items.device)
        expected[torch.searchsorted(needed, present)] += counts
        return expected
