"""Jobs of a grid: their order, and what it refuses."""

import pytest

from dmesr_core.errors import SettingsError
from dmesr_core.experiments.grid import Block, Data, Grid, jobs
from dmesr_core.experiments.grids import get
from dmesr_core.experiments.variants import VARIANTS
from dmesr_core.models.backbones import BACKBONES


def test_seed_by_seed_and_longest_first():
    (some,) = jobs(get("three_backbones_bazaar")).values()
    assert [job.train.seed for job in some] == sorted(job.train.seed for job in some)
    first = [job for job in some if job.train.seed == 0]
    assert first[0].name == "llm_esr" and first[-1].name == "popularity"


def test_what_a_grid_does_not_know_counts_as_short(monkeypatch):
    monkeypatch.setitem(BACKBONES, "mamba", BACKBONES["sasrec"])
    odd = Grid("odd", "", (Block((Data("bazaar"),), {"id_only": VARIANTS["id_only"]}, ("sasrec", "mamba"), seeds=1),))
    (some,) = jobs(odd).values()
    assert {job.backbone.name for job in some} == {"sasrec", "mamba"}


def test_settings_that_do_not_exist_are_refused():
    odd = Grid("odd", "", (Block((Data("bazaar"),), {"id_only": VARIANTS["id_only"]}, trains=({"losss": "ce"},)),))
    with pytest.raises(SettingsError, match="grid 'odd': training has no setting losss"):
        jobs(odd)
    odd = Grid("odd", "", (Block((Data("bazaar"),), {"id_only": VARIANTS["id_only"]}, sizes={"depth": 2}),))
    with pytest.raises(SettingsError, match="grid 'odd': a backbone has no setting depth"):
        jobs(odd)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "leave_one_out"}, "unknown split 'leave_one_out': choose one of leave-one-out, global-time"),
        ({"share": 0.0}, "share must be above 0 and at most 1"),
        ({"share": 1.5}, "share must be above 0 and at most 1"),
    ],
)
def test_data_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        Data("bazaar", **changes)


def test_what_two_blocks_ask_for_is_trained_once():
    rows = {name: VARIANTS[name] for name in ("popularity", "id_only")}
    blocks = Block((Data("bazaar"),), rows, seeds=1), Block((Data("bazaar"),), rows, seeds=3)
    other = Block((Data("bazaar"),), rows, sizes={"dropout": 0.4}, seeds=1)
    (some,) = jobs(Grid("odd", "", (*blocks, other))).values()
    asked = sorted((job.name, job.train.seed, job.backbone.dropout) for job in some)
    assert asked == [("id_only", 0, 0.2), ("id_only", 0, 0.4), ("id_only", 1, 0.2), ("id_only", 2, 0.2),
                     ("popularity", 0, 0.2)]  # fmt: skip
