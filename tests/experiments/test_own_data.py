"""Grids on data of one's own: which jobs there are, their budget, and what happens when one fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core import profiles
from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError
from dmesr_core.experiments import grids
from dmesr_core.experiments.grid import Block, Data, Grid, Job
from dmesr_core.experiments.own_data import (
    default_settings,
    jobs_on,
    jobs_on_both_splits,
    scaled_epochs,
    train,
)
from dmesr_core.experiments.variants import VARIANTS, Variant
from dmesr_core.training.settings import TrainSettings


def a_grid(*variants, shares=(1.0,), seeds=3, **settings):
    data = tuple(Data("bazaar", share=share) for share in shares)
    return Grid("g", "", (Block(data, {v: VARIANTS[v] for v in variants}, trains=(settings,), seeds=seeds),), epochs=25)


def test_default_settings_keep_only_the_seed():
    budget = default_settings(7)
    assert budget(TrainSettings(epochs=50, weight_decay=0.5, patience=9, seed=3)) == TrainSettings(epochs=7, seed=3)


@pytest.mark.parametrize(("epochs", "wanted"), [(25, 2), (50, 4), (200, 16), (5, 1)])
def test_epochs_are_scaled_in_proportion_and_never_vanish(epochs, wanted):
    budget = scaled_epochs(a_grid("id_only"), 2)
    assert budget(TrainSettings(epochs=epochs, patience=9)) == TrainSettings(epochs=wanted, patience=9)


def test_jobs_are_those_of_the_grid_with_the_first_seeds_and_no_facts():
    material = make_material()
    grid = a_grid("popularity", "id_only", "fact_oracle", "dmesr")
    work = jobs_on(grid, material.split, material.features, "mine", default_settings(2), n_seeds=2)
    assert {(job.name, job.train.seed) for job, _ in work} == {
        ("popularity", 0), ("id_only", 0), ("dmesr", 0), ("id_only", 1), ("dmesr", 1),
    }  # fmt: skip
    assert {job.grid for job, _ in work} == {"g"}
    assert all(own.name == "mine" and own.features is material.features for _, own in work)


def test_each_share_has_its_own_training_sequences_and_the_same_test_cases():
    material = make_material()
    grid = a_grid("id_only", shares=(1.0, 0.5), seeds=1)
    work = jobs_on(grid, material.split, material.features, "mine", scaled_epochs(grid, 2))
    by_share = {own.share: own for _, own in work}
    assert by_share[1.0].split is material.split
    assert len(by_share[0.5].split.train) == round(len(material.split.train) / 2)
    assert by_share[0.5].split.test is material.split.test


@pytest.mark.parametrize("name", ["three_backbones_bazaar", "ablations", "losses"])
def test_the_grids_that_chapters_train_have_jobs_here(name):
    material = make_material()
    grid = grids.get(name)
    assert jobs_on(grid, material.split, material.features, "mine", scaled_epochs(grid, 2))


def test_training_gives_a_record_per_job_in_order_and_remembers_them(tmp_path):
    material = make_material()
    jobs = [Job(name, VARIANTS[name], BACKBONE, TRAIN, "g") for name in ("id_only", "popularity")]
    work = [(job, replace(material, name="mine")) for job in jobs]
    records = train(work, tmp_path, workers=1)
    assert [(r.variant["name"], r.data) for r in records] == [("id_only", "mine"), ("popularity", "mine")]
    assert [r.to_json() for r in train(work, tmp_path, workers=1)] == [r.to_json() for r in records]


def test_a_training_that_fails_is_named():
    material = make_material()
    work = [
        (Job("popularity", VARIANTS["popularity"], BACKBONE, TRAIN), material),
        (Job("strange", Variant("no such kind"), BACKBONE, TRAIN), material),
    ]
    with pytest.raises(DataError, match="strange.*unknown kind"):
        train(work, workers=1)


def test_both_splits_have_their_own_number_of_seeds_and_the_epochs_of_the_profile():
    material, profile = make_material(), replace(profiles.get("smoke"), ablation_seeds=2)
    user, item = np.repeat(np.arange(40), 6), np.tile(np.arange(1, 7), 40)
    log = Interactions.from_columns(user, item, np.tile(np.arange(6.0), 40), 12)
    work = jobs_on_both_splits(a_grid("id_only"), log, material.features, "mine", profile)
    assert [(own.split.name, job.train.seed) for job, own in work] == [
        ("leave-one-out", 0), ("leave-one-out", 1), ("global-time", 0),
    ]  # fmt: skip
    assert {job.train.epochs for job, _ in work} == {profile.max_epochs}
