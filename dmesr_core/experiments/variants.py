"""The models that the book compares, by name: what each is built from, and which data it needs.

A *variant* is a row of a table in the book: a kind of model, and the settings that differ from its defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from dmesr_core.errors import SettingsError
from dmesr_core.experiments.material import Material
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.bag_of_words import BagOfWords
from dmesr_core.models.baselines import LLMESR, LLMEmb
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings
from dmesr_core.models.feature_recommender import FeatureRecommender
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import Recommender, known_items, seeded


@dataclass(frozen=True)
class Variant:
    """A kind of model and its settings: one row of a comparison."""

    kind: str  # one of `KINDS`, or "popularity", which needs no training
    changes: dict[str, Any] = field(default_factory=dict)  # of `DMESRSettings(**PLAIN)`, or keyword arguments


_NO_ID: dict[str, Any] = {"id_embedding": False}
_QUIET: dict[str, Any] = {"id_dropout": 0.9, "id_share": 0.1}  # ID vectors that say little
_MIXED: dict[str, Any] = {"words": True, "injection": "mixture"}
_VIEWS = _MIXED | _QUIET  # the defaults of `DMESRSettings`
_BOTH: dict[str, Any] = {"softmaxes": 3, "views": ("picture", "text")}
# The variants of the book. Ablations differ from what they are compared with in one setting only.
VARIANTS: dict[str, Variant] = {
    "popularity": Variant("popularity"),
    "id_only": Variant("id"),
    "id_unit": Variant("id", {"unit": True}),
    "id_mixture": Variant("id", {"softmaxes": 3}),
    "raw": Variant("raw"),
    "raw_mixture": Variant("raw", {"mixture": True}),
    "raw_mixture_quiet": Variant("raw", {"mixture": True} | _QUIET),
    "words": Variant("words"),
    "words_unit": Variant("words", {"unit": True}),
    "words_quiet": Variant("words", _QUIET),
    "words_no_id": Variant("words", _NO_ID),
    "words_mixture": Variant("words", {"softmaxes": 3}),
    "words_mixture_quiet": Variant("words", {"softmaxes": 3} | _QUIET),
    "words_mixture_no_id": Variant("words", {"softmaxes": 3} | _NO_ID),
    "words_both_mixture": Variant("words", _BOTH | _QUIET),
    "words_both_mixture_no_id": Variant("words", _BOTH | _NO_ID),
    "llm_esr": Variant("llm_esr"),
    "llm_emb": Variant("llm_emb"),
    "fact_oracle": Variant("facts"),
    "fact_oracle_quiet": Variant("facts", _QUIET),
    "fact_oracle_no_id": Variant("facts", _NO_ID),
    "fact_mixture": Variant("facts", {"mixture": True}),
    "fact_mixture_quiet": Variant("facts", {"mixture": True} | _QUIET),
    "fact_mixture_no_id": Variant("facts", {"mixture": True} | _NO_ID),
    "dmesr": Variant("dmesr"),
    "dmesr_unit": Variant("dmesr", {"unit": True}),
    "no_fusion": Variant("dmesr", {"fusion": False}),
    "no_alignment": Variant("dmesr", {"align": False}),
    "picture_only": Variant("dmesr", {"views": ("picture",)}),
    "text_only": Variant("dmesr", {"views": ("text",)}),
    "no_id": Variant("dmesr", {"id_embedding": False}),
    "injection_concat": Variant("dmesr", {"injection": "concat"}),
    "injection_two_towers": Variant("dmesr", {"injection": "two_towers"}),
    "dmesr_views": Variant("dmesr", _VIEWS),
    "views_loud_id": Variant("dmesr", _MIXED),
    "views_no_id": Variant("dmesr", _MIXED | _NO_ID),
    "views_one_softmax": Variant("dmesr", {"words": True} | _QUIET),
    "views_no_words": Variant("dmesr", {"injection": "mixture"} | _QUIET),
    "views_no_fusion": Variant("dmesr", _VIEWS | {"fusion": False}),
    "views_no_alignment": Variant("dmesr", _VIEWS | {"align": False}),
    "views_text_only": Variant("dmesr", _VIEWS | {"views": ("text",)}),
}


def _id(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    return IDRecommender.build(material.split, backbone, seed=seed, **changes)


def _facts(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    if material.facts is None:
        raise SettingsError("the fact oracle needs the true facts: only the Bazaar has them")
    changes = dict(changes)
    views = material.fact_views if changes.pop("mixture", False) else ()
    with seeded(seed):
        facts, known = torch.as_tensor(material.facts), known_items(material.split)
        return FeatureRecommender(backbone, facts, known, views=views, **changes)


def _raw(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    return FeatureRecommender.build(_features(material), material.split, backbone, seed=seed, **changes)


def _llm_esr(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    return LLMESR.build(_features(material), material.split, backbone, seed=seed, **changes)


def _llm_emb(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    return LLMEmb.build(_features(material), material.split, backbone, seed=seed, **changes)


def _words(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    return BagOfWords.build(_features(material), material.split, backbone, seed=seed, **changes)


def _dmesr(material: Material, backbone: BackboneSettings, seed: int, changes: dict[str, Any]) -> Recommender:
    settings = DMESRSettings(**({"backbone": backbone} | PLAIN | changes))
    return DMESR.build(_features(material), material.split, settings, seed=seed)


def _features(material: Material) -> Features:
    if material.features is None:
        raise SettingsError("this variant needs features of the items, and got none")
    return material.features


Builder = Callable[[Material, BackboneSettings, int, dict[str, Any]], Recommender]

# kind -> (data it needs beside the split, builder)
KINDS: dict[str, tuple[tuple[str, ...], Builder]] = {
    "id": ((), _id),
    "facts": (("facts",), _facts),
    "raw": (("features",), _raw),
    "llm_esr": (("features",), _llm_esr),
    "llm_emb": (("features",), _llm_emb),
    "words": (("features",), _words),
    "dmesr": (("features",), _dmesr),
}


def needs_of(variant: Variant) -> tuple[str, ...]:
    """The data that a variant needs beside the split: () or ("features",) or ("facts",).

    Raises:
        SettingsError: an unknown kind.
    """
    if variant.kind == "popularity":
        return ()
    if variant.kind not in KINDS:
        raise SettingsError(f"unknown kind of variant {variant.kind!r}: choose popularity, {', '.join(KINDS)}")
    return KINDS[variant.kind][0]


def build(variant: Variant, material: Material, backbone: BackboneSettings, seed: int) -> Recommender:
    """The untrained model of a variant; the seed decides its initial weights.

    Raises:
        SettingsError: an unknown kind, a kind without a model, or material that lacks what the kind needs.
    """
    if variant.kind not in KINDS:
        needs_of(variant)
        raise SettingsError(f"a variant of kind {variant.kind!r} has no model to build")
    return KINDS[variant.kind][1](material, backbone, seed, variant.changes)
