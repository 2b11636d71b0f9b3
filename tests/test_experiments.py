"""Comparisons: each run done once, remembered under all that made it, and the same with one worker or two."""

from dataclasses import replace

import numpy as np
import pytest

from dmesr_core import experiments
from dmesr_core.backbones import BackboneSettings
from dmesr_core.errors import SettingsError
from dmesr_core.experiments import VARIANTS, Material, Variant, compare_variants, run
from dmesr_core.features import Features
from dmesr_core.interactions import Interactions
from dmesr_core.train import TrainSettings

N = 12
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2)
TRAIN = TrainSettings(epochs=2, batch_size=16)


def make_material(seed=0):
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(40), 6)
    item = np.concatenate([rng.permutation(N)[:6] + 1 for _ in range(40)])
    split = Interactions.from_columns(user, item, np.tile(np.arange(6), 40), N).leave_one_out()
    mask = np.ones((N + 1, 4), bool)
    mask[0] = False
    features = Features(
        rng.normal(size=(N + 1, 6)).astype(np.float32), rng.normal(size=(N + 1, 6)).astype(np.float32),
        rng.normal(size=(N + 1, 4, 8)).astype(np.float16), mask, [""] * (N + 1), [""] * (N + 1), [[]] * (N + 1), {},
    )  # fmt: skip
    return Material(split, features, np.eye(N + 1, dtype=np.float32))


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_row_of_the_table_can_be_trained(name):
    result, record = run(name, VARIANTS[name], make_material(), BACKBONE, TRAIN, None)
    assert result.per_case["ndcg@10"].shape == (40,)
    assert len(record["report"]["loss"]) == 2 and record["parameters"] > 0
    assert "full catalogue of 12 items" in record["protocol"]


def test_a_run_is_done_once_and_read_back_the_same(tmp_path, monkeypatch):
    material = make_material()
    first, record = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)

    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(experiments, "fit", never)
    second, again = run("id_only", VARIANTS["id_only"], material, BACKBONE, TRAIN, tmp_path)
    assert (first.per_case["ndcg@10"] == second.per_case["ndcg@10"]).all()
    assert again["report"] == record["report"] and second.protocol == first.protocol


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


def test_two_workers_give_what_one_gives():
    material = make_material()
    one, _ = compare_variants(["id_only", "dmesr"], material, [0, 1], BACKBONE, TRAIN, workers=1, progress=False)
    two, records = compare_variants(["id_only", "dmesr"], material, [0, 1], BACKBONE, TRAIN, workers=2, progress=False)
    for name in one:
        assert one[name].per_case["ndcg@10"].shape == (2, 40)
        np.testing.assert_allclose(one[name].per_case["ndcg@10"], two[name].per_case["ndcg@10"], atol=1e-6)
    assert [r["report"]["settings"]["seed"] for r in records["dmesr"]] == [0, 1]


def test_what_cannot_be_trained_is_refused_by_name():
    material = make_material()
    with pytest.raises(SettingsError, match="'magic'.*id_only"):
        compare_variants(["magic"], material, [0], BACKBONE, TRAIN)
    with pytest.raises(SettingsError, match="only the Bazaar"):
        run("x", VARIANTS["fact_oracle"], replace(material, facts=None), BACKBONE, TRAIN, None)
    with pytest.raises(SettingsError, match="needs features"):
        run("x", VARIANTS["raw"], replace(material, features=None), BACKBONE, TRAIN, None)
    with pytest.raises(SettingsError, match="'cnn'"):
        run("x", Variant("cnn"), material, BACKBONE, TRAIN, None)
