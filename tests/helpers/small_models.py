"""One trained model of each kind on a tiny world with ids and titles, to be kept, asked and extended."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import torch

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.bag_of_words import BagOfWords
from dmesr_core.models.baselines import LLMESR, LLMEmb
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings
from dmesr_core.models.feature_recommender import FeatureRecommender
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import Recommender
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

N = 15  # items "item-a" ... ; the last one is cold: nobody has bought it
KINDS = (
    "id", "id_unit", "id_mixture", "raw", "llm_esr", "llm_emb", "words", "words_unit", "words_mixture", "dmesr",
    "dmesr_unit", "no_fusion", "text_only", "no_id", "concat", "two_towers", "mixture", "with_words", "views",
    "default", "words_alone", "words_quiet", "raw_alone",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white")
WITH_FEATURES = tuple(kind for kind in KINDS if not kind.startswith("id"))
_CHANGES = {
    "dmesr_unit": {"unit": True}, "no_fusion": {"fusion": False}, "text_only": {"views": ("text",)},
    "no_id": {"id_embedding": False}, "concat": {"injection": "concat"}, "two_towers": {"injection": "two_towers"},
    "mixture": {"injection": "mixture", "words": True}, "with_words": {"words": True},
    "views": {"injection": "mixture", "words": True, "id_embedding": False},
    "default": {field.name: field.default for field in fields(DMESRSettings) if field.name in PLAIN},
}  # fmt: skip


def make_catalogue(first: int = 0, n: int = N) -> Catalogue:
    """Items number `first` + 1 to `first` + `n`."""
    ids = tuple(f"item-{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(first, first + n))
    return Catalogue(ids, tuple(f"Title of {id}" for id in ids), ("",) * n, (None,) * n)


def make_features(catalogue: Catalogue) -> Features:
    """Features that depend on the id alone, so that an item has the same ones in any catalogue."""
    n = len(catalogue)
    picture, text = np.zeros((2, n + 1, 6), np.float32)
    fine, mask = np.zeros((n + 1, 4, 8), np.float16), np.zeros((n + 1, 4), bool)
    for k, id in enumerate(catalogue.ids, start=1):
        rng = np.random.default_rng([ord(sign) for sign in id])
        picture[k], text[k] = rng.normal(size=(2, 6))
        mask[k, : 1 + rng.integers(4)] = True
        fine[k] = rng.normal(size=(4, 8)) * mask[k, :, None]
    signs = [ord(id[-1]) for id in catalogue.ids]  # a word of most items would not be learned
    words = ["", *(f"{COLOURS[sign % 5]} cup" for sign in signs)]
    seen = ["", *(f"it is {COLOURS[(sign // 2) % 5]}" for sign in signs)]
    names, made_by = catalogue.names, {"mllm": "made up"}
    return Features(picture, text, fine, mask, seen, [""] * (n + 1), [[]] * (n + 1), {}, names, made_by, words)


def make_split(catalogue: Catalogue) -> Split:
    """50 users with 6 events each; the last item of the catalogue has none."""
    rng = np.random.default_rng(3)
    items = [catalogue.ids[k] for _ in range(50) for k in rng.permutation(len(catalogue) - 1)[:6]]
    users = np.repeat(np.arange(50), 6)
    return Interactions.from_columns(users, items, np.tile(np.arange(6), 50), catalogue).leave_one_out()


@cache
def _trained(kind: str, backbone: str) -> Recommender:
    catalogue = make_catalogue()
    model = build(kind, make_features(catalogue), make_split(catalogue), backbone)
    fit(model, make_split(catalogue), TrainSettings(epochs=1, batch_size=16), progress=False)
    if model.bias is not None:  # one epoch hardly moves it
        torch.nn.init.normal_(model.bias)
    return model


def trained(kind: str, backbone: str = "sasrec") -> Recommender:
    """A model of this kind after an epoch, the caller's own copy."""
    from copy import deepcopy

    return deepcopy(_trained(kind, backbone))


def build(kind: str, features: Features, split: Split, backbone: str = "sasrec") -> Recommender:
    """An untrained model of this kind."""
    settings = BackboneSettings(backbone, width=16, max_len=8, layers=1, heads=2, dropout=0.1)
    kind, _, way = kind.partition("_") if kind.split("_")[0] in ("id", "words") else (kind, "", "")
    alone, quiet = {"id_embedding": False}, {"id_dropout": 0.5, "id_share": 0.25}
    ways = {"unit": {"unit": True}, "mixture": {"softmaxes": 3}, "alone": alone, "quiet": quiet}
    changes = ways.get(way, {})
    if kind == "id":
        return IDRecommender.build(split, settings, **changes)
    if kind == "words":
        return BagOfWords.build(features, split, settings, views=("text", "picture"), **changes)
    if kind == "raw_alone":
        return FeatureRecommender.build(features, split, settings, **alone)
    classes = {"raw": FeatureRecommender, "llm_esr": LLMESR, "llm_emb": LLMEmb}
    if kind in classes:
        return classes[kind].build(features, split, settings)
    return DMESR.build(features, split, DMESRSettings(settings, **(PLAIN | _CHANGES.get(kind, {}))))


def table_by_id(model: Recommender) -> dict[str, torch.Tensor]:
    """The vector of each item, by id."""
    with torch.no_grad():
        return dict(zip(model.names().ids, model.eval().item_table()[1:], strict=True))


def scores_by_id(model: Recommender, history: list[str]) -> dict[str, float]:
    """The score of each item after a history, by id."""
    found = model.recommend(history, k=model.n_items, exclude_seen=False)
    return dict(zip(found["item"], found["score"], strict=True))


def without_names(features: Features) -> Features:
    """The same features, with nothing to match them by."""
    return replace(features, item_names=None)
