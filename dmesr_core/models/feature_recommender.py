"""A recommender with given item vectors: one linear map of them; plus the ID vector, if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings, make_backbone
from dmesr_core.models.id_recommender import ItemID
from dmesr_core.models.item_inputs import StandardisedVectors
from dmesr_core.models.mixture import mixed
from dmesr_core.models.recommender import Encoded, Recommender, known_items, matched, seeded
from dmesr_core.setting_types import check_settings


class FeatureRecommender(Recommender):
    """A plain way to use what is known about items: one linear map of given vectors, plus the ID vector.

    With the true facts of the Bazaar it is the *fact oracle*; with the MLLM's vectors, side by side, it is the
    "raw features" baseline.

    Args:
        vectors: (N+1, F); standardised per column unless they are zeros and ones.
            A constant column carries nothing and becomes zero.
        known: (N+1,) bool, see `Recommender`.
        id_dropout: probability that a step drops an item's ID vector.
        id_share: what counts of an ID vector outside of training, see `ItemID`.
        id_embedding: False: the given vectors alone, and no vector per item.
        views: columns of each view. With any, the model is a mixture (see `MixtureOfViews`): beside the softmax of
            all that is known and the ID, each view has one of its own.
    """

    kind = "features"

    def __init__(
        self, settings: BackboneSettings, vectors: Tensor, known: Tensor, id_dropout: float = 0.1,
        views: Sequence[Sequence[int]] = (), id_share: float = 1.0, id_embedding: bool = True,
    ):  # fmt: skip
        check_settings(settings, BackboneSettings)
        super().__init__(mixed(make_backbone(settings), settings.width, 1 + len(views)), settings.max_len, known)
        self.settings, self.views = settings, [list(columns) for columns in views]
        self.id_options = {"id_dropout": id_dropout, "id_share": id_share, "id_embedding": id_embedding}
        vectors = torch.as_tensor(vectors, dtype=torch.float32)
        binary = bool(((vectors == 0) | (vectors == 1)).all())
        self.vectors = StandardisedVectors(vectors.shape[1])
        self.vectors.learn(vectors, scale=not binary)
        self.projection = nn.Linear(vectors.shape[1], settings.width, bias=False)
        # Entries of the table should start at the size of an ID table, whatever the features' norm.
        norm = self.vectors.rows[1:].square().sum(1).mean().item() if len(vectors) > 1 else 1.0
        nn.init.normal_(self.projection.weight, std=(settings.width * norm) ** -0.5)
        self.item_id = ItemID(settings.width, self.known, id_dropout, id_share) if id_embedding else None

    @classmethod
    def build(
        cls, features: Features, split: Split, settings: BackboneSettings | None = None, *, id_dropout: float = 0.1,
        id_share: float = 1.0, id_embedding: bool = True, mixture: bool = False, seed: int = 0,
    ) -> FeatureRecommender:  # fmt: skip
        """An untrained model for the items of `split`, from the MLLM's vectors of both views, side by side.

        With `mixture` each of them has a softmax of its own, too.

        Raises:
            SettingsError, DataError: as `DMESR.build`.
        """
        features = matched(features, split)
        settings = BackboneSettings() if settings is None else settings
        with seeded(seed):
            vectors = _both_views(features)  # (N+1, 2 d_c)
            views = torch.arange(vectors.shape[1]).chunk(2) if mixture else ()
            of_views = [columns.tolist() for columns in views]
            model = cls(settings, vectors, known_items(split), id_dropout, of_views, id_share, id_embedding)
        model.item_names, model.made_by = split.item_names, features.made_by
        return model

    def encode_items(self, items: Tensor) -> Encoded:
        vectors, weight = self.vectors(items), self.projection.weight
        views = [vectors[:, columns] @ weight[:, columns].T for columns in self.views]
        whole = self.projection(vectors) + (0 if self.item_id is None else self.item_id(items))
        table = torch.cat([whole, *views], dim=1)
        return table * (items > 0)[:, None], None

    def append_items(self, features: Features) -> None:
        self.vectors.append(_both_views(features)[1:])

    def grow(self, n: int) -> None:
        super().grow(n)
        if self.item_id is not None:
            self.item_id.grow(n)

    def config(self) -> dict[str, Any]:
        width = len(self.vectors.mean)
        return {"settings": asdict(self.settings), "width": width, "views": self.views, **self.id_options}

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        own = {name: value for name, value in config.items() if name not in ("settings", "width")}
        return cls(BackboneSettings(**config["settings"]), torch.zeros(1, config["width"]), known, **own)


def _both_views(features: Features) -> Tensor:
    """The MLLM's two vectors of each item side by side, (N+1, 2 d_c)."""
    return torch.cat([torch.as_tensor(features.coarse_picture), torch.as_tensor(features.coarse_text)], dim=1)
