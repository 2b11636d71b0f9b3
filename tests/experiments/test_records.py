"""Rows: what is kept of a training is enough to compute every metric again, exactly."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation import groups, metrics
from dmesr_core.evaluation.ranking import EvalSettings, Ranks
from dmesr_core.evaluation.results import compare
from dmesr_core.experiments.records import (
    RunRecord,
    complete,
    pack_kinds,
    pack_ranks,
    pack_units,
    read_records,
    table,
    write_records,
)
from dmesr_core.experiments.run import run
from dmesr_core.experiments.variants import VARIANTS, build
from dmesr_core.models import scorers
from dmesr_core.training.fit import fit


@pytest.fixture(scope="module")
def row() -> RunRecord:
    torch.set_num_threads(1)
    return run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)


def other(row: RunRecord, **changes) -> RunRecord:
    """The row with other fields; a `variant` is given by its name."""
    if "variant" in changes:
        changes["variant"] = {**row.variant, "name": changes["variant"]}
    return replace(row, **changes)


def test_metrics_from_ranks_are_those_of_evaluate_exactly(row):
    split = make_material().split
    model = build(VARIANTS["id_only"], make_material(), BACKBONE, TRAIN.seed)
    fit(model, split, TRAIN, progress=False)
    scorer, where = scorers.model_scorer(model, split.n_items), f"{split.name} test"
    wanted = {
        "full": metrics.evaluate_cases(scorer, split.test, split.n_items, split=where),
        "unmasked": metrics.evaluate_cases(
            scorer, split.test, split.n_items, EvalSettings(mask_seen=False), split=where
        ),
        "sampled": metrics.evaluate_sampled(scorer, split.test, split.n_items, split=where),
    }
    assert set(wanted) == set(row.ranks)
    for protocol, result in wanted.items():
        found = row.result(protocol)
        assert found.protocol == result.protocol
        assert found.metrics == result.metrics
        for metric, values in result.per_case.items():
            assert (found.per_case[metric] == values).all()
        assert row.metrics[protocol] == result.mean()


def test_ranks_survive_however_many_items_are_tied():
    greater = np.array([0, 3, 19, 20, 254, 255, 256, 10_000])
    ties = np.array([1, 300, 70_000, 2, 5, 7, 1, 9])
    ranks = Ranks(greater, ties)
    packed = {"full": pack_ranks(ranks)}
    kept = RunRecord.ranks_of(type("Packed", (), {"ranks": packed})(), "full")
    assert (kept.greater == np.minimum(greater, 255)).all()
    assert (kept.n_ties[:5] == ties[:5]).all()
    first, second = metrics.metrics(ranks, (1, 20, 255)), metrics.metrics(kept, (1, 20, 255))
    assert all((first[m] == second[m]).all() for m in first)


def test_ranks_are_small():
    ranks = Ranks(np.random.default_rng(0).integers(0, 1200, 3000), np.ones(3000, np.int64))
    assert sum(map(len, pack_ranks(ranks).values())) < 3000


def test_groups_are_those_of_evaluate(row):
    split = make_material().split
    wanted = groups.case_groups(split, split.test)
    assert wanted["cold"].sum() == 4
    assert list(row.groups()) == list(wanted)
    assert all((row.groups()[name] == mask).all() for name, mask in wanted.items())
    assert pack_kinds(wanted) == row.kinds


def test_cases_of_one_user_stay_together():
    material = make_material(split="time")
    users = material.split.test.users
    assert len(np.unique(users)) < len(users)
    row = run("popularity", VARIANTS["popularity"], material, BACKBONE, TRAIN, None)
    units = row.result().units
    assert (units[:, None] == units).tolist() == (users[:, None] == users).tolist()
    assert pack_units(np.array([5, 9, 7])) is None
    assert row.split == "global-time" and "global-time test" in row.protocols["full"]


def test_rows_come_back_from_a_file_as_they_were(row, tmp_path):
    rows = [other(row, variant=name, seed=seed, key=f"{seed}") for name in ("b", "a") for seed in (1, 0)]
    write_records(rows, tmp_path / "some" / "grid.jsonl")
    write_records(rows[::-1], tmp_path / "again.jsonl")
    text = (tmp_path / "some" / "grid.jsonl").read_text()
    assert text == (tmp_path / "again.jsonl").read_text() and text.count("\n") == 4
    back = read_records(tmp_path / "some" / "grid.jsonl")
    assert [(r.variant["name"], r.seed) for r in back] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert back[0].to_json() == other(rows[3]).to_json()
    assert json.loads(text.splitlines()[0])["metrics"]["full"]["ndcg@10"] == row.metrics["full"]["ndcg@10"]


def test_a_file_that_is_no_file_of_rows_is_named(row, tmp_path):
    with pytest.raises(DataError, match="none.jsonl: there is no such file; `dmesr experiment`"):
        read_records(tmp_path / "none.jsonl")
    (tmp_path / "x.jsonl").write_text(f'{row.to_json()}\n{{"a": 1}}\n')
    with pytest.raises(DataError, match="x.jsonl, line 2: .*not a record"):
        read_records(tmp_path / "x.jsonl")


def test_a_row_knows_whether_this_code_made_it(row):
    assert row.made_by_this_code
    assert not other(row, code="another").made_by_this_code
    assert other(row, code="another").result().n_cases == row.cases  # and can be read all the same


def test_a_table_stacks_seeds_in_order(row):
    worse = pack_ranks(Ranks(np.full(40, 30), np.ones(40, np.int64)))
    rows = [
        other(row, seed=1, ranks=row.ranks | {"full": worse}), row,
        other(row, variant="dmesr"), other(row, variant="dmesr", seed=1),
        other(row, variant="popularity", report={}),
    ]  # fmt: skip
    results = table(rows, by=("backbone", "variant"))
    assert set(results) == {("sasrec", "id_only"), ("sasrec", "dmesr"), ("sasrec", "popularity")}
    assert results["sasrec", "id_only"].per_case["hr@10"].shape == (2, 40)
    assert results["sasrec", "id_only"].per_case["hr@10"].mean(1)[1] == 0  # seed 1
    assert results["sasrec", "popularity"].n_seeds == 1
    assert compare(list(results.values()), ["hr@10"], against="id_only", n=20).shape[0] == 3


def test_a_table_refuses_what_cannot_be_compared(row):
    with pytest.raises(DataError, match="two records of seed 0"):
        table([row, other(row, train=row.train | {"epochs": 9})], by=("variant",))
    assert len(table([row, other(row, train=row.train | {"epochs": 9})], by=("variant", "train.epochs"))) == 2
    unfinished = [row, other(row, seed=1), other(row, variant="dmesr")]
    with pytest.raises(DataError, match="finish the grid"):
        table(unfinished)
    assert [r.seed for r in complete(unfinished)] == [0, 0]
    assert len(table(complete(unfinished))) == 2
    elsewhere = replace(other(row, seed=1), backbone={**row.backbone, "name": "gru4rec"})
    assert [r.seed for r in complete([*unfinished, elsewhere])] == []  # no seed that all have
    alone = complete([*unfinished, elsewhere], within=("data", "split", "backbone"))
    assert [(r.get("backbone"), r.seed) for r in alone] == [("sasrec", 0), ("sasrec", 0), ("gru4rec", 1)]


def test_unknown_names_are_refused(row):
    with pytest.raises(SettingsError, match="'magic'.*full"):
        row.result("magic")
    with pytest.raises(SettingsError, match="no field 'colour'"):
        row.get("colour")
    with pytest.raises(SettingsError, match="255"):
        row.result(ks=(300,))
    assert (row.get("variant"), row.get("backbone"), row.get("backbone.width")) == ("id_only", "sasrec", 16)
