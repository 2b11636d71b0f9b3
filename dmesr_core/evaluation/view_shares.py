"""Which view of a mixture explains a purchase: the share of each in the chance that the item had."""

from __future__ import annotations

import numpy as np
import torch

from dmesr_core.data.sequences import Cases, pad
from dmesr_core.errors import SettingsError
from dmesr_core.models.mixture import view_log_chances
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.scorers import evaluated_table

_BATCH = 128


@torch.no_grad()
def view_shares(model: Recommender, cases: Cases) -> np.ndarray:
    """The share of each view in the chance of each case's target, (C, K) float64; rows sum to 1.

    Raises:
        SettingsError: a model with one softmax.
    """
    views = model.backbone.softmaxes
    if views < 2:
        raise SettingsError(f"{type(model).__name__} has one softmax: only a mixture has views that share a purchase")
    table = evaluated_table(model.eval())
    targets = torch.as_tensor(np.asarray(cases.targets), device=table.device)
    bias = model.item_bias(torch.arange(len(table), device=table.device))
    out = []
    for rows in torch.arange(len(targets), device=table.device).split(_BATCH):
        items = pad([cases.histories[row] for row in rows.tolist()], model.max_len).to(table.device)  # (B, T)
        chances = view_log_chances(model.user(table, items), table, views, model.known, bias)  # (K, B, N+1)
        out.append(chances.gather(2, targets[rows].expand(views, -1)[..., None]).squeeze(2).softmax(0).T)  # (B, K)
    return torch.cat(out).double().cpu().numpy()
