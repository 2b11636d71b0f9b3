"""Scores with intervals, as a table and for the file of numbers."""

from __future__ import annotations

import numpy as np

from dmesr_core.book.narration import scores
from dmesr_core.evaluation.results import Result

FOUND = {"b": {"hr": (0.5, (0.4, 0.6)), "mrr": (0.25, (0.2, 0.3))}, "a": {"hr": (1.0, (1.0, 1.0)), "mrr": (1, (1, 1))}}


def test_the_table_has_the_order_of_the_models_and_the_chosen_metrics():
    table = scores.table(FOUND, {"a": "A", "b": "B"}, {"hr": "HR@10"})
    assert table.index.tolist() == ["B", "A"] and list(table) == ["HR@10"]
    assert table.loc["B", "HR@10"] == "0.500 [0.400, 0.600]"


def test_the_record_names_mean_and_interval():
    assert scores.as_record(FOUND)["b"]["hr"] == {"mean": 0.5, "interval": (0.4, 0.6)}


def test_results_have_the_order_of_the_names_and_may_be_missing():
    one, other = (Result(name, {"hr": np.zeros((1, 2))}, "protocol") for name in "ab")
    assert list(scores.in_order({"a": one, "b": other}, ["b", "ceiling", "a"])) == ["b", "a"]


def test_equal_cases_have_an_interval_without_width():
    result = Result("a", {"hr": np.full((1, 5), 0.5)}, "protocol")
    assert scores.with_intervals({"a": result}, 20, 0) == {"a": {"hr": (0.5, (0.5, 0.5))}}


def test_one_metric_has_the_labels_of_the_models():
    assert scores.of_metric(FOUND, "hr", {"a": "A", "b": "B"}) == {"B": (0.5, 0.4, 0.6), "A": (1.0, 1.0, 1.0)}


def test_a_group_without_cases_has_no_scores():
    by_group = {"A": {"head": (0.3, 0.2, 0.4)}, "B": {"head": (0.1, 0.0, 0.2)}}
    assert scores.of_group(by_group, "head", {"b": "B", "a": "A", "c": "C"}) == {"b": 0.1, "a": 0.3}
    assert scores.of_group(by_group, "cold", {"a": "A", "b": "B"}) == {}
