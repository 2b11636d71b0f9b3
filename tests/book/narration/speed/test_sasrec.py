"""Variants of SASRec by ID: tables, gains and losses over the plain model, and the choice on validation."""

from __future__ import annotations

import pytest
from helpers.speed_rows import record

from dmesr_core.book.narration.speed import sasrec


def test_cells_come_in_the_order_of_data_and_of_the_named_variants():
    records = [record("id_wide", 0.1), record("id_only", 0.1), record("id_only", 0.1, data="toys"), record("x", 0.1)]
    cells = sasrec.by_cell(iter(records))
    assert list(cells) == [("beauty", "id_only"), ("beauty", "id_wide"), ("toys", "id_only")]
    assert cells["beauty", "id_wide"] == records[:1]
    assert sasrec.by_cell([]) == {}


def test_a_line_holds_mean_and_range_over_the_seeds():
    records = [record("id_only", ndcg, seed) for seed, ndcg in enumerate((0.04, 0.05, 0.06))]
    assert sasrec.variant_lines(records) == [{
        "data": "beauty", "model": "ID only", "seeds": 3, "epochs": "60", "minutes per seed": "10.0",
        "HR@10, not masked": "0.1000 (0.0800–0.1200)", "HR@10, masked": "0.3000 (0.2400–0.3600)",
        "NDCG@10, not masked": "0.0500 (0.0400–0.0600)", "NDCG@10, masked": "0.1500 (0.1200–0.1800)",
    }]  # fmt: skip
    assert sasrec.variant_lines([]) == []


@pytest.mark.parametrize(("after", "change"), [(0.06, "+20.0%"), (0.04, "-20.0%"), (0.05, "+0.0%")])
def test_the_gain_has_a_sign(after, change):
    records = [record("id_only", 0.05), record("id_once", after)]
    assert sasrec.gain_story(records, "id_once") == f"on beauty {change} not masked, {change} masked"


def test_the_gain_is_said_of_each_data_set_that_has_both_variants():
    records = [
        record("id_only", 0.05), record("id_once", 0.06), record("id_only", 0.05, data="toys"),
        record("id_only", 0.05, data="films"), record("id_once", 0.1, data="films"),
    ]  # fmt: skip
    assert sasrec.gain_story(records, "id_once") == (
        "on beauty +20.0% not masked, +20.0% masked; on films +100.0% not masked, +100.0% masked"
    )
    assert sasrec.gain_story(records, "id_wide") == "not measured yet"
    assert sasrec.gain_story([], "id_once") == "not measured yet"


def test_a_setting_in_percent():
    records = [record("id_wide", 0.1), record("id_wide", 0.1, backbone={"name": "sasrec", "dropout": 0.5})]
    assert sasrec.setting_share(records, "id_wide", "train.item_dropout") == "20%"
    assert sasrec.setting_share(records, "id_wide", "backbone.dropout") == "40%, 50%"
    assert sasrec.setting_share(records, "id_only", "backbone.dropout") == "(not trained yet)"


def test_the_variant_is_chosen_by_validation_and_not_by_the_test():
    valid = {"seconds": 600.0, "valid": [0.9, 0.2]}
    records = [record("id_only", 0.01, report=valid), record("id_once", 0.5), record("id_wide", 0.99, data="toys")]
    assert sasrec.best_on_validation(records, "beauty") == ("id_only", records[:1])
    assert sasrec.best_on_validation(records, "films") is None
