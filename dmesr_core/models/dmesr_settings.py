"""Settings of DMESR: which parts are on, and their sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.setting_types import check_types

VIEWS = ("picture", "text")
INJECTIONS = ("sum", "mixture", "concat", "two_towers")
# DMESR with one softmax, without learned words, and with an ID vector that is seldom dropped: chapters 4 to 8 of the
# book take this apart.
PLAIN: dict[str, Any] = {"words": False, "injection": "sum", "id_dropout": 0.1, "id_share": 1.0}


@dataclass(frozen=True)
class DMESRSettings:
    """Which parts of DMESR are on, and their sizes.

    Args:
        backbone: what reads the histories; its width d is that of all vectors.
        views: which views exist, of "picture" and "text".
        align: the contrastive loss between the two views.
        alpha: weight of the alignment loss: loss = recommendation + alpha · alignment.
        items_per_step: items that a step encodes anew, and aligns with each other; None: all.
        temperature: of InfoNCE.
        fusion: cross-attention onto the original words.
        fine_tokens: tokens of the original text that the fusion attends to.
        fine_width: width of the token states, after principal component analysis (0: unchanged).
        fusion_heads: heads of the cross-attention; they divide d.
        words: learned vectors of the words of each view: the original ones, and those of the picture's description.
        injection: how the fused views enter the backbone: "sum", "mixture", "concat" or "two_towers".
        id_embedding: add a learned vector per item.
        id_dropout: probability that a step drops an item's ID vector.
        id_share: what counts of an ID vector outside of training, see `ItemID`.
        unit: features, ID vector and their sum all have length 1 (injection "sum" only).
        dropout: inside the projection heads.

    Raises:
        SettingsError: names the setting and the values it may have.

    Example:
        >>> from dmesr_core import BackboneSettings, DMESRSettings
        >>> settings = DMESRSettings(BackboneSettings("bert4rec", width=32), alpha=0.1)
        >>> settings.views, settings.backbone.name
        (('picture', 'text'), 'bert4rec')
    """

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    views: tuple[str, ...] = VIEWS
    align: bool = True
    alpha: float = 0.05
    items_per_step: int | None = 128
    temperature: float = 0.2
    fusion: bool = True
    fine_tokens: int = 24
    fine_width: int = 96
    fusion_heads: int = 2
    words: bool = True
    injection: str = "mixture"
    id_embedding: bool = True
    id_dropout: float = 0.9
    id_share: float = 0.1
    unit: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
        if not self.views or any(v not in VIEWS for v in self.views) or len(set(self.views)) != len(self.views):
            raise SettingsError(f"views {self.views!r}: choose one or both of {', '.join(VIEWS)}")
        if self.injection not in INJECTIONS:
            raise SettingsError(f"unknown injection {self.injection!r}: choose one of {', '.join(INJECTIONS)}")
        if self.unit and (self.injection != "sum" or not self.id_embedding):
            raise SettingsError("unit vectors need injection 'sum' and an ID vector")
        if self.words and (self.unit or self.injection == "concat"):
            raise SettingsError("words need vectors of any length, and injection 'sum', 'mixture' or 'two_towers'")
        if self.injection == "two_towers" and len(self.views) != 2:
            raise SettingsError("injection 'two_towers' needs both views")
        if self.items_per_step is not None and self.items_per_step < 2:
            raise SettingsError(f"items_per_step {self.items_per_step}: at least 2 items are needed to compare")
        if not 0 <= self.alpha < math.inf:
            raise SettingsError(f"alpha must be 0 or more, got {self.alpha!r}: a negative one pushes the views apart")
        if not 0.005 <= self.temperature <= 5:
            raise SettingsError(f"temperature must lie between 0.005 and 5, got {self.temperature!r}")
        for name, least in (("fine_tokens", 1), ("fine_width", 0), ("fusion_heads", 1)):
            if getattr(self, name) < least:
                raise SettingsError(f"{name} must be at least {least}, got {getattr(self, name)!r}")
        if self.fusion and self.backbone.width % self.fusion_heads:
            raise SettingsError(f"width {self.backbone.width} is not divisible by {self.fusion_heads} fusion heads")
        if not 0 < self.id_share <= 1:
            raise SettingsError(f"id_share must be above 0 and at most 1, got {self.id_share!r}")
        for name in ("id_dropout", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 0 and below 1, got {getattr(self, name)!r}")

    @property
    def softmaxes(self) -> int:
        """Of a mixture one for the whole item and one for each view; else 1."""
        return 1 + len(self.views) if self.injection == "mixture" else 1
