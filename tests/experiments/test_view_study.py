"""The study of views: which records it takes, what it compares, what it calls its variants."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from helpers.study_records import N_CASES, make_record, spread

from dmesr_core import profiles
from dmesr_core.errors import DataError
from dmesr_core.experiments import grids, own_data, view_study
from dmesr_core.experiments.grid import Data, jobs
from dmesr_core.experiments.records import read_records
from dmesr_core.experiments.sweep import results_file
from dmesr_core.experiments.variants import VARIANTS
from dmesr_core.experiments.view_study import ABLATION, EARLIER, LABELS, OURS, SETTING_OF, ViewStudy, by_variant

SPARSE = ("bazaar-sparse", "leave-one-out")


def records(**changes):
    """Ours puts two items above each target, the others between three and nine; popularity stands for itself."""
    some = [make_record("popularity", above=30)]
    for seed in range(2):
        for at in (("bazaar", "leave-one-out"), SPARSE):
            some += [
                make_record(v, at, seed=seed, above=spread(3, 9, seed)) for v in ("id_unit", "dmesr", "words_mixture")
            ]
            some.append(make_record(OURS, at, seed=seed, above=2))
        some.append(make_record("views_no_words", seed=seed, above=spread(3, 9, seed)))
        some.append(make_record(OURS, backbone="gru4rec", seed=seed, above=2))
        some.append(make_record("id_unit", backbone="gru4rec", seed=seed, above=3))
    return some


def test_every_variant_of_the_grid_has_a_name():
    named = LABELS.keys() | ABLATION.keys() | SETTING_OF.keys()
    asked = {job.name for some in jobs(grids.get("views")).values() for job in some}
    assert asked | set(EARLIER) == named and named - {"popularity"} <= VARIANTS.keys()


def test_results_come_by_data_and_backbone_in_the_order_of_the_labels():
    study = ViewStudy.of(records())
    assert study.data == ["bazaar", "bazaar-sparse"] and study.home == "bazaar"
    assert list(study.of_data("bazaar")) == ["popularity", "id_unit", "words_mixture", "dmesr", OURS, "views_no_words"]
    assert list(study.of_data("bazaar", "gru4rec")) == ["popularity", "id_unit", OURS]
    assert study.backbones == ["gru4rec", "sasrec"]
    assert study.groups("bazaar")["cold"].sum() == N_CASES - 30


def test_gains_are_ours_minus_the_others_and_losses_the_other_way_round():
    study = ViewStudy.of(records())
    gains = study.gains(n=200, seed=0)
    assert set(by_variant(gains, "bazaar-sparse")) == {"id_unit", "words_mixture", "dmesr"}
    assert set(by_variant(gains, "bazaar", "gru4rec")) == {"id_unit"}
    assert all(gain.low > 0 for gain in gains.values())
    assert study.losses("bazaar-sparse", n=200, seed=0).keys() == {"dmesr"}
    losses = study.losses("bazaar", n=200, seed=0)
    assert set(losses) == {"views_no_words", "dmesr"} and all(loss.high < 0 for loss in losses.values())


def test_what_mixing_changes_is_mixed_minus_unmixed():
    some = [*records(), *(make_record("words", seed=seed, above=1) for seed in range(2))]
    study = ViewStudy.of(some)
    assert set(study.mixing("bazaar", n=200, seed=0)) == {"words"}
    assert study.mixing("bazaar", n=200, seed=0)["words"].high < 0  # words alone are put first in these records
    assert study.mixing("bazaar-sparse", n=200, seed=0) == {}


def test_seeds_that_a_variant_lacks_are_left_out():
    some = [r for r in records() if not (r.get("variant") == "dmesr" and r.seed == 1 and r.data == "bazaar")]
    study = ViewStudy.of(some)
    assert study.of_data("bazaar")[OURS].n_seeds == 1 and study.of_data("bazaar-sparse")[OURS].n_seeds == 2


def test_a_backbone_with_fewer_seeds_takes_none_from_the_others():
    some = [r for r in records() if not (r.get("backbone") == "gru4rec" and r.seed == 1)]
    study = ViewStudy.of(some)
    assert study.of_data("bazaar")[OURS].n_seeds == 2 and study.of_data("bazaar", "gru4rec")[OURS].n_seeds == 1


def with_settings(variant, dropout, valid, seed=0, **changes):
    report = {"best_epoch": 1, "seconds": 1.0, "valid": [0.0, valid]}
    record = make_record(variant, seed=seed, report=report)
    variant = record.variant | {"kind": "words", "changes": changes}
    return replace(record, backbone={"name": "sasrec", "dropout": dropout}, variant=variant)


def test_of_two_dropouts_the_one_with_the_better_validation_score_is_taken():
    some = [
        with_settings("id_unit", d, v, s) for d, v, s in [(0.2, 0.1, 0), (0.4, 0.3, 0), (0.2, 0.5, 1), (0.4, 0.2, 1)]
    ]
    some += [with_settings("id_unit", 0.2, 0.0, 2)]  # a seed that the other lacks has no say, but stays
    some += [with_settings("dmesr", 0.4, 0.1), make_record("popularity")]
    best = view_study.best_settings(some)
    chosen = [(r.get("variant"), r.backbone.get("dropout"), r.seed) for r in best]
    assert chosen == [
        ("popularity", None, 0), ("id_unit", 0.2, 0), ("id_unit", 0.2, 1), ("id_unit", 0.2, 2), ("dmesr", 0.4, 0)
    ]  # fmt: skip
    study = ViewStudy.of([*best, with_settings(OURS, 0.4, 0.2)])
    said = {"id_unit": "ID, dropout 0.2", "dmesr": "ID, dropout 0.4", OURS: "ID, dropout 0.4"}
    assert study.settings("bazaar") == said


def test_of_three_kinds_of_id_vectors_the_best_stands_for_all():
    quiet, none = {"id_dropout": 0.9, "id_share": 0.1}, {"id_embedding": False}
    some = [
        with_settings("words", 0.4, 0.1), with_settings("words_no_id", 0.2, 0.3, **none),
        with_settings("words_quiet", 0.2, 0.2, **quiet), with_settings(OURS, 0.2, 0.1, **quiet),
        with_settings("words_no_id", 0.2, 0.0, seed=1, **none),
    ]  # fmt: skip
    best = view_study.best_settings(some)
    assert [(r.get("variant"), r.seed) for r in best] == [("words", 0), ("words", 1), (OURS, 0)]
    assert ViewStudy.of(best).settings("bazaar") == {"words": "no ID, dropout 0.2", OURS: "quiet ID, dropout 0.2"}


def test_on_own_data_each_variant_is_trained_once_with_each_backbone():
    work = [(job, None) for job in jobs(grids.get("views"))[Data("bazaar")] if job.train.seed == 0]
    found = [(job.name, job.backbone.name) for job, _ in view_study.first_settings(work)]
    assert len(set(found)) == len(found) and {(OURS, "sasrec"), (OURS, "gru4rec")} <= set(found)
    assert {name for name, _ in found} == LABELS.keys() - set(EARLIER) | ABLATION.keys()


def test_on_own_data_sasrec_alone_is_trained(monkeypatch):
    asked = []
    monkeypatch.setattr(own_data, "train", lambda work, folder: [asked.append(job) for job, _ in work] and [])
    log = SimpleNamespace(interactions=SimpleNamespace(leave_one_out=lambda: "the split"))
    assert view_study.records_for("folder", profiles.get("smoke"), lambda: log, lambda: "the features") == []
    assert {(job.backbone.name, job.train.seed, job.train.epochs) for job in asked} == {("sasrec", 0, 2)}
    assert {OURS, "id_unit", "views_no_fusion"} <= {job.name for job in asked}


def test_earlier_trainings_are_of_the_same_variants():
    stored = [
        r for r in read_records(results_file("three_backbones_bazaar")) if r.seed == 0 and r.get("backbone") == "sasrec"
    ]
    asked = [
        replace(r, backbone=r.backbone | {"dropout": 0.4}) for r in stored if r.get("variant") in ("id_unit", "dmesr")
    ]
    found = view_study.earlier_records(asked)
    assert sorted(r.get("variant") for r in found) == ["dmesr", "id_unit", "llm_esr", "raw"]
    assert all(r.backbone["dropout"] == 0.2 and r.seed == 0 for r in found)
    one, two = (next(r for r in asked if r.get("variant") == name) for name in ("id_unit", "dmesr"))
    found = view_study.earlier_records([one, replace(two, seed=1)])  # a seed of the place counts for all variants
    assert {r.seed for r in found if r.get("variant") == "id_unit"} == {0, 1}
    changed = [replace(r, variant=r.variant | {"changes": {"unit": True, "softmaxes": 2}}) for r in asked]
    assert {r.get("variant") for r in view_study.earlier_records(changed)} == set(EARLIER)
    assert {r.get("variant") for r in view_study.earlier_records(stored)} == set()  # they are there


def test_the_time_of_an_epoch_is_that_of_its_trainings():
    study = ViewStudy.of(records())
    assert study.epoch_seconds("bazaar", OURS) == 18.0  # 36 s, two epochs
    assert study.epoch_seconds("bazaar", "llm_emb") is None
    assert study.epoch_seconds("bazaar-sparse", OURS, "gru4rec") is None


def test_without_ours_there_is_nothing_to_compare():
    with pytest.raises(DataError, match="no record of 'dmesr_views'"):
        ViewStudy.of([make_record("id_unit")])


def test_parts_are_those_that_a_variant_has():
    parts = view_study.parts_by_label()
    assert parts["DMESR, words and mixture"] == view_study.PARTS
    assert "mixture" not in parts["one softmax"] and "learned words" in parts["one softmax"]
