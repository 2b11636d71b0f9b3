"""One training: done once, stored under all that decides its result, and identified by what its grid says."""

from dataclasses import replace

import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.experiments import run as run_module
from dmesr_core.experiments.grid import Data, Job
from dmesr_core.experiments.run import identity, identity_of, run
from dmesr_core.experiments.variants import VARIANTS, Variant


def never(*args, **kwargs):
    raise AssertionError("trained again")


def test_a_run_is_done_once_and_read_back_the_same(tmp_path, monkeypatch):
    material = make_material()
    first = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)
    monkeypatch.setattr(run_module, "fit", never)
    second = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)
    assert first.to_json() == second.to_json()
    renamed = run("plain", VARIANTS["id_only"], replace(material, name="shop"), BACKBONE, TRAIN, tmp_path)
    assert (renamed.get("variant"), renamed.data, renamed.key) == ("plain", "shop", first.key)
    assert renamed.metrics == first.metrics


def test_a_run_without_a_folder_is_the_same_record(tmp_path):
    kept = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, tmp_path)
    free = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)
    assert kept.ranks == free.ranks and kept.key == free.key and set(kept.report) == set(free.report)


@pytest.mark.parametrize(
    "change",
    [
        {"variant": Variant("dmesr", {"alpha": 0.5})},
        {"material": make_material(1)},
        {"train": replace(TRAIN, seed=1)},
        {"backbone": replace(BACKBONE, dropout=0.1)},
    ],
)
def test_whatever_decides_a_result_decides_where_it_is_kept(tmp_path, change):
    same = dict(variant=VARIANTS["dmesr"], material=make_material(), backbone=BACKBONE, train=TRAIN)
    for given in (same, same, same | change):
        run("x", given["variant"], given["material"], given["backbone"], given["train"], tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert not list(tmp_path.glob("*.tmp"))


def test_the_identity_of_a_record_is_all_that_its_grid_says():
    job, data = Job("a", Variant("dmesr", {"views": ("text",)}), BACKBONE, TRAIN, "mini"), Data("bazaar", share=0.5)
    material = replace(make_material(), name="bazaar", share=0.5)
    row = replace(run("a", job.variant, material, BACKBONE, TRAIN, None), grid="mini")
    assert identity_of(row) == identity(job, data)
    other = replace(row, code="older", key="0", versions={"torch": "2.13.0+cu130"}, metrics={})
    assert identity_of(other) == identity_of(row)
    differing = [
        replace(row, grid="maxi"), replace(row, data="shop"), replace(row, split="global-time"),
        replace(row, share=1.0), replace(row, variant=row.variant | {"name": "b"}),
        replace(row, variant=row.variant | {"changes": {"views": ["picture"]}}),
        replace(row, train=row.train | {"seed": 1}), replace(row, train=row.train | {"history_loss_weight": 0.1}),
        replace(row, backbone=row.backbone | {"head": True}), replace(row, backbone=row.backbone | {"name": "gru4rec"}),
    ]  # fmt: skip
    assert len({identity_of(other) for other in [row, *differing]}) == 1 + len(differing)
    counted = [replace(other, variant={"name": "p", "kind": "popularity", "changes": {}}) for other in differing[-4:]]
    assert len({identity_of(other) for other in counted}) == 1  # popularity knows no settings


def test_other_code_trains_anew(tmp_path, monkeypatch):
    run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, tmp_path)
    monkeypatch.setattr(run_module, "code_hash", lambda: "another")
    again = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert not again.made_by_this_code
