"""Optimisation: learning-rate schedule, parameter groups, and the running mean of the weights."""

from __future__ import annotations

import math

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dmesr_core.models.recommender import Recommender


def _accelerator(precision: str) -> Accelerator:
    """An accelerator of this precision, whatever the last one in this process had."""
    if is_initialized() and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # there is no public way, and accelerate refuses a second precision
    return Accelerator(mixed_precision=precision)


def _running_mean(model: Recommender, share: float) -> AveragedModel:
    """A copy of `model` whose weights follow its own: each update leaves it this share of what it was."""
    model.eval()
    with torch.no_grad():
        model.item_table()  # takes the place of what the model remembers of its last step, which cannot be copied
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(share))


def _rate(i: float, total: float, warmup: float) -> float:
    rise = max(1, int(warmup * total))
    if i < rise:
        return (i + 1) / rise
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (i - rise) / max(1, total - rise)))


def _parameter_groups(model: torch.nn.Module, decay: float) -> list[dict]:
    """Weight decay for matrices, ID vectors among them (what features explain, an ID need not); none for the rest."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]
