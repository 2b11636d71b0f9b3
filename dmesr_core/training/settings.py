"""How a model is trained, and which settings make no sense."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dmesr_core.errors import SettingsError
from dmesr_core.setting_types import check_types
from dmesr_core.training.losses import LOSSES

PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class TrainSettings:
    """How to train. The same for every model that is compared, unless a table says otherwise.

    Args:
        epochs: passes over all histories, at most.
        batch_size: histories per step.
        learning_rate: the highest one, after the warm-up.
        weight_decay: of all matrices; per step, times the learning rate (AdamW).
        warmup: share of the steps in which the learning rate rises; then it falls, as a cosine, to a tenth.
        max_grad_norm: a longer gradient is cut to this length.
        patience: epochs without a better validation score before training stops.
        mask_probability: share of positions that are masked (cloze backbones only).
        loss: "ce" (softmax over all known items), "sampled" (softmax over a sample, with logQ correction), "bce" or
            "gbce".
        negatives: items drawn per step ("sampled") or per position ("bce", "gbce").
        gbce_t: calibration of "gbce": 0 is "bce", 1 as if all items had been drawn.
        item_dropout: share of the items of a history that a step masks in the input (causal backbones only).
        history_loss_weight: weight of a second loss, the target against the items taken before it (causal only).
        mixed_precision: "no", "bf16" or "fp16", as accelerate names them.
        seed: of the batches, masks, drawn items and dropout. The first weights come from the seed of `build`.

    Raises:
        SettingsError: names the setting and the values it may have.

    Example:
        >>> from dmesr_core import TrainSettings
        >>> TrainSettings(epochs=20, loss="sampled").negatives
        256
        >>> TrainSettings(learning_rate=-1)
        Traceback (most recent call last):
        dmesr_core.errors.SettingsError: learning_rate must be positive, got -1
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 2.0
    warmup: float = 0.05
    max_grad_norm: float = 1.0
    patience: int = 6
    mask_probability: float = 0.3
    loss: str = "ce"
    negatives: int = 256
    gbce_t: float = 0.75
    item_dropout: float = 0.0
    history_loss_weight: float = 0.0
    mixed_precision: str = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.loss not in LOSSES:
            raise SettingsError(f"unknown loss {self.loss!r}: choose one of {', '.join(LOSSES)}")
        if self.mixed_precision not in PRECISIONS:
            raise SettingsError(
                f"unknown mixed_precision {self.mixed_precision!r}: choose one of {', '.join(PRECISIONS)}"
            )
        # Written as what is allowed, because every comparison with NaN is false.
        allowed = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "positive"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
            "warmup": (0 <= self.warmup < 1, "at least 0 and below 1"),
            "max_grad_norm": (self.max_grad_norm > 0, "positive"),
            "patience": (self.patience >= 1, "at least 1"),
            "mask_probability": (0 < self.mask_probability < 1, "between 0 and 1"),
            "negatives": (self.negatives >= 1, "at least 1"),
            "gbce_t": (0 <= self.gbce_t <= 1, "from 0 to 1"),
            "item_dropout": (0 <= self.item_dropout < 1, "at least 0 and below 1"),
            "history_loss_weight": (0 <= self.history_loss_weight < math.inf, "0 or more"),
        }
        for name, (ok, wanted) in allowed.items():
            if not ok:
                raise SettingsError(f"{name} must be {wanted}, got {getattr(self, name)!r}")

    def check_backbone(self, objective: str, softmaxes: int = 1) -> None:
        """Refuse what a backbone with this objective, and so many softmaxes, cannot use.

        Raises:
            SettingsError: names the setting.
        """
        for name in ("item_dropout", "history_loss_weight"):
            if getattr(self, name) and objective != "next":
                raise SettingsError(f"{name} must be 0 but for a causal backbone, got {getattr(self, name)!r}")
        if softmaxes > 1 and (self.history_loss_weight or self.loss not in ("ce", "sampled")):
            raise SettingsError(
                "a mixture of softmaxes is trained with loss 'ce' or 'sampled' and history_loss_weight 0, got "
                f"{self.loss!r} and {self.history_loss_weight!r}"
            )
