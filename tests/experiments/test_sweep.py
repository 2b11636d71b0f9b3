"""Comparisons: each run done once, remembered under all that made it, and the same with one worker or two."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.experiments import grids, load, records, sweep
from dmesr_core.experiments import run as run_module
from dmesr_core.experiments.grid import Block, Data, Grid, jobs
from dmesr_core.experiments.grids import GRIDS
from dmesr_core.experiments.records import read_records, write_records
from dmesr_core.experiments.run import identity, identity_of, key_of, run
from dmesr_core.experiments.sweep import compare_variants, load_or_run, made_by, merge_records, run_grid
from dmesr_core.experiments.variants import VARIANTS

MINI = Grid("mini", "for a test", (Block((Data("bazaar"), Data("bazaar", share=0.5)),
                                         {n: VARIANTS[n] for n in ("popularity", "id_only")}, seeds=2),),
            epochs=1, mini=True)  # fmt: skip


def never(*args, **kwargs):
    raise AssertionError("trained again")


def test_records_that_come_with_the_package_are_of_jobs_of_its_grids():
    """Whatever code and torch made them, and whichever settings there were then."""
    for grid in GRIDS.values():
        if not sweep.results_file(grid.name).is_file():
            continue
        wanted = {identity(job, data) for data, some in jobs(grid).items() for job in some}
        found = [identity_of(row) for row in read_records(sweep.results_file(grid.name))]
        assert len(set(found)) == len(found)
        assert set(found) <= wanted, grid.name


def test_stored_records_are_found_by_the_jobs_that_made_them():
    (data,) = load.materials(grid := grids.get("losses")).items()
    wanted = {key_of(job, data[1]) for job in jobs(grid)[data[0]]}
    stored = read_records(sweep.results_file("losses"))
    if any(row.versions["torch"] != torch.__version__ for row in stored):
        pytest.skip("the records were made with another torch, which is part of their key")
    assert {row.key for row in stored} == wanted


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
    fit, trained = run_module.fit, []

    def interrupted(model, split, settings, **how):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(settings.seed)
        return fit(model, split, settings, **how)

    monkeypatch.setattr(run_module, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    rows, failures = run_grid(MINI, folder=tmp_path, train=False)
    assert len(rows["mini"]) == 4 and not failures  # popularity twice, and the two trainings of seed 0
    assert trained == [0, 0]

    monkeypatch.setattr(run_module, "fit", lambda *a, **k: trained.append(a[2].seed) or fit(*a, **k))
    rows, failures = run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    assert trained == [0, 0, 1, 1] and not failures
    assert len(rows["mini"]) == 6 and {row.grid for row in rows["mini"]} == {"mini"}
    results = records.table(rows["mini"], by=("share", "variant"))
    assert set(results) == {(share, name) for share in (0.5, 1.0) for name in ("popularity", "id_only")}
    assert results[0.5, "id_only"].n_seeds == 2


def test_one_failure_does_not_lose_the_others(tmp_path, monkeypatch):
    fit = run_module.fit

    def sometimes(model, split, settings, **how):
        if settings.seed == 1:
            raise DataError("the loss of epoch 3 is nan")
        return fit(model, split, settings, **how)

    monkeypatch.setattr(run_module, "fit", sometimes)
    rows, failures = run_grid(MINI, folder=tmp_path, workers=1, progress=False)
    assert len(rows["mini"]) == 4
    assert [f.what for f in failures] == [
        "bazaar, leave-one-out: id_only on sasrec, seed 1",
        "bazaar, leave-one-out, 0.5 of the shoppers: id_only on sasrec, seed 1",
    ]
    assert failures[0].error == "DataError: the loss of epoch 3 is nan"


def test_a_chapter_reads_what_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "RESULTS", tmp_path)
    with pytest.raises(DataError, match="ablations.jsonl: there is no such file"):
        load_or_run("ablations")
    row = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)
    for part in ("bazaar", "sparse", "movielens", "time"):
        write_records([replace(row, grid=part)], tmp_path / f"three_backbones_{part}.jsonl")
    assert [r.grid for r in load_or_run("three_backbones", "cpu")] == ["bazaar", "sparse", "movielens", "time"]


def test_in_profile_smoke_a_chapter_runs_a_tiny_grid_itself(monkeypatch):
    monkeypatch.setitem(sweep.grids.GRIDS, "mini", replace(MINI, mini=False))
    rows = load_or_run("mini", "smoke")
    assert len(rows) == 4 and {row.sizes["items"] for row in rows} == {120}  # one seed, popularity beside it
    assert all(np.isfinite(row.metrics["full"]["ndcg@10"]) for row in rows)


def test_records_that_stand_are_not_trained_again(tmp_path, monkeypatch):
    rows, _ = run_grid(MINI, folder=tmp_path, workers=1, progress=False, only=["id_only"])
    assert {row.get("variant") for row in rows["mini"]} == {"id_only"} and len(rows["mini"]) == 4
    older = [replace(row, code="older") for row in rows["mini"]]
    monkeypatch.setattr(run_module, "fit", never)
    rows, failures = run_grid(MINI, folder=tmp_path / "empty", workers=1, progress=False, kept=older)
    assert not failures and len(rows["mini"]) == 6
    assert {row.made_by_this_code for row in rows["mini"] if row.get("variant") == "id_only"} == {False}
    others = [replace(row, fingerprint="of other cases") for row in older]
    _, failures = run_grid(MINI, folder=tmp_path / "empty", workers=1, progress=False, kept=others)
    assert len(failures) == 4 and "trained again" in failures[0].error  # so named, but of other data


def some_rows() -> list:
    """Four rows of one training each."""
    row = run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)
    names = [{**row.variant, "name": name} for name in ("a", "b")]
    return [
        replace(row, variant=variant, key=f"{seed}", seed=seed, train=row.train | {"seed": seed})
        for variant in names
        for seed in (0, 1)
    ]


def said(merged) -> tuple[int, int, int, int]:
    return merged.added, merged.replaced, merged.kept, merged.dropped


def test_a_record_takes_the_place_of_one_of_the_same_training_only(tmp_path):
    rows, file = some_rows(), tmp_path / "rows.jsonl"
    assert said(merge_records(rows[:3], file)) == (3, 0, 0, 0)
    anew = replace(rows[1], code="another", key="9", versions={"torch": "2.13.0+cu130"})
    merged = merge_records([anew, rows[3], rows[2]], file)
    assert said(merged) == (1, 1, 2, 0)
    assert merged.jobs == {identity_of(row) for row in rows}
    assert {row.to_json() for row in read_records(file)} == {row.to_json() for row in (rows[0], anew, rows[2], rows[3])}


def test_a_file_without_news_is_left_alone(tmp_path):
    rows, file = some_rows(), tmp_path / "rows.jsonl"
    file.write_text("".join(f"{row.to_json()}\n" for row in rows[::-1]))
    before = file.read_text()
    for news in ([], rows[:2], rows):
        assert said(merge_records(news, file)) == (0, 0, 4, 0)
        assert file.read_text() == before
    merge_records([], tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_records_are_dropped_on_demand_only(tmp_path):
    rows, file = some_rows(), tmp_path / "rows.jsonl"
    merge_records(rows[:3], file)
    merged = merge_records([rows[3]], file, stay={identity_of(rows[0])})
    assert said(merged) == (1, 0, 1, 2)
    assert [row.to_json() for row in read_records(file)] == [rows[0].to_json(), rows[3].to_json()]


def test_only_what_a_grid_has_can_be_asked_for(monkeypatch):
    monkeypatch.setattr(load, "materials", lambda *_: pytest.fail("read data"))
    with pytest.raises(SettingsError, match="nothing called 'id_onyl': choose from the backbones bert4rec, gru4rec, s"):
        run_grid("three_backbones_bazaar", only=["sasrec", "id_onyl"])
    with pytest.raises(SettingsError, match="the variants id_only, popularity"):
        run_grid(MINI, only=["dmesr"])
    with pytest.raises(SettingsError, match="combines 'gru4rec', 'popularity' with none of the other names"):
        run_grid("three_backbones_bazaar", only=["gru4rec", "popularity"])


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        (["gru4rec"], {("gru4rec", "id_only"), ("gru4rec", "raw")}),
        (["raw"], {("gru4rec", "raw"), ("sasrec", "raw")}),
        (["gru4rec", "raw"], {("gru4rec", "raw")}),
        (["gru4rec", "sasrec", "raw"], {("gru4rec", "raw"), ("sasrec", "raw")}),
        (["gru4rec", "raw", "id_only"], {("gru4rec", "id_only"), ("gru4rec", "raw")}),
    ],
)
def test_backbones_and_variants_together_mean_these_on_those(only, wanted, monkeypatch):
    asked = []
    monkeypatch.setattr(sweep, "run_jobs", lambda work, *_: asked.extend(job for job, _ in work) or [])
    monkeypatch.setattr(load, "materials", lambda *_: {Data("bazaar"): make_material()})
    variants = {name: VARIANTS[name] for name in ("id_only", "raw")}
    run_grid(Grid("two", "", (Block((Data("bazaar"),), variants, ("sasrec", "gru4rec"), seeds=1),)), only=only)
    assert {(job.backbone.name, job.name) for job in asked} == wanted


def test_a_folder_that_nobody_would_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "run_jobs", never)
    with pytest.raises(SettingsError, match="'ablations' reads no folder .all its data is the Bazaar.: leave out '.*"):
        run_grid("ablations", data_dir=tmp_path)
    with pytest.raises(SettingsError, match="'three_backbones' reads no folder .in this profile a tiny Bazaar"):
        run_grid("three_backbones", "smoke", data_dir=tmp_path)
    with pytest.raises(DataError, match="Beauty.txt: there is no such file"):
        run_grid("quality_beauty", data_dir=tmp_path)


def test_words_for_the_code_that_made_records():
    rows = some_rows()
    one, two = replace(rows[0], code="one"), replace(rows[0], code="two")
    assert made_by(rows) == "by the code that you have before you"
    assert made_by([one, two, one]) == "by earlier states of this code"
    assert made_by([one, one]) == "by an earlier state of this code"
    assert made_by([rows[0], one, two]) == "by 3 states of this code, 33% by the present one"
    assert made_by([*rows * 100, one]) == "by 2 states of this code, 99% by the present one"
    assert made_by([rows[0], *[one] * 400]) == "by 2 states of this code, 1% by the present one"
    with pytest.raises(DataError, match="no records"):
        made_by([])
