"""Contrasts: which results are paired, what each statistic gives in limiting cases."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.study_records import BY_TIME, HOME, make_study_records, spread

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments.contrasts import (
    by_contender,
    one_by_one,
    ordered_pairs,
    pair_results,
    seed_shares,
    two_protocols,
    width_ratio,
    with_interval,
)
from dmesr_core.experiments.study import Study

M, BOOT = "ndcg@10", dict(n=200, seed=0)
WIDE, NARROW = Paired(0.0, -0.2, 0.2, 1.0), Paired(0.0, -0.1, 0.1, 1.0)


def a_study(above=None, **settings):
    return Study.of(make_study_records(above or {}, **settings))


def result(values):
    return Result("r", {M: np.asarray(values, float)}, "p")


def test_a_comparison_is_made_for_each_data_set_and_backbone_and_shares_its_results():
    cells = a_study(places=[HOME, BY_TIME], backbones=["sasrec", "gru4rec"]).cells()
    pairs = pair_results(cells, {"raw": ("dmesr", "raw"), "id": ("dmesr", "id_only")})
    assert list(pairs) == [
        (at, b, name) for at in (HOME, BY_TIME) for b in ("gru4rec", "sasrec") for name in ("raw", "id")
    ]
    assert pairs[HOME, "sasrec", "raw"][0] is pairs[HOME, "sasrec", "id"][0] is cells[HOME, "sasrec", "dmesr"]


def test_a_difference_is_the_first_minus_the_second():
    pairs = pair_results(a_study({"dmesr": 0, "raw": 30}).cells(), {"raw": ("dmesr", "raw"), "back": ("raw", "dmesr")})
    found = one_by_one(pairs, M, **BOOT)
    assert found[HOME, "sasrec", "raw"].diff == 1
    assert found[HOME, "sasrec", "back"].diff == -1


def test_an_interval_encloses_the_mean():
    cells = a_study({"dmesr": spread(0, 20)}).cells()
    mean, low, high = with_interval(cells, M, **BOOT)[HOME, "sasrec", "dmesr"]
    assert low < mean < high
    assert mean == cells[HOME, "sasrec", "dmesr"].mean()[M]


def test_the_ratio_of_widths_is_a_median():
    assert width_ratio({1: WIDE, 2: WIDE, 3: NARROW}, {1: NARROW, 2: NARROW, 3: NARROW}) == pytest.approx(2)


def test_the_share_of_the_seeds_is_nothing_where_they_agree_all_at_most_and_unknown_for_one():
    pair = {"k": (result([[1, 0, 1, 0]] * 3), result([[0, 0, 1, 0]] * 3))}
    assert seed_shares(pair, {"k": WIDE}, M)["k"] == 0
    apart = {"k": (result([[1] * 4, [0] * 4, [-1] * 4]), result([[0] * 4] * 3))}
    assert seed_shares(apart, {"k": NARROW}, M)["k"] == 1
    single = {"k": (result([1, 0]), result([0, 0]))}
    assert np.isnan(seed_shares(single, {"k": WIDE}, M)["k"])


def test_contenders_are_named_with_their_backbone_and_popularity_comes_last():
    names = list(by_contender(a_study(backbones=["gru4rec", "sasrec"]), "full")[HOME])
    assert names[0] == "ID only + GRU4Rec"
    assert names[-2:] == ["DMESR + SASRec", "popularity"]


def test_two_protocols_give_two_means():
    study = a_study({"dmesr": 30}, sampled={"dmesr": 0})
    assert two_protocols(study, M)[HOME]["DMESR + SASRec"] == (0, 1)


def test_every_two_contenders_are_ordered_under_both_protocols():
    orders = ordered_pairs(a_study({"dmesr": 0}, backbones=["gru4rec", "sasrec"], seeds=2), M, **BOOT)
    assert len(orders) == 2 * 11 * 10 // 2
    assert orders[(HOME, "full"), "ID only + GRU4Rec", "DMESR + SASRec"].diff < 0
    assert orders[(HOME, "sampled"), "ID only + GRU4Rec", "popularity"].diff == 0
