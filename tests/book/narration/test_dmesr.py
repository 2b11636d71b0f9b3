"""Sentences of chapter 6: better, worse and undecided, with and without a known ceiling."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import dmesr


@pytest.mark.parametrize(
    ("change", "wanted"),
    [(BETTER, "better, and"), (WORSE, "worse, and"), (UNDECIDED, "not shown to be better or worse")],
)
def test_a_model_is_compared_with_another(change, wanted):
    assert dmesr.compared(change).startswith(wanted)
    assert dmesr.with_alternative(change).startswith(dmesr.compared(change))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [(BETTER, "does not earn its place"), (WORSE, "earns its place"), (UNDECIDED, "is not shown to matter")],
)
def test_a_part_earns_its_place_where_removing_it_lowers_the_score(change, wanted):
    assert dmesr.without_part(change).startswith(wanted)


def test_verdicts_come_with_their_numbers():
    assert dmesr.without_part(BETTER).endswith("(+0.020, 95% interval +0.010 to +0.030)")
    assert dmesr.with_alternative(WORSE).endswith("(-0.020, -0.030 to -0.010)")


PER_CASE = {name: np.full(4, value) for name, value in (
    ("popularity", 0.0), ("id_only", 0.3), ("raw", 0.4), ("dmesr", 0.5), ("fact_oracle", 0.8), ("ceiling", 1.0)
)}  # fmt: skip


def test_the_road_of_the_models_and_the_share_of_the_fact_oracle():
    road = dmesr.Road.measure(PER_CASE, n=10, seed=0)
    assert road.covered["dmesr"] == pytest.approx((0.5, 0.5, 0.5))
    assert road.share_of_oracle == pytest.approx(0.4)
    assert "ID only covers 30% of the road" in road.sentence()
    assert "DMESR 50%, and the fact oracle 80%." in road.sentence()
    assert road.sentence().endswith("DMESR adds 40%.")
    assert list(road.numbers()) == ["road", "share_of_fact_oracle"]
    assert road.numbers()["road"]["raw"] == {"mean": pytest.approx(0.4), "interval": pytest.approx([0.4, 0.4])}
    assert dmesr.road_end({"DMESR": (0.5,), "ceiling": (0.4,)}) == "ceiling"


def test_an_oracle_that_adds_nothing_has_no_share():
    road = dmesr.Road.measure(PER_CASE | {"fact_oracle": PER_CASE["id_only"]}, n=10, seed=0)
    assert road.sentence().endswith("and the fact oracle 30%.")
    assert list(road.numbers()) == ["road"]


def test_without_a_ceiling_there_is_no_road():
    known = {name: PER_CASE[name] for name in ("popularity", "id_only", "raw", "dmesr")}
    road = dmesr.Road.measure(known, n=10, seed=0)
    assert "no known ceiling" in road.sentence()
    assert road.numbers() == {}
    assert dmesr.road_end({"ID only": (0.3,), "DMESR": (0.5,), "raw": (0.4,)}) == "DMESR"


def test_cold_items_with_and_without_a_ceiling():
    ndcg = {"id_only": 0.1, "dmesr": 0.2, "raw": 0.15}
    assert dmesr.cold_items(ndcg).endswith("and the raw vectors 0.150.")
    assert dmesr.cold_items(ndcg | {"ceiling": 0.5}).endswith("where the ceiling is 0.500.")
    assert dmesr.cold_items(ndcg | {"raw": 0.3}).endswith("0.300. The plain way does better there.")
    assert dmesr.cold_items({}) == "No test case asks for a cold item here."


def test_a_second_training_and_the_best_rank():
    assert "to the last bit" in dmesr.repeated(identical=True)
    assert "differ in the last bits" in dmesr.repeated(identical=False)
    assert dmesr.best_rank(12.0).endswith("at rank 12.")
    assert dmesr.best_rank(None) == "Nobody can compute it for this data."
