"""Freshness of stored records: what is of the present code, of an earlier one, missing, or of no training."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from helpers.study_records import make_record

from dmesr_core.errors import DataError
from dmesr_core.experiments.freshness import freshness, of_file
from dmesr_core.experiments.grid import Block, Data, Grid, jobs
from dmesr_core.experiments.records import write_records
from dmesr_core.experiments.variants import VARIANTS

GRID = Grid(
    "few", "for a test", (Block((Data("bazaar"), Data("beauty")), {"id_only": VARIANTS["id_only"]}, seeds=2),)
)  # fmt: skip


def made():
    """A record of each training of the grid."""
    return [
        replace(
            make_record(job.name, (data.name, data.split), seed=job.train.seed, grid="few"),
            backbone=asdict(job.backbone), train=asdict(job.train), variant={"name": job.name, **asdict(job.variant)},
        )
        for data, some in jobs(GRID).items() for job in some
    ]  # fmt: skip


def test_all_of_the_present_code():
    state = freshness(GRID, made())
    assert state.whole and str(state) == "4 of 4 trainings by the present code (100%)"


def test_what_is_stale_missing_or_of_another_grid_is_counted_by_data():
    records = made()
    records[0] = replace(records[0], code="old")
    stranger = replace(records[1], train=records[1].train | {"epochs": 7})
    state = freshness(GRID, [*records[:3], stranger])
    assert not state.whole and (state.wanted, state.present, state.others) == (4, 2, 1)
    assert str(state) == (
        "2 of 4 trainings by the present code (50%); by earlier states: 1 on bazaar; without a record: 1 on beauty; "
        "not of the grid as it is now: 1"
    )
    assert not freshness(GRID, [*made(), stranger]).whole


def test_a_file_that_is_not_there_has_nothing(tmp_path):
    assert of_file(GRID, tmp_path / "few.jsonl").missing == {"bazaar": 2, "beauty": 2}
    write_records(made(), tmp_path / "few.jsonl")
    assert of_file(GRID, tmp_path / "few.jsonl").whole
    (tmp_path / "few.jsonl").write_text("no record\n")
    with pytest.raises(DataError, match=r"few.jsonl, line 1: this is not a record"):
        of_file(GRID, tmp_path / "few.jsonl")
