"""Optimisation: the optimiser, its parameter groups, and the learning-rate schedule."""

from __future__ import annotations

import math

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized

from dmesr_core.training.settings import TrainSettings


def make_optimizer(model: torch.nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW over the parameter groups of `model`."""
    # Plain floats: a checkpoint that holds numpy's could not be loaded with `weights_only`.
    groups = parameter_groups(model, float(settings.weight_decay))
    return torch.optim.AdamW(groups, lr=float(settings.learning_rate), betas=(0.9, 0.98), fused=True)


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay for matrices, ID vectors included (what features explain, an ID need not); none for the rest."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def warmup_cosine(step: float, total: float, warmup: float) -> float:
    """Factor of the learning rate at `step` of `total`: linear warm-up from above 0, then cosine decay to 0.1."""
    rise = max(1, int(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def make_accelerator(precision: str) -> Accelerator:
    """An accelerator of this precision, even if an earlier one in this process had another."""
    if is_initialized() and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # there is no public way, and accelerate refuses a second precision
    return Accelerator(mixed_precision=precision)
