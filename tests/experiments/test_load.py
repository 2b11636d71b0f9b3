"""The material of a grid: which data set is loaded, and what of it is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.small_material import make_material

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.experiments import load
from dmesr_core.experiments.grid import Block, Data, Grid
from dmesr_core.experiments.grids import GRIDS, get, whole
from dmesr_core.experiments.load import materials, subsample_training
from dmesr_core.experiments.variants import VARIANTS


def test_data_that_is_not_there_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("DMESR_DATA", raising=False)
    with pytest.raises(SettingsError, match="three_backbones_movielens.*'movielens'.*--data-dir.*movielens_posters/"):
        materials(get("three_backbones_movielens"))
    monkeypatch.setenv("DMESR_DATA", str(tmp_path))
    with pytest.raises(DataError, match="movielens_posters: there is no such folder"):
        materials(get("three_backbones_movielens"))


@pytest.mark.parametrize("mini", [False, True])
def test_the_bazaar_of_a_grid_does_not_depend_on_the_profile_of_the_environment(monkeypatch, mini):
    asked = []
    monkeypatch.setattr(load, "load_dataset", lambda *args, **settings: asked.append((args, settings)))
    monkeypatch.setenv("DMESR_PROFILE", "gpu")
    load.dataset_of(replace(get("three_backbones_sparse"), mini=mini), "bazaar-sparse", "a/folder")
    assert asked == [(("bazaar",), {"profile": "smoke"}) if mini else (("bazaar-sparse", None), {"profile": "cpu"})]


def test_data_without_a_catalogue_has_no_features(write_folder):
    folder = write_folder({"Beauty.txt": "".join(f"{u} 1 2 3 4\n" for u in range(1, 9))})
    data = Data("beauty")
    only_ids = Grid("ids", "", (Block((data,), {"id_only": VARIANTS["id_only"]}),))
    material = materials(only_ids, folder)[data]
    assert (material.name, material.features, material.facts, len(material.split.test)) == ("beauty", None, None, 8)
    looks = Grid("looks", "", (Block((data,), {"dmesr": VARIANTS["dmesr"]}),))
    with pytest.raises(SettingsError, match="grid 'looks': data 'beauty' has neither pictures nor texts"):
        materials(looks, folder)


def test_unknown_data_is_named():
    odd = Grid("odd", "", (Block((Data("amazon"),), {"id_only": VARIANTS["id_only"]}),))
    with pytest.raises(SettingsError, match="grid 'odd': unknown data 'amazon': choose one of bazaar, "):
        materials(odd)


def test_material_of_a_tiny_grid():
    grid = get("ablations", "smoke")
    found = materials(grid)
    full, half = found[Data("bazaar")], found[Data("bazaar", share=0.5)]
    assert full.features is half.features and full.facts is half.facts is not None
    assert len(half.split.train) == round(0.5 * len(full.split.train))
    assert (half.name, half.share) == ("bazaar", 0.5)
    time = materials(get("three_backbones_time", "smoke"))[Data("bazaar", "global-time")]
    assert time.split.name == "global-time" and time.facts is None


def test_the_facts_of_the_bazaar_come_with_what_is_seen_and_what_is_read():
    material = materials(get("views", "smoke"))[Data("bazaar")]
    seen, read = material.fact_views
    assert set(seen) | set(read) == set(range(material.facts.shape[1]))
    assert set(seen) & set(read) == set(range(12))  # the category is in both
    assert materials(get("three_backbones_bazaar", "smoke"))[Data("bazaar")].fact_views == ()


def test_no_features_are_made_where_none_are_needed(monkeypatch):
    monkeypatch.setattr(load, "extract_features", lambda *_: pytest.fail("extracted"))
    only_ids = Block((Data("bazaar"),), {"a": VARIANTS["id_only"]})
    plain = replace(get("three_backbones_bazaar", "smoke"), blocks=(only_ids,))
    assert materials(plain)[Data("bazaar")].features is None


def test_fewer_shoppers_ask_the_same_questions():
    split = make_material().split
    half, quarter = subsample_training(split, 0.5), subsample_training(split, 0.25)
    assert subsample_training(split, 1.0) is split
    assert half.test is split.test and half.valid is split.valid
    assert (len(half.train), len(quarter.train)) == (20, 10)
    assert half.train_counts.sum() == half.train.lengths.sum() == len(half.train.items)
    sequences = {tuple(s) for s in half.train}
    assert all(tuple(s) in sequences for s in quarter.train)
    with pytest.raises(SettingsError, match="share"):
        subsample_training(split, 0.0)


def test_grids_of_the_bazaar_read_no_folder():
    folders = {name for name, grid in GRIDS.items() if any(load.reads_folder(part) for part in whole(grid))}
    assert folders == {
        "three_backbones", "three_backbones_movielens", "views_elsewhere", "quality_beauty", "quality_toys",
        "losses_beauty",
    }  # fmt: skip
    assert not load.reads_folder(get("quality_beauty", "smoke"))
