"""Comparisons: each run done once, remembered under all that made it, and the same with one worker or two."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_material import BACKBONE, TRAIN, make_material

from dmesr_core import experiments, grids, trainings
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.experiments import VARIANTS, Variant, compare_variants, load_or_run, run, run_grid
from dmesr_core.grids import Block, Data, Grid
from dmesr_core.rows import read_rows, write_rows

MINI = Grid("mini", "for a test", (Block((Data("bazaar"), Data("bazaar", share=0.5)),
                                         {n: VARIANTS[n] for n in ("popularity", "id_only")}, seeds=2),),
            epochs=1, mini=True)  # fmt: skip


def never(*args, **kwargs):
    raise AssertionError("trained again")


def test_a_run_is_done_once_and_read_back_the_same(tmp_path, monkeypatch):
    material = make_material()
    first = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)
    monkeypatch.setattr(trainings, "fit", never)
    second = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)
    assert first.to_json() == second.to_json()
    renamed = run("plain", VARIANTS["id_only"], replace(material, name="shop"), BACKBONE, TRAIN, tmp_path)
    assert (renamed.get("variant"), renamed.data, renamed.key) == ("plain", "shop", first.key)
    assert renamed.metrics == first.metrics


def test_a_run_without_a_folder_is_the_same_row(tmp_path):
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


def test_stored_rows_are_found_by_the_jobs_that_made_them():
    (data,) = grids.materials(grid := grids.get("losses")).items()
    wanted = {trainings.key_of(job, data[1]) for job in grids.jobs(grid)[data[0]]}
    stored = read_rows(experiments.results_file("losses"))
    if any(row.versions["torch"] != torch.__version__ for row in stored):
        pytest.skip("the rows were made with another torch, which is part of their key")
    assert {row.key for row in stored} == wanted


def test_other_code_trains_anew(tmp_path, monkeypatch):
    run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, tmp_path)
    monkeypatch.setattr(trainings, "code_hash", lambda: "another")
    again = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert not again.made_by_this_code


def test_two_workers_give_what_one_gives():
    material = make_material()
    one, _ = compare_variants(["id_only", "dmesr"], material, [0, 1], BACKBONE, TRAIN, workers=1, progress=False)
    two, rows = compare_variants(["id_only", "dmesr"], material, [0, 1], BACKBONE, TRAIN, workers=2, progress=False)
    for name in one:
        assert one[name].per_case["ndcg@10"].shape == (2, 40)
        assert (
            one[name].per_case["ndcg@10"] == two[name].per_case["ndcg@10"]
        ).all()  # one thread each: to the last bit
    assert [row.report["settings"]["seed"] for row in rows["dmesr"]] == [0, 1]
    assert {row.threads for row in rows["dmesr"]} == {1}


def test_what_cannot_be_trained_is_refused_by_name():
    material = make_material()
    with pytest.raises(SettingsError, match="'magic'.*id_only"):
        compare_variants(["magic"], material, [0], BACKBONE, TRAIN)
    with pytest.raises(DataError, match="fact_oracle on sasrec, seed 0: SettingsError: .*only the Bazaar"):
        bare = replace(material, facts=None)
        compare_variants(["fact_oracle"], bare, [0], BACKBONE, TRAIN, workers=1, progress=False)


def test_a_grid_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    fit, trained = trainings.fit, []

    def interrupted(model, split, settings, **how):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(settings.seed)
        return fit(model, split, settings, **how)

    monkeypatch.setattr(trainings, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    rows, failures = run_grid(MINI, folder=tmp_path, train=False)
    assert len(rows["mini"]) == 4 and not failures  # popularity twice, and the two trainings of seed 0
    assert trained == [0, 0]

    monkeypatch.setattr(trainings, "fit", lambda *a, **k: trained.append(a[2].seed) or fit(*a, **k))
    rows, failures = run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    assert trained == [0, 0, 1, 1] and not failures
    assert len(rows["mini"]) == 6 and {row.grid for row in rows["mini"]} == {"mini"}
    results = experiments.table(rows["mini"], by=("share", "variant"))
    assert set(results) == {(share, name) for share in (0.5, 1.0) for name in ("popularity", "id_only")}
    assert results[0.5, "id_only"].n_seeds == 2


def test_one_failure_does_not_lose_the_others(tmp_path, monkeypatch):
    fit = trainings.fit

    def sometimes(model, split, settings, **how):
        if settings.seed == 1:
            raise DataError("the loss of epoch 3 is nan")
        return fit(model, split, settings, **how)

    monkeypatch.setattr(trainings, "fit", sometimes)
    rows, failures = run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    assert len(rows["mini"]) == 4
    assert [f.what for f in failures] == [
        "bazaar, leave-one-out: id_only on sasrec, seed 1",
        "bazaar, leave-one-out, 0.5 of the shoppers: id_only on sasrec, seed 1",
    ]
    assert failures[0].error == "DataError: the loss of epoch 3 is nan"


def test_a_chapter_reads_what_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "RESULTS", tmp_path)
    with pytest.raises(DataError, match="ablations.jsonl: there is no such file"):
        load_or_run("ablations")
    row = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)
    for part in ("bazaar", "sparse", "movielens", "time"):
        write_rows([replace(row, grid=part)], tmp_path / f"three_backbones_{part}.jsonl")
    assert [r.grid for r in load_or_run("three_backbones", "cpu")] == ["bazaar", "sparse", "movielens", "time"]


def test_in_profile_smoke_a_chapter_runs_a_tiny_grid_itself(monkeypatch):
    monkeypatch.setitem(experiments.grids.GRIDS, "mini", replace(MINI, mini=False))
    rows = load_or_run("mini", "smoke")
    assert len(rows) == 4 and {row.sizes["items"] for row in rows} == {120}  # one seed, popularity beside it
    assert all(np.isfinite(row.metrics["full"]["ndcg@10"]) for row in rows)


def test_rows_that_stand_are_not_trained_again(tmp_path, monkeypatch):
    rows, _ = run_grid(MINI, folder=tmp_path, workers=1, progress=False, only=["id_only"])
    assert {row.get("variant") for row in rows["mini"]} == {"id_only"} and len(rows["mini"]) == 4
    older = [replace(row, code="older") for row in rows["mini"]]
    monkeypatch.setattr(trainings, "fit", never)
    rows, failures = run_grid(MINI, folder=tmp_path / "empty", workers=1, progress=False, kept=older)
    assert not failures and len(rows["mini"]) == 6
    assert {row.made_by_this_code for row in rows["mini"] if row.get("variant") == "id_only"} == {False}
