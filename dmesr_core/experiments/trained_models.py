"""Models that are trained here and now, because their item vectors are needed and not only their ranks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Split
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.variants import VARIANTS, Variant, build
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.recommender import Recommender
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

UNTRAINED = "untrained"  # DMESR before training
# Models whose item vectors are asked for facts, in the order of figures.
LABELS = {
    UNTRAINED: "DMESR, untrained",
    "id_only": "ID only",
    "looked": "picture view alone",
    "llm_emb": "LLMEmb-like",
    "no_fusion": "no fusion",
    "dmesr": "DMESR",
    "fact_oracle": "fact oracle",
}
_PICTURE_ALONE = Variant("dmesr", {"views": ("picture",), "fusion": False})  # it has never read a word


@dataclass(frozen=True)
class TrainedModel:
    """A model in evaluation mode, with its item vectors."""

    model: Recommender
    vectors: np.ndarray  # (N, d), row k - 1 is item k
    seconds: float  # of training


def material_of(dataset: Dataset, split: Split, features: Features) -> Material:
    """What the models may use, with the true facts where they are known."""
    return Material(split, features, dataset.world.fact_vectors() if dataset.world else None, name=dataset.name)


def names_for(material: Material) -> tuple[str, ...]:
    """The models to train: all where the facts about items are known, else the two that are compared case by case."""
    if material.facts is None:
        return ("id_only", "dmesr")
    return tuple(name for name in LABELS if name != UNTRAINED)


def train_models(names: Iterable[str], material: Material, train: TrainSettings) -> dict[str, TrainedModel]:
    """Train each of the named models, with SASRec as the backbone."""
    found = {}
    for name in names:
        model = build(_variant(name), material, BackboneSettings(), train.seed)
        seconds = fit(model, material.split, train, progress=False).seconds
        found[name] = TrainedModel(model, _vectors(model), seconds)
    return found


def untrained_vectors(name: str, material: Material, seed: int) -> np.ndarray:
    """Item vectors (N, d) of a model as it is before training."""
    return _vectors(build(_variant(name), material, BackboneSettings(), seed).eval())


def _variant(name: str) -> Variant:
    return _PICTURE_ALONE if name == "looked" else VARIANTS[name]


def _vectors(model: Recommender) -> np.ndarray:
    return model.item_table().detach().numpy()[1:]
