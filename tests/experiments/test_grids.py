"""The named experiments: what they combine, in which order."""

import math

import pytest

from dmesr_core import profiles
from dmesr_core.errors import SettingsError
from dmesr_core.experiments import grids
from dmesr_core.experiments.grid import Data, jobs
from dmesr_core.experiments.grids import GRIDS, get, whole
from dmesr_core.experiments.variants import VARIANTS, needs_of


@pytest.mark.parametrize("name", list(GRIDS))
def test_every_grid_can_be_spelled_out(name):
    grid = get(name)
    for part in whole(grid):
        for data, some in jobs(part).items():
            once = {(str(job), job.backbone.dropout) for job in some}
            assert len(once) == len(some) or name.startswith(("losses", "care"))
            assert all(set(needs_of(job.variant)) <= {"features", "facts"} for job in some)
            assert {job.grid for job in some} == {part.name}
            assert data.split in ("leave-one-out", "global-time")


def test_the_main_grid_compares_what_it_says():
    parts = whole(get("three_backbones"))
    assert len(parts) == 4
    for part in parts:
        (some,) = jobs(part).values()
        trained = [job for job in some if job.name != "popularity"]
        assert len(trained) == 3 * 7 * 5 and len(some) == len(trained) + 1
        assert {job.backbone.name for job in trained} == {"sasrec", "gru4rec", "bert4rec"}
        assert {job.name for job in trained} == set(grids.COMPARED) - {"popularity"}


def test_ablations_change_one_thing_at_a_time():
    some = jobs(get("ablations"))[Data("bazaar")]
    for job in some:
        if job.variant.kind == "dmesr":
            assert len(job.variant.changes) <= 1
    assert {"alpha=0.2", "temperature=0.5", "fine_tokens=4", "no_fusion"} <= {job.name for job in some}


@pytest.mark.parametrize("name", ["ablations", "views_fewer"])
def test_fewer_shoppers_are_trained_for_as_many_steps(name):
    shoppers, steps, waits = profiles.get("cpu").n_shoppers, {}, {}
    everything = {Data("bazaar"): jobs(get("ablations"))[Data("bazaar")]}
    for data, some in (everything | jobs(get(name))).items():
        per_epoch = {math.ceil(data.share * shoppers / job.train.batch_size) for job in some}
        (steps[data.share],) = {n * job.train.epochs for n in per_epoch for job in some if job.name != "popularity"}
        (waits[data.share],) = {n * job.train.patience for n in per_epoch for job in some if job.name != "popularity"}
    assert set(steps) == {0.125, 0.25, 0.5, 1.0}
    for found in (steps, waits):
        assert found == pytest.approx(dict.fromkeys(found, found[1.0]), rel=0.05)


def test_the_tiny_grid_has_every_cell_of_the_large_one():
    for name in ("three_backbones_sparse", "ablations"):
        large, tiny = get(name), get(name, "smoke")
        cells = [{(d, j.name, j.backbone.name) for d, some in jobs(g).items() for j in some} for g in (large, tiny)]
        assert cells[0] == cells[1]
        assert tiny.mini and all(job.train.epochs == 2 for some in jobs(tiny).values() for job in some)


def test_mistakes_are_named():
    with pytest.raises(SettingsError, match="unknown grid 'everything': choose one of three_backbones"):
        get("everything")


def test_a_block_may_change_the_size_of_the_backbone():
    for some in jobs(get("quality_toys")).values():
        sizes = {(job.name, job.backbone.width, job.backbone.head, job.train.epochs) for job in some}
        assert sizes == {
            ("id_only", 64, False, 60), ("id_unit", 64, False, 60), ("id_once", 64, True, 30),
            ("id_wide", 128, True, 30),
        }  # fmt: skip


def test_a_part_of_a_grid_is_about_one_data_set():
    part = grids.only_on(get("views"), "bazaar-sparse")
    assert {data.name for data in jobs(part)} == {"bazaar-sparse"}
    assert len(jobs(part)[Data("bazaar-sparse")]) == len(jobs(get("views"))[Data("bazaar-sparse")])


def test_views_are_compared_under_stated_settings():
    for some in jobs(get("views")).values():
        assert {job.backbone.dropout for job in some} == {0.2, 0.4}
        (epochs,) = {job.train.epochs for job in some if job.backbone.name != "bert4rec"}
        assert epochs == profiles.get("cpu").max_epochs


@pytest.mark.parametrize("name", ["views", "views_elsewhere", "views_fewer"])
def test_ours_has_one_setting_for_all_data_and_backbones(name):
    ours = [(data, job) for data, some in jobs(get(name)).items() for job in some if job.name == "dmesr_views"]
    assert len({(data, job.backbone.name) for data, job in ours}) > 4
    assert {(job.backbone.dropout, str(job.variant)) for _, job in ours} == {(0.2, str(VARIANTS["dmesr_views"]))}
