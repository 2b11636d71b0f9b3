"""How a model is trained, and which settings make no sense."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dmesr_core.errors import SettingsError
from dmesr_core.training.losses import LOSSES

PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class TrainSettings:
    """How to train. The same for every model that is compared, unless a table says otherwise."""

    epochs: int = 60  # at most
    batch_size: int = 128  # histories per step
    learning_rate: float = 3e-3
    weight_decay: float = 2.0  # of all matrices; per step, times the learning rate (AdamW)
    warmup: float = 0.05  # share of the steps of `epochs` in which the learning rate rises; then cosine to a tenth
    max_grad_norm: float = 1.0  # largest gradient norm
    patience: int = 6  # epochs without a better validation NDCG@10 before training stops
    mask_probability: float = 0.3  # cloze: share of positions hidden
    loss: str = "ce"  # ce: softmax over all known items | sampled: softmax over a sample, with logQ | bce | gbce
    negatives: int = 256  # items drawn per step (sampled) or per position (bce, gbce)
    gbce_t: float = 0.75  # calibration of gbce: 0 is bce, 1 as if all items had been drawn
    item_dropout: float = 0.0  # next: share of the items of a history that a training step hides from the backbone
    ema_decay: float = 0.0  # judged and kept: a running mean of the weights, of which a step leaves this share; 0: none
    history_loss_weight: float = 0.0  # next: share of a second loss, the target against what the user took before
    max_seconds: float | None = None  # stop after so much training time; the learning rate then follows the clock
    mixed_precision: str = "no"  # no | bf16 | fp16, as accelerate names them
    seed: int = 0


def check(s: TrainSettings, objective: str) -> None:
    """Refuse what makes no sense for a backbone with this `objective`.

    Raises:
        SettingsError: names the setting and what it may be.
    """
    if s.loss not in LOSSES:
        raise SettingsError(f"unknown loss {s.loss!r}: choose one of {', '.join(LOSSES)}")
    if s.mixed_precision not in PRECISIONS:
        raise SettingsError(f"unknown mixed_precision {s.mixed_precision!r}: choose one of {', '.join(PRECISIONS)}")
    # Written as what is allowed, since every comparison with NaN is false.
    rules = {
        "epochs": (s.epochs >= 1, "at least 1"),
        "batch_size": (s.batch_size >= 1, "at least 1"),
        "learning_rate": (0 < s.learning_rate < math.inf, "positive"),
        "weight_decay": (0 <= s.weight_decay < math.inf, "0 or more"),
        "warmup": (0 <= s.warmup < 1, "at least 0 and below 1"),
        "max_grad_norm": (s.max_grad_norm > 0, "positive"),
        "patience": (s.patience >= 1, "at least 1"),
        "mask_probability": (0 < s.mask_probability < 1, "between 0 and 1"),
        "negatives": (s.negatives >= 1, "at least 1"),
        "gbce_t": (0 <= s.gbce_t <= 1, "from 0 to 1"),
        "item_dropout": (0 <= s.item_dropout < 1, "at least 0 and below 1"),
        "ema_decay": (0 <= s.ema_decay < 1, "at least 0 and below 1"),
        "history_loss_weight": (0 <= s.history_loss_weight < math.inf, "0 or more"),
        "max_seconds": (s.max_seconds is None or s.max_seconds > 0, "positive, or None"),
    }
    for name, (fine, wanted) in rules.items():
        if not fine:
            raise SettingsError(f"{name} must be {wanted}, got {getattr(s, name)!r}")
    for name in ("item_dropout", "history_loss_weight"):
        if getattr(s, name) and objective != "next":
            raise SettingsError(f"{name} must be 0 but for a causal backbone, got {getattr(s, name)!r}")
