"""A world in which item k is always followed by item k + 1: easy to learn, easy to check."""

from __future__ import annotations

import numpy as np
import torch

from dmesr_core.data.interactions import Interactions
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import known_items
from dmesr_core.models.scorers import model_scorer
from dmesr_core.training.settings import TrainSettings

N = 12


def cycle_split(n_users=60, seed=0):
    """A world in which item k is always followed by item k + 1: easy to learn, easy to check."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for u in range(n_users):
        start, length = rng.integers(N), rng.integers(4, 9)
        users += [u] * length
        items += [(start + t) % N + 1 for t in range(length)]
        times += list(range(length))
    return Interactions.from_columns(users, items, times, N).leave_one_out()


def build(split, name="sasrec", seed=0):
    torch.manual_seed(seed)
    return IDRecommender(
        BackboneSettings(name, width=16, max_len=10, layers=1, heads=2, dropout=0.1), known_items(split)
    )


def mrr(model, split):
    result = evaluate_cases(model_scorer(model, split.n_items), split.test, split.n_items)
    return result.per_case["mrr@10"].mean()


QUICK = TrainSettings(epochs=60, batch_size=16, learning_rate=0.01, weight_decay=0.01, patience=60)
