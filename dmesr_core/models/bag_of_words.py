"""A recommender that reads words and nothing else: a learned vector per word, summed; plus the ID vector, if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.errors import SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings, make_backbone
from dmesr_core.models.id_recommender import ItemID
from dmesr_core.models.mixture import mixed
from dmesr_core.models.recommender import Encoded, Recommender, known_items, matched, seeded
from dmesr_core.models.words import ItemWords
from dmesr_core.setting_types import check_settings


class BagOfWords(Recommender):
    """The plainest use of words, and so what any model with an MLLM has to beat.

    Args:
        features: of N items; of them only the texts, and with the view "picture" the descriptions, are read.
        known: (N+1,) bool, see `Recommender`.
        views: "text", "picture" or both, see `ItemWords`.
        unit: words, ID vector and their sum all have length 1 (one softmax only).
        softmaxes: more than 1: a mixture of so many, see `MixtureOfViews`; the first sees words and ID, the others
            the words alone.
        id_dropout: probability that a step drops an item's ID vector.
        id_share: what counts of an ID vector outside of training, see `ItemID`.
        id_embedding: False: words alone, and no vector per item.
        vocabulary: view -> words; None: learned from the features.
    """

    kind = "words"

    def __init__(
        self, settings: BackboneSettings, features: Features, known: Tensor, views: Sequence[str] = ("text",),
        unit: bool = False, softmaxes: int = 1, id_dropout: float = 0.1, id_share: float = 1.0,
        id_embedding: bool = True, vocabulary: dict[str, Sequence[str]] | None = None,
    ):  # fmt: skip
        check_settings(settings, BackboneSettings)
        for name, value in (("unit", unit), ("id_embedding", id_embedding)):
            if not isinstance(value, bool):
                raise SettingsError(f"{name} must be True or False, got {value!r}")
        if unit and (softmaxes != 1 or not id_embedding):
            raise SettingsError(f"unit vectors need one softmax and an ID vector; got {softmaxes!r}, {id_embedding!r}")
        super().__init__(mixed(make_backbone(settings), settings.width, softmaxes), settings.max_len, known)
        self.settings, self.views = settings, tuple(views)
        self.id_options = {"id_dropout": id_dropout, "id_share": id_share, "id_embedding": id_embedding}
        self.words = ItemWords(settings.width, self.views, features, vocabulary)
        self.item_id = ItemID(settings.width, self.known, id_dropout, id_share) if id_embedding else None
        self.words_share = nn.Parameter(torch.ones(())) if unit else None  # their length beside that of the ID

    @classmethod
    def build(
        cls, features: Features, split: Split, settings: BackboneSettings | None = None, *,
        views: Sequence[str] = ("text",), unit: bool = False, softmaxes: int = 1, id_dropout: float = 0.1,
        id_share: float = 1.0, id_embedding: bool = True, seed: int = 0,
    ) -> BagOfWords:  # fmt: skip
        """An untrained model for the items of `split`.

        Raises:
            SettingsError, DataError: as `DMESR.build`.
        """
        features = matched(features, split)
        settings = BackboneSettings() if settings is None else settings
        with seeded(seed):
            ids = id_dropout, id_share, id_embedding
            model = cls(settings, features, known_items(split), views, unit, softmaxes, *ids)
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def encode_items(self, items: Tensor) -> Encoded:
        words = self.words(items).sum(1)  # (n, d)
        if self.item_id is None:
            table = words
        elif self.words_share is not None:
            own = self.item_id(items, unit=True)
            table = F.normalize(self.words_share * F.normalize(words, dim=1) + own, dim=1)
        else:
            table = words + self.item_id(items)
        table = torch.cat([table, *[words] * (self.backbone.softmaxes - 1)], dim=1)
        return table * (items > 0)[:, None], None

    def append_items(self, features: Features) -> None:
        self.words.append(features)

    def grow(self, n: int) -> None:
        super().grow(n)
        if self.item_id is not None:
            self.item_id.grow(n)

    def config(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings), "views": list(self.views), "unit": self.words_share is not None,
            "softmaxes": self.backbone.softmaxes, "vocabulary": self.words.vocabulary, **self.id_options,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        settings = {**config, "settings": BackboneSettings(**config["settings"])}
        return cls(**settings, features=Features.empty(1, 1), known=known)
