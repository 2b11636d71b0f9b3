"""The ablation: its variants and parts, its records wherever they come from, and results by setting and amount."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core import profiles
from dmesr_core.data.datasets import Dataset
from dmesr_core.errors import DataError
from dmesr_core.evaluation.ranking import Ranks
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments import ablation_study as study
from dmesr_core.experiments import grids, own_data, sweep
from dmesr_core.experiments.grid import jobs
from dmesr_core.experiments.run import run
from dmesr_core.experiments.variants import VARIANTS


def result(name: str = "a") -> Result:
    return Result(name, {"ndcg@10": np.zeros(3)}, "p")


@pytest.fixture(scope="module")
def record():
    return run("dmesr", VARIANTS["dmesr"], make_material(), BACKBONE, TRAIN, None)


def test_every_variant_is_trained_by_the_grid_and_has_known_parts():
    trained = {job.name for some in jobs(grids.get("ablations")).values() for job in some}
    assert set(study.LABELS) | set(study.MODELS) <= trained
    assert {name for names in study.SIDES.values() for name in names} <= set(study.MODELS)
    assert set(study.PARTS_BY_LABEL) == set(study.LABELS.values())
    assert {part for parts in study.PARTS_BY_LABEL.values() for part in parts} == set(study.PARTS)


def test_parts_are_those_that_the_settings_leave():
    parts = {name: study.PARTS_BY_LABEL[label] for name, label in study.LABELS.items()}
    lacks = {name: set(study.PARTS) - set(have) for name, have in parts.items()}
    for name, variant in VARIANTS.items():
        if variant.kind != "dmesr" or name not in lacks:
            continue
        changes = variant.changes
        assert ("original words" in lacks[name]) == (not changes.get("fusion", True))
        assert ("ID vector" in lacks[name]) == (not changes.get("id_embedding", True))
        views = changes.get("views", ("picture", "text"))
        assert {f"{view} view" for view in ("picture", "text") if view not in views} == lacks[name] & {
            "picture view", "text view",
        }  # fmt: skip
        assert ("alignment" in lacks[name]) == (not changes.get("align", True) or len(views) < 2)


def test_the_table_of_variants_shows_what_the_package_has():
    table = study.variants_table()
    assert list(table.index) == list(study.LABELS)
    assert table.loc["no_fusion"].tolist() == ["dmesr", "{'fusion': False}"]
    assert table.loc["dmesr"].tolist() == ["dmesr", ""]


def test_stored_records_are_those_of_the_package_and_the_beauty_ones_if_they_are_there(monkeypatch, tmp_path):
    asked = []

    def loaded(grid, profile="cpu"):
        asked.append((grid, profile))
        return [grid]

    monkeypatch.setattr(sweep, "load_or_run", loaded)
    monkeypatch.setattr(sweep, "RESULTS", tmp_path)
    assert list(study.stored_records("cpu")[1]) == ["the Bazaar"]
    (tmp_path / "losses_beauty.jsonl").touch()
    records, losses = study.stored_records("cpu")
    assert records == ["ablations"]
    assert losses == {"the Bazaar": ["losses"], "Amazon Beauty": ["losses_beauty"]}
    assert study.stored_records("smoke")[1] == {"the Bazaar": ["losses"]}
    assert ("losses", "smoke") in asked and ("losses_beauty", "smoke") not in asked


def test_own_data_is_trained_with_one_seed_and_epochs_in_proportion(monkeypatch):
    given = []
    monkeypatch.setattr(own_data, "train", lambda work, folder: given.append(work) or [work[0][0].grid])
    material = make_material()
    records, losses = study.train_records(material.split, material.features, "mine", 2)
    assert (records, losses) == (["ablations"], {"your data": ["losses"]})
    ablations = given[0]
    assert {job.train.seed for job, _ in ablations} == {0}
    assert "fact_oracle" not in {job.name for job, _ in ablations}
    assert {(of.share, job.train.epochs) for job, of in ablations} == {(1.0, 2), (0.5, 4), (0.25, 8), (0.125, 16)}


def test_a_record_is_found_by_split_variant_and_seed(record):
    others = [replace(record, seed=1), replace(record, fingerprint="other"), record]
    assert study.find_record(others, record.fingerprint, "dmesr", 0) is record
    assert study.find_record(others, record.fingerprint, "raw", 0) is None


def test_ranks_agree_with_their_record_as_far_as_it_goes(record):
    stored = record.ranks_of("full")
    assert study.rank_agreement(record, stored) == 1
    off = stored.greater.copy()
    off[:10] += 1
    assert study.rank_agreement(record, Ranks(off, stored.n_ties)) == 1 - 10 / len(off)
    far = Ranks(np.full(len(off), 10_000), stored.n_ties)
    assert study.rank_agreement(record, far) == (stored.greater == 255).mean()
    assert study.rank_agreement(None, stored) is None


def test_results_by_amount_come_in_ascending_order(record):
    sizes = [replace(record, share=s, sizes=record.sizes | {"train_sequences": n}) for s, n in ((1.0, 40), (0.5, 20))]
    found = study.results_by_amount({(1.0, "a"): result(), (0.5, "a"): result(), (1.0, "b"): result()}, sizes)
    assert {amount: list(of) for amount, of in found.items()} == {20: ["a"], 40: ["a", "b"]}
    assert list(found) == [20, 40]


def test_settings_are_read_off_the_names_of_variants():
    results = {name: result(name) for name in ("dmesr", "no_alignment", "alpha=0.2", "items_per_step=None", "raw")}
    found = study.setting_results(results, n_items=120)
    assert {at: r.name for at, r in found.items()} == {
        ("alpha", 0.2): "alpha=0.2", ("items_per_step", 120.0): "items_per_step=None", ("alpha", 0.0): "no_alignment",
    }  # fmt: skip
    grid = {job.name for some in jobs(grids.get("ablations")).values() for job in some}
    tried = study.setting_results({name: result(name) for name in grid}, n_items=1200)
    assert {name for name, _ in tried} == set(study.SETTINGS)


def test_panels_hold_the_default_and_what_each_value_changes():
    moves = {("alpha", 0.2): (0.1, 0.0, 0.2, 0.5)}
    panels = study.setting_panels(moves)
    assert list(panels) == list(study.SETTINGS.values())
    assert panels["weight of the alignment"] == {study.DEFAULTS["alpha"]: (0.0, 0.0, 0.0), 0.2: (0.1, 0.0, 0.2)}
    assert study.by_setting(moves)["temperature"] == {}


def test_only_trainings_on_all_data_are_compared():
    assert list(study.whole_data({(1.0, "dmesr"): result(), (0.5, "raw"): result()})) == ["dmesr"]
    with pytest.raises(DataError, match="no record of `dmesr`"):
        study.whole_data({(0.5, "dmesr"): result()})


def test_own_data_is_read_only_where_it_is_trained_on(monkeypatch):
    def never():
        raise AssertionError("the book's own records need no data")

    monkeypatch.setattr(study, "stored_records", lambda profile: profile)
    monkeypatch.setattr(study, "train_records", lambda *given: given)
    smoke = profiles.get("smoke")
    assert study.records_for("bazaar", smoke, never, never) == "smoke"
    log = SimpleNamespace(leave_one_out=lambda: "split")
    found = study.records_for("mine", smoke, lambda: Dataset("mine", None, log), lambda: "features")
    assert found == ("split", "features", "mine", smoke.max_epochs)


def test_only_records_of_trainings_are_counted(record):
    assert study.count_trainings([record, replace(record, report={}), record]) == 2


def test_models_are_those_with_a_result():
    assert study.models_among({"dmesr", "raw", "other"}) == {"raw": "raw vectors", "dmesr": "DMESR"}
    assert study.models_among({"dmesr", "raw"}, without=("raw",)) == {"dmesr": "DMESR"}


def test_case_masks_are_those_of_dmesr_on_all_data(record):
    others = [replace(record, share=0.5), record]
    assert {name: mask.tolist() for name, mask in study.case_masks(others).items()} == {
        name: mask.tolist() for name, mask in record.groups().items()
    }
