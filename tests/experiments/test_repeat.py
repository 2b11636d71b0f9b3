"""Trained again: the right job is found, really trained, and compared rank by rank."""

from __future__ import annotations

import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material
from helpers.study_records import make_record, spread

from dmesr_core.errors import DataError
from dmesr_core.experiments import own_data, repeat
from dmesr_core.experiments.grid import Job
from dmesr_core.experiments.variants import VARIANTS


def test_records_are_picked_in_the_order_wanted_with_one_seed():
    records = [make_record(v, seed=s) for s in (1, 0) for v in ("dmesr", "id_only")]
    picked = repeat.pick(records, [("sasrec", "id_only"), ("gru4rec", "id_only"), ("sasrec", "dmesr")])
    assert [(r.get("variant"), r.seed) for r in picked] == [("id_only", 0), ("dmesr", 0)]


def test_the_same_ranks_are_counted_case_by_case():
    a, b = spread(0, 20), spread(0, 20)
    b[:10] += 1
    assert repeat.same_ranks(make_record("dmesr", above=a), make_record("dmesr", above=a)) == 1
    assert repeat.same_ranks(make_record("dmesr", above=a), make_record("dmesr", above=b)) == 0.75


def test_a_record_is_trained_again_on_its_own_split_and_comes_out_the_same():
    jobs = [Job(v, VARIANTS[v], BACKBONE, TRAIN, "g") for v in ("popularity", "id_only")]
    work = [(job, make_material(split=split)) for split in ("global-time", "leave-one-out") for job in jobs]
    stored = own_data.train(work, workers=1)[3:]
    (again,) = repeat.train_again(stored, work)
    assert (again.get("variant"), again.split) == ("id_only", "leave-one-out")
    assert repeat.same_ranks(stored[0], again) == 1
    with pytest.raises(DataError, match="no job makes sasrec and dmesr with seed 0"):
        repeat.train_again([make_record("dmesr")], work)


def test_a_grid_gives_its_jobs_with_their_material(monkeypatch):
    monkeypatch.setattr(repeat.load, "materials", lambda grid: dict.fromkeys(repeat.jobs(grid), grid.name))
    work = repeat.grid_work("losses", "smoke")
    assert {material for _, material in work} == {"losses"}
    assert {job.train.epochs for job, _ in work} == {2}
