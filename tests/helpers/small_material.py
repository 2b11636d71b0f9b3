"""A tiny split with random features and facts, for tests of experiments."""

from __future__ import annotations

import numpy as np

from dmesr_core.data.interactions import Interactions
from dmesr_core.experiments.material import Material
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.training.settings import TrainSettings

N = 12
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2)
TRAIN = TrainSettings(epochs=2, batch_size=16)


def make_material(seed: int = 0, split: str = "leave-one-out") -> Material:
    """40 users with 6 of 12 items each; item 12 is too new for training."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(40), 6)
    item = np.concatenate([rng.permutation(N - 1)[:6] + 1 for _ in range(40)])
    item[5::6][:4] = N  # the last event of four users
    log = Interactions.from_columns(user, item, np.tile(np.arange(6), 40) + 0.1 * (user % 10), N)
    mask = np.ones((N + 1, 4), bool)
    mask[0] = False
    features = Features(
        rng.normal(size=(N + 1, 6)).astype(np.float32), rng.normal(size=(N + 1, 6)).astype(np.float32),
        rng.normal(size=(N + 1, 4, 8)).astype(np.float16) * mask[..., None], mask, [""] * (N + 1), [""] * (N + 1),
        [[]] * (N + 1), {}, texts=["", *(f"colour{k % 4} cup" for k in range(N))],
    )  # fmt: skip
    divided = log.leave_one_out() if split == "leave-one-out" else log.global_time(valid=0.2, test=0.3)
    return Material(divided, features, np.eye(N + 1, dtype=np.float32))
