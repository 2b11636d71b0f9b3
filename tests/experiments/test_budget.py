"""Budgets: late best epochs, more epochs, and other weight decays."""

from __future__ import annotations

import pytest
from helpers.study_records import HOME, make_record, make_study_records

from dmesr_core.experiments.budget import (
    is_unfinished,
    longer_training,
    unfinished_share,
    weight_decays,
)
from dmesr_core.experiments.study import OPPONENTS, Study
from dmesr_core.training.settings import TrainSettings

BOOT = dict(n=50, seed=0)
USUAL = {"epochs": 20, "patience": TrainSettings().patience, "weight_decay": 2.0}
LONG = USUAL | {"epochs": 40, "patience": 2 * TrainSettings().patience}
ASKED = [*OPPONENTS, "id_unit"]


def late(variant, **changes):
    return make_record(variant, report={"best_epoch": 18, "seconds": 1.0, "valid": [0.1]}, **changes)


def test_a_best_epoch_in_the_last_tenth_is_late():
    assert is_unfinished(late("dmesr"))
    assert not is_unfinished(make_record("dmesr", report={"best_epoch": 17}))
    assert unfinished_share([late("dmesr"), make_record("dmesr")]) == 0.5


def test_more_epochs_are_compared_with_the_usual_ones_of_the_same_seeds():
    study = Study.of([*make_study_records({"dmesr": 1}, seeds=2), *(make_record("id_unit", seed=s) for s in (0, 1))])
    care = [make_record(v, above=0 if v == "dmesr" else 3, train=LONG) for v in [*ASKED, "dmesr"]]
    found = longer_training(study, care, ASKED, **BOOT)
    assert list(found.gains) == [(HOME, "sasrec", v) for v in ASKED]
    assert found.longer["sasrec", "dmesr"] == 1
    assert found.usual["sasrec", "dmesr"] == pytest.approx(1 / 1.584962500721156)
    assert found.gains[HOME, "sasrec", "raw"].diff == pytest.approx(1 - 0.430676558)


def test_without_longer_trainings_there_is_nothing_to_compare():
    found = longer_training(Study.of(make_study_records({})), [], ASKED, **BOOT)
    assert found.gains == found.usual == found.longer == {}


def test_weight_decays_are_those_of_the_usual_epochs():
    care = [
        make_record("id_only", train=USUAL | {"weight_decay": decay}, report={"valid": [0.1, score]})
        for decay, score in ((0.5, 0.05), (4.0, 0.3))
    ]
    assert weight_decays([*care, make_record("id_only", train=LONG)]) == {("sasrec", "id_only"): {0.5: 0.1, 4.0: 0.3}}
    assert weight_decays([]) == {}
