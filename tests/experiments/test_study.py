"""A study: which backbones count, in which order results come, and what is left out."""

from __future__ import annotations

import pytest
from helpers.study_records import BY_TIME, HOME, make_record, make_study_records

from dmesr_core.experiments import study as study_module
from dmesr_core.experiments.study import CONTENDERS, UNIT_LENGTH, Study


def test_a_backbone_counts_where_it_has_every_contender():
    records = make_study_records({}, [HOME, BY_TIME], ["sasrec", "gru4rec"])
    without = [r for r in records if not (r.split == "global-time" and r.get("backbone") == "gru4rec" and r.report)]
    study = Study.of(without + [make_record("dmesr", BY_TIME, "gru4rec")])
    assert study.backbones == {HOME: ["gru4rec", "sasrec"], BY_TIME: ["sasrec"]}
    assert study.all_backbones == ["gru4rec", "sasrec"]
    assert {(r.split, r.get("backbone")) for r in study.trained} == {
        ("leave-one-out", "sasrec"), ("leave-one-out", "gru4rec"), ("global-time", "sasrec"),
    }  # fmt: skip


def test_cells_come_in_the_order_of_titles_backbones_and_variants():
    records = make_study_records({}, [BY_TIME, HOME], ["sasrec", "gru4rec"])
    study = Study.of(reversed(records))
    backbones = ("gru4rec", "sasrec")
    assert list(study.cells()) == [(at, b, v) for at in (HOME, BY_TIME) for b in backbones for v in CONTENDERS]
    assert study.home == HOME


def test_cells_of_other_variants_need_all_of_them():
    records = make_study_records({}, backbones=["sasrec", "gru4rec"])
    units = [make_record(v, backbone="sasrec") for v in ("id_unit", "dmesr_unit")]
    study = Study.of([*records, *units, make_record("id_unit", backbone="gru4rec")])
    assert list(study.cells(UNIT_LENGTH)) == [(HOME, "sasrec", v) for v in UNIT_LENGTH]


def test_only_seeds_that_all_variants_of_a_backbone_have_are_kept():
    records = [*make_study_records({}, seeds=2), make_record("dmesr", seed=2)]
    study = Study.of(records)
    assert {result.n_seeds for result in study.cells().values()} == {2}
    assert len(study.records_of(HOME)) == len(records) - 1


def test_popularity_is_found_for_each_data_set_and_protocol():
    study = Study.of(make_study_records({"popularity": 7}, [HOME, BY_TIME], sampled={"popularity": 0}))
    assert list(study.popularity()) == [HOME, BY_TIME]
    assert study.popularity("sampled")[HOME].mean()["mrr@10"] == 1
    assert study.popularity()[HOME].mean()["mrr@10"] == pytest.approx(1 / 8)


def test_a_data_set_without_a_title_is_left_out():
    study = Study.of(make_study_records({}, [HOME, ("beauty", "leave-one-out")]))
    assert list(study.backbones) == [HOME]


def test_a_part_without_records_in_the_package_is_not_loaded(tmp_path, monkeypatch):
    parts = study_module.grids.get("three_backbones").parts
    (tmp_path / f"{parts[1]}.jsonl").touch()
    monkeypatch.setattr(study_module, "results_file", lambda part: tmp_path / f"{part}.jsonl")
    monkeypatch.setattr(study_module, "load_or_run", lambda part, profile: [part])
    monkeypatch.setattr(Study, "of", classmethod(lambda cls, records: list(records)))
    assert Study.load("three_backbones", "cpu") == [parts[1]]
    assert Study.load("three_backbones", "smoke") == list(parts)
    (tmp_path / f"{parts[1]}.jsonl").unlink()
    assert Study.load("three_backbones", "cpu") == [parts[0]]
