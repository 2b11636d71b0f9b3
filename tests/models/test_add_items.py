"""Items that came after training: they get a vector, are recommended, stand in histories, and move nothing else."""

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
    scores_by_id,
    table_by_id,
    trained,
    without_names,
)  # fmt: skip

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.recommender import Recommender
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

HISTORY = ["item-ab", "item-ad", "item-aa"]
BACKBONES = ("sasrec", "gru4rec", "bert4rec")
EVERY = [(kind, "sasrec") for kind in WITH_FEATURES] + [
    (kind, backbone) for kind in ("llm_esr", "dmesr") for backbone in BACKBONES[1:]
]


def add(model: Recommender, n: int, first: int = N) -> Recommender:
    catalogue = make_catalogue(first, n)
    model.add_items(catalogue, make_features(catalogue))
    return model


@pytest.mark.parametrize(("kind", "backbone"), EVERY)
@pytest.mark.parametrize("n", [1, 20, 200])
def test_the_scores_of_the_old_items_stay(kind, backbone, n):
    model = trained(kind, backbone)
    before = scores_by_id(model, HISTORY)
    after = scores_by_id(add(model, n), HISTORY)
    assert len(after) == N + n
    np.testing.assert_allclose([after[id] for id in before], list(before.values()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "backbone"), EVERY)
def test_new_items_are_recommended_and_stand_in_histories(kind, backbone):
    model = add(trained(kind, backbone), 200)
    new = make_catalogue(N, 200).ids
    found = model.recommend([HISTORY, [*HISTORY, new[0]]], k=10)
    assert set(found["item"]) & set(new)
    assert found.attrs["unknown_ids"] == 0
    alone = [found[found["user"] == user]["item"].tolist() for user in (0, 1)]
    assert alone[0] != alone[1]


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_an_added_item_is_the_same_as_one_that_was_there_from_the_start(kind):
    """The last item is cold, so it has no ID vector; what was learned from the catalogue is that of the whole one."""
    whole = trained(kind)
    smaller, last = trained(kind), make_catalogue(N - 1, 1)
    cut_last_item(smaller)
    assert smaller.n_items == N - 1 and last.ids[0] not in smaller.names().ids
    smaller.add_items(last, make_features(last))
    one, other = table_by_id(whole), table_by_id(smaller)
    assert list(one) == list(other)
    torch.testing.assert_close(torch.stack(list(one.values())), torch.stack(list(other.values())), rtol=0, atol=1e-6)


def cut_last_item(model: Recommender) -> None:
    """Take the last item out of everything that has a row per item."""
    model.item_names = model.item_names.subset(range(1, N))
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.ndim and len(buffer) == N + 1:
                setattr(module, name, buffer[:-1].clone())
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings == N + 1:
            module.weight, module.num_embeddings = torch.nn.Parameter(module.weight[:-1].detach().clone()), N
    if model.bias is not None:
        model.bias = torch.nn.Parameter(model.bias[:-1].detach().clone())


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_items_added_one_by_one_or_at_once(kind):
    one, other = trained(kind), add(trained(kind), 6)
    for first in range(N, N + 6):
        add(one, 1, first)
    assert scores_by_id(one, HISTORY).keys() == scores_by_id(other, HISTORY).keys()
    for a, b in zip(table_by_id(one).values(), table_by_id(other).values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_a_catalogue_that_also_holds_the_old_items(kind):
    one, other = add(trained(kind), 5), trained(kind)
    both = make_catalogue(0, N + 5)
    shuffled = both.subset(np.random.default_rng(0).permutation(N + 5) + 1)
    other.add_items(shuffled, make_features(shuffled))
    want, got = table_by_id(one), table_by_id(other)
    assert want.keys() == got.keys()
    for id in want:
        torch.testing.assert_close(got[id], want[id], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "backbone"), EVERY)
def test_a_model_with_added_items_can_be_kept_and_extended_again(kind, backbone, tmp_path):
    model = add(trained(kind, backbone), 3)
    model.save(tmp_path / "kept")
    loaded = Recommender.load(tmp_path / "kept")
    assert scores_by_id(loaded, HISTORY) == scores_by_id(model, HISTORY)
    assert scores_by_id(add(loaded, 2, N + 3), HISTORY) == scores_by_id(add(model, 2, N + 3), HISTORY)


