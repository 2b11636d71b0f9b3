"""Optimisation: the schedule and the parameter groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from dmesr_core.training.optim import make_optimizer, parameter_groups, warmup_cosine
from dmesr_core.training.settings import TrainSettings


def test_the_learning_rate_rises_linearly_then_falls_to_a_tenth():
    rates = [warmup_cosine(step, 100, 0.1) for step in range(101)]
    assert rates[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert max(rates) == 1.0 and rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert warmup_cosine(0, 100, 0.0) == 1.0  # without warm-up the first step has the full rate


def test_matrices_decay_and_nothing_else_does():
    model = torch.nn.Sequential(torch.nn.Embedding(3, 4), torch.nn.Linear(4, 2), torch.nn.LayerNorm(2))
    decayed, rest = parameter_groups(model, 0.5)
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.5, 0.0)
    assert [p.shape for p in decayed["params"]] == [(3, 4), (2, 4)]
    assert all(p.ndim == 1 for p in rest["params"]) and len(rest["params"]) == 3
    optimizer = make_optimizer(model, TrainSettings(weight_decay=0.5, learning_rate=0.01))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    assert {group["lr"] for group in optimizer.param_groups} == {0.01}
