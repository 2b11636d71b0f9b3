"""What all recommenders share: features matched by id, seeded first weights, and arguments that are something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_models import (
    KINDS,
    WITH_FEATURES,
    N,
    build,
    make_catalogue,
    make_features,
    make_split,
    trained,
    without_names,
)  # fmt: skip

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.metrics import evaluate
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.baselines import LLMESR
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.scorers import popularity
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

QUICK = TrainSettings(epochs=1, batch_size=16)


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_features_of_a_larger_catalogue_are_matched_by_id(kind):
    whole = make_catalogue(0, N + 9)
    shuffled = whole.subset(np.random.default_rng(0).permutation(N + 9) + 1)
    split = make_split(make_catalogue())
    one = build(kind, make_features(make_catalogue()), split).eval()
    other = build(kind, make_features(shuffled), split).eval()
    assert torch.equal(one.item_table(), other.item_table())


def test_features_that_do_not_fit_are_an_error():
    split = make_split(make_catalogue())
    with pytest.raises(DataError, match="1 of 15 items have no features, the first is 'item-ao'"):
        DMESR.build(make_features(make_catalogue(0, N - 1)), split)
    with pytest.raises(DataError, match="features of 14 items for a split of 15, and no ids to match them by"):
        DMESR.build(without_names(make_features(make_catalogue(0, N - 1))), split)
    features = make_features(make_catalogue())
    features.fine[4, 0, 1] = np.inf
    with pytest.raises(DataError, match="the features of item 'item-ad' are not finite .fine.: extract them anew"):
        DMESR.build(features, split)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_the_first_weights_and_the_global_generator_is_left_alone(kind):
    features, split = make_features(make_catalogue()), make_split(make_catalogue())
    torch.manual_seed(11)
    one, after = build(kind, features, split), torch.rand(1)
    torch.manual_seed(11)
    assert torch.rand(1) == after
    other = build(kind, features, split)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    changed = DMESR.build(features, split, seed=1), DMESR.build(features, split, seed=2)
    assert not torch.equal(*(model.projection.weight for model in changed))


@pytest.mark.parametrize("seed", [-1, 0.5, "0", True, None])
def test_a_seed_that_is_none(seed):
    with pytest.raises(SettingsError, match="seed must be a whole number of 0 or more"):
        IDRecommender.build(make_split(make_catalogue()), seed=seed)


def test_data_instead_of_a_split_and_a_catalogue_instead_of_features():
    catalogue = make_catalogue()
    log = Interactions.from_columns([1, 1, 1], list(catalogue.ids[:3]), [1, 2, 3], catalogue)
    data, features, split = Dataset("mine", catalogue, log), make_features(catalogue), make_split(catalogue)
    model = trained("id")
    for call in (
        lambda: IDRecommender.build(data), lambda: DMESR.build(features, data), lambda: LLMESR.build(features, log),
        lambda: fit(model, data, QUICK), lambda: evaluate(model, data), lambda: popularity(data),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match="split.*leave_one_out"):
            call()
    with pytest.raises(SettingsError, match="wanted features, as extract_features.catalogue. makes them; got Cat"):
        DMESR.build(catalogue, split)


def test_settings_of_another_kind():
    features, split = make_features(make_catalogue()), make_split(make_catalogue())
    with pytest.raises(SettingsError, match=r"settings must be DMESRSettings\(...\), got BackboneSettings"):
        DMESR.build(features, split, BackboneSettings())
    with pytest.raises(SettingsError, match=r"settings must be BackboneSettings\(...\), got str: write Back"):
        IDRecommender.build(split, "gru4rec")
    with pytest.raises(SettingsError, match=r"settings must be TrainSettings\(...\), got dict"):
        fit(trained("id"), split, {"epochs": 2})
    with pytest.raises(SettingsError, match=r"settings must be EvalSettings\(...\), got tuple"):
        evaluate(trained("id"), split, settings=(10,))


def test_a_split_of_other_items_is_noticed():
    model = trained("id")
    moved = make_split(make_catalogue().subset(range(N, 0, -1)))
    for use in (lambda: fit(model, moved, QUICK), lambda: evaluate(model, moved)):
        with pytest.raises(DataError, match="item 1 of the model is 'item-aa', that of the split is 'item-ao'"):
            use()


def test_one_item_is_nothing_to_choose_from():
    one = make_catalogue(0, 1)
    split = replace(make_split(make_catalogue()), n_items=1, item_names=one.names, train_counts=np.array([0, 300]))
    with pytest.raises(DataError, match="one item: there is nothing to choose between"):
        fit(IDRecommender.build(split), split, QUICK)


def test_a_model_is_shown_in_one_line():
    assert repr(trained("dmesr", "gru4rec")).startswith("<DMESR with GRU4Rec: 15 items, ")
    assert len(repr(trained("dmesr"))) < 100