@pytest.mark.parametrize("kind", KINDS)
def test_permuting_the_catalogue_permutes_the_scores(kind):
    """The same trained weights; the features come in another order and are matched by id."""
    catalogue = make_catalogue()
    order = np.random.default_rng(1).permutation(N) + 1
    model = trained(kind)
    moved = build(kind, make_features(catalogue), make_split(catalogue))
    moved.load_state_dict(model.state_dict())
    permute(moved, order)
    one, other = scores_by_id(model, HISTORY), scores_by_id(moved, HISTORY)
    assert one.keys() == other.keys()
    np.testing.assert_allclose([other[id] for id in one], list(one.values()), rtol=1e-5, atol=1e-6)


def permute(model: Recommender, order: np.ndarray) -> None:
    """Number the items anew: new number k is the old number order[k - 1]."""
    rows = torch.from_numpy(np.concatenate([[0], order]))
    model.item_names = model.names().subset(order)
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.ndim and len(buffer) == N + 1:
                setattr(module, name, buffer[rows])
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings == N + 1:
            module.weight.data = module.weight.data[rows]
    if model.bias is not None:
        model.bias.data = model.bias.data[rows]


def test_a_model_with_added_items_can_be_trained_on():
    model = add(trained("dmesr", "bert4rec"), 3)
    split = make_split(make_catalogue(0, N + 3))
    report = fit(model, split, TrainSettings(epochs=1, batch_size=16), progress=False)
    assert np.isfinite(report.loss).all()


def test_longer_texts_than_any_before():
    model, new = trained("dmesr"), make_catalogue(N, 2)
    features = make_features(new)
    more = [np.concatenate([a, a], axis=1) for a in (features.fine, features.fine_mask)]
    before = scores_by_id(model, HISTORY)
    model.add_items(new, replace(features, fine=more[0], fine_mask=more[1]))
    after = scores_by_id(model, HISTORY)
    np.testing.assert_allclose([after[id] for id in before], list(before.values()), rtol=1e-5, atol=1e-6)
    fewer = make_catalogue(N + 2, 1)
    features = make_features(fewer)
    model.add_items(fewer, replace(features, fine=features.fine[:, :1], fine_mask=features.fine_mask[:, :1]))
    assert model.n_items == N + 3


@pytest.mark.parametrize("kind", ["id", "id_unit"])
def test_a_model_that_knows_ids_alone_says_so(kind):
    model = trained(kind)
    with pytest.raises(SettingsError, match="knows items by what was bought with them alone"):
        add(model, 1)
    assert model.n_items == N and len(model.recommend(HISTORY)) == 10


def test_what_does_not_fit_is_refused_and_changes_nothing():
    model, new = trained("dmesr"), make_catalogue(N, 2)
    before = scores_by_id(model, HISTORY)
    features = make_features(new)
    with pytest.raises(DataError, match="all 15 items of the catalogue are in the model already"):
        model.add_items(make_catalogue(), make_features(make_catalogue()))
    with pytest.raises(DataError, match="1 of 2 items have no features, the first is 'item-aq'"):
        model.add_items(new, make_features(make_catalogue(N, 1)))
    with pytest.raises(SettingsError, match="the features come from another mllm than those that the model"):
        model.add_items(new, replace(features, made_by={"mllm": "another"}))
    wide = np.concatenate([features.coarse_picture] * 2, axis=1)
    with pytest.raises(DataError, match="features of width 12 for a model that reads 6"):
        model.add_items(new, replace(features, coarse_picture=wide))
    spoilt = features.coarse_text.copy()
    spoilt[2, 3] = np.nan
    with pytest.raises(DataError, match="the features of item 'item-aq' are not finite .coarse_text."):
        model.add_items(new, replace(features, coarse_text=spoilt))
    with pytest.raises(SettingsError, match="takes a catalogue and its features.*got Features and Catalogue"):
        model.add_items(features, new)
    assert scores_by_id(model, HISTORY) == before


def test_features_without_names_are_those_of_the_catalogue():
    one, other, new = trained("dmesr"), trained("dmesr"), make_catalogue(N, 2)
    one.add_items(new, make_features(new))
    other.add_items(new, without_names(make_features(new)))
    assert scores_by_id(one, HISTORY) == scores_by_id(other, HISTORY)
