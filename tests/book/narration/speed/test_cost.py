"""What DMESR costs: ratios and limits of its steps, and texts for measured and missing parts."""

from __future__ import annotations

import pytest
from helpers.speed_rows import spread

from benchmarks import bench_model
from dmesr_core.book.narration.speed import cost
from dmesr_core.book.narration.speed.cost import ModelBenchmark

NOTHING = ModelBenchmark.of(None)
STEP = {"part": "step", "items": 1200, "setting": "book", "layers": 1, "batch": 128, "threads": 1, "changes": {},
        "ratio": spread(1.5, 1.4, 1.7)}  # fmt: skip


def test_rows_of_other_devices_and_precisions_are_left_out():
    rows = [{"part": "table", "device": d, "precision": p} for d, p in (("cpu", "no"), ("cuda", "no"), ("cpu", "bf16"))]
    model = ModelBenchmark.of({"rows": rows, "targets": {"step": {"1200": 1.3}}})
    assert model.parts == rows[:1] and model.first("table") == rows[0]
    assert model.step_limits == {1200: 1.3}
    assert NOTHING.first("table") is None and NOTHING.parts == []


def test_parts_are_named_as_the_benchmark_names_them():
    parts = {"step", "roofline", "table", "evaluation", "ranking", "million", "softmax", "extract"}
    assert parts == set(bench_model.SAY)


def test_the_figure_has_usual_steps_only_and_limits_where_there_are_some():
    every = STEP | {"changes": {"items_per_step": None}, "ratio": spread(3.2, 2.9, 3.8)}
    parts = [STEP, STEP | {"threads": 2}, STEP | {"items": 500}, every]
    model = ModelBenchmark(parts, {1200: 1.3})
    known, unlimited = "1,200 items, 1 layer(s),\nbatch 128", "500 items, 1 layer(s),\nbatch 128"
    assert cost.step_bands(model) == {
        known: {"1 thread": (1.5, 1.4, 1.7), "2 threads": (1.5, 1.4, 1.7)}, unlimited: {"1 thread": (1.5, 1.4, 1.7)},
    }  # fmt: skip
    assert cost.step_aims(model) == {known: 1.3}
    assert cost.cost_texts(model)["every_ratio"] == "3.2 (2.9 to 3.8)"
    assert cost.step_bands(NOTHING) == {}


def test_the_softmax_is_that_with_the_most_threads():
    rows = [
        {"part": "softmax", "threads": n, "ratio": spread(n, n, n), "floor_share": spread(0.8, 0.7, 0.9),
         "extra_mb": {"ours": 16.4, "plain": None}}
        for n in (2, 1)
    ]  # fmt: skip
    assert cost.softmax_texts(ModelBenchmark(rows, {})) == {
        "softmax_ratio": "2.0 (2.0 to 2.0)", "softmax_floor": "80%", "softmax_mb": "16", "plain_mb": "(not measured)",
    }  # fmt: skip
    missing = cost.softmax_texts(NOTHING)
    assert missing["softmax_ratio"] == missing["softmax_floor"] == "(not measured yet)"
    assert missing["softmax_mb"] == missing["plain_mb"] == "(not measured)"


def test_the_bound_of_our_evaluator_divides_its_ratio_by_the_share_of_the_scores():
    ranking = {"part": "ranking", "ratio": spread(0.5, 0.4, 0.6), "product": spread(0.25, 0.2, 0.3)}
    model, evaluators = ModelBenchmark([ranking], {}), spread(3.0, 2.0, 4.0)
    assert cost.ranking_texts(model, evaluators) == {
        "scores_share": "50% (40% to 60%)", "ranking_product_share": "25% (20% to 30%)",
        "evaluators_by_scores": "6.0", "evaluators_by_product": "12.0",
    }  # fmt: skip
    assert cost.ranking_texts(model, None)["evaluators_by_scores"] == "(not measured yet)"
    assert set(cost.ranking_texts(NOTHING, evaluators).values()) == {"(not measured yet)"}


@pytest.mark.parametrize(("median", "low", "high"), [(1.05, 0.98, 1.15), (0.9, 0.8, 0.94)])
def test_ranking_and_extraction_against_their_baselines_faster_or_slower(median, low, high):
    ratio = spread(median, low, high)
    parts = [
        {"part": "evaluation", "items": 1200, "ratio": ratio}, {"part": "evaluation", "items": 12_000, "ratio": ratio},
        {"part": "extract", "ratio": ratio}, {"part": "table", "items": 1200, "seconds": {"median": 0.0037}},
    ]  # fmt: skip
    texts = cost.cost_texts(ModelBenchmark(parts, {}))
    shown = f"{median:.2f} ({low:.2f} to {high:.2f})"
    assert texts["evaluation_ratio"] == f"{shown} at 1,200 items; {shown} at 12,000 items"
    assert texts["extraction_ratio"] == shown
    assert texts["table_seconds"] == "3.7 ms for 1,200 items"
    assert set(cost.cost_texts(NOTHING).values()) == {"(not measured yet)"}


def test_ranking_among_a_million_items():
    million = {"part": "million", "k": 100, "items": 1_000_000, "users": 10_000, "peak_mb": 1433.6}
    million["users_per_second"] = 292.4
    assert cost.million_texts(ModelBenchmark([million], {})) == {
        "million_what": "best 100 of 1,000,000 items for 10,000 users", "million_gb": "1.4", "million_speed": "292",
    }  # fmt: skip
    assert cost.million_texts(NOTHING)["million_what"] == "best of very many items"
    assert cost.million_texts(NOTHING)["million_gb"] == "(not measured yet)"
