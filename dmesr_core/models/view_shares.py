"""Which softmax of a mixture an item comes from: the share of each in the chance that the item has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from dmesr_core.data.sequences import pad
from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import Backbone
from dmesr_core.models.mixture import view_log_chances
from dmesr_core.models.scorers import EvaluationMode, ScoringModel, evaluated_table

_BATCH = 128


class MixtureModel(ScoringModel, Protocol):
    """What is needed of a recommender (`recommender.Recommender` has it)."""

    backbone: Backbone
    known: Tensor  # (N+1,) bool

    def item_bias(self, items: Tensor) -> Tensor | None:
        """(n,) -> (n,)"""


def view_shares(
    model: MixtureModel, histories: Sequence[np.ndarray], items: np.ndarray, table: Tensor | None = None
) -> np.ndarray:
    """The share of each softmax in the chance of items after histories.

    Args:
        histories: of C users: item numbers, oldest first.
        items: (C,) or (C, k) item numbers.
        table: the item table, if it was computed before.

    Returns:
        (C, K) or (C, k, K) float64, in the order of `MixtureOfViews`; the last axis sums to 1.

    Raises:
        SettingsError: a model with one softmax.
    """
    views = model.backbone.softmaxes
    if views < 2:
        raise SettingsError(f"{type(model).__name__} has one softmax: only a mixture has views that share a purchase")
    table = evaluated_table(model) if table is None else table
    wanted = torch.as_tensor(np.asarray(items), device=table.device).long()
    bias = model.item_bias(torch.arange(len(table), device=table.device))
    asked = wanted.reshape(len(wanted), 1 if wanted.dim() == 1 else wanted.shape[1])  # (C, k)
    out = [torch.zeros(0, asked.shape[1], views, device=table.device)]
    with EvaluationMode(cast(nn.Module, model)), torch.no_grad():
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]  # (B, k)
            read = [histories[row] for row in range(start, start + len(part))]
            padded = pad(read, model.max_len).to(table.device)  # (B, T)
            chances = view_log_chances(model.user(table, padded), table, views, model.known, bias)  # (K, B, N+1)
            out.append(chances.gather(2, part.expand(views, *part.shape)).softmax(0).movedim(0, -1))  # (B, k, K)
    return torch.cat(out).double().cpu().numpy().reshape(*wanted.shape, views)
