"""Rows of benchmark files: selection, medians that skip missing numbers, the share of the matrix product."""

from __future__ import annotations

import pytest

from dmesr_core.book.narration.speed.rows import learning_rate, median_of, product_share, select, spread_of, value


def test_a_selected_row_has_every_wanted_value():
    rows = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 2}]
    assert select(rows, a=1) == rows[:2]
    assert select(rows, a=1, b=2) == rows[:1]
    assert select(rows) == rows
    assert select(rows, c=1) == []


def test_a_dot_goes_one_level_down_and_a_missing_number_is_none():
    row = {"quality": {"hr@10": 0.5}, "n": 3}
    assert value(row, "quality.hr@10") == 0.5
    assert value(row, "quality.mrr") is None
    assert value(row, "n.hr@10") is None
    assert value(row, "absent") is None


def test_the_median_is_over_the_rows_that_have_the_number():
    rows = [{"q": {"x": 1.0}}, {"q": {"x": 5.0}}, {"q": {}}, {"q": {"x": 2.0}}]
    assert median_of(rows, "q.x") == 2.0
    assert median_of(rows, "q.y") is None
    assert median_of([], "q.x") is None


def test_a_spread_holds_the_range_around_its_center():
    assert spread_of([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0, "turns": 3}
    assert spread_of([1.0, 2.0, 6.0], 3.0)["median"] == 3.0


def test_settings_of_our_own_count_in_quality_runs_only():
    row = {"learning_rate": 0.001, "train_settings": {"learning_rate": 0.003}}
    assert learning_rate(row | {"phase": "speed"}) == 0.001
    assert learning_rate(row | {"phase": "wall"}) == 0.003
    assert learning_rate({"phase": "wall", "learning_rate": 0.001}) == 0.001
    assert learning_rate({"phase": "wall", "learning_rate": 0.001, "train_settings": {}}) == 0.001


def test_the_share_of_the_matrix_product_counts_three_products():
    row = {"targets_per_epoch": 1000, "softmax_items": 500, "width": 10, "seconds_per_epoch": 0.5}
    row |= {"gflops_before": 0.1, "gflops_after": 0.14}
    # 6 * 1000 * 500 * 10 operations in half a second are 0.06 billion per second.
    assert product_share(row) == pytest.approx(0.06 / 0.12)
    assert product_share({"width": 10}) is None
    assert product_share(row | {"targets_per_epoch": 0}) is None
