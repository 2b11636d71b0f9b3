"""The table of aims: reached, reached in the median, missed and not measured."""

from __future__ import annotations

import pytest
from helpers.speed_rows import benchmark, peer_row, ratio, record, spread

from dmesr_core.book.narration.speed import aims, quality
from dmesr_core.book.narration.speed.cost import ModelBenchmark
from dmesr_core.book.narration.speed.frameworks import EPOCH, TRAINING, PeerBenchmark

NOTHING = PeerBenchmark.of(None), ModelBenchmark.of(None)


@pytest.mark.parametrize(
    ("limit", "more", "wanted"),
    [
        (1.0, True, "yes"), (2.0, True, "in the median"), (3.0, True, "no"),
        (3.0, False, "yes"), (2.0, False, "in the median"), (1.0, False, "no"),
    ],
)  # fmt: skip
def test_the_worst_turn_decides_and_a_limit_that_is_met_exactly_is_reached(limit, more, wanted):
    assert aims.reached(spread(2.0, 1.0, 3.0), limit, more) == wanted


def test_a_line_says_what_was_wanted_and_measured():
    assert aims.aim_line("speed", spread(2.0, 1.0, 3.0), 15.0) == {
        "aim": "speed", "wanted": "at least 15", "measured": "2.0 (1.0 to 3.0)", "reached": "no",
    }  # fmt: skip
    line = aims.aim_line("share", spread(0.44, 0.44, 0.44, turns=1), 0.5, more=False, fmt=".0%")
    assert (line["wanted"], line["measured"], line["reached"]) == ("at most 50%", "44%", "yes")
    missing = aims.aim_line("speed", None, 15.0)
    assert (missing["measured"], missing["reached"]) == ("-", "not measured")


def test_the_epoch_is_compared_with_the_plain_recipe_and_all_else_with_the_best_framework():
    ratios = [ratio(TRAINING, "replay", 20.0), ratio(TRAINING, "plain", 1.0), ratio(EPOCH, "plain", 1.0)]
    lines = aims.speed_aims(benchmark(ratios=ratios))
    assert [line["reached"] for line in lines] == ["yes", "no", "not measured", "not measured", "not measured"]
    assert lines[0]["aim"] == "training targets per second, against the best framework, beauty"


def test_steps_are_judged_with_the_threads_that_suit_least():
    step = {"part": "step", "items": 1200, "setting": "book", "changes": {}}
    parts = [
        step | {"threads": 1, "ratio": spread(1.1, 1.0, 1.2)}, step | {"threads": 2, "ratio": spread(1.4, 1.3, 1.5)},
        step | {"threads": 1, "setting": "benchmark", "ratio": spread(1.1, 1.0, 1.2)},
        step | {"threads": 1, "items": 500, "ratio": spread(9.0, 9.0, 9.0)},
        step | {"threads": 1, "changes": {"items_per_step": None}, "ratio": spread(9.0, 9.0, 9.0)},
    ]  # fmt: skip
    lines = aims.step_aims(ModelBenchmark(parts, {1200: 1.3}))
    assert [(line["aim"], line["reached"]) for line in lines] == [
        ("training step, DMESR / ID only, 1,200 items, size of the book, 2 threads", "no"),
        ("training step, DMESR / ID only, 1,200 items, size of the benchmark, 1 thread", "yes"),
    ]


def test_the_product_has_an_aim_only_with_many_items():
    step = {"part": "roofline", "layers": 1, "batch": 128, "threads": 1}
    few, many, best = (
        step | {"items": n, "threads": t, "ratio": spread(m, m, m)}
        for n, t, m in ((1200, 1, 0.9), (12_000, 1, 0.3), (12_000, 2, 0.6))
    )
    [line] = aims.product_aim(benchmark(), ModelBenchmark([few, many, best], {}))
    assert line["reached"] == "yes" and "the best of 2: " in line["aim"] and line["aim"].endswith("2 thread(s)")
    assert aims.product_aim(benchmark(), ModelBenchmark([few], {})) == []


def test_quality_in_the_end_is_judged_against_the_best_framework_and_says_whether_that_was_cut_off():
    rows = [
        peer_row("ours"), peer_row("ours", phase="converge", train_settings={}),
        peer_row("replay", phase="converge", train_seconds=300.0), peer_row("recbole", phase="converge"),
    ]  # fmt: skip
    ratios = [
        ratio(quality.NDCG, "replay", 0.9, phase="converge"), ratio(quality.NDCG, "recbole", 2.0, phase="converge"),
        ratio(quality.NDCG, "recbole", 2.0, phase="wall"),
    ]  # fmt: skip
    equal, end = aims.quality_aims(benchmark(rows, ratios))
    assert equal["reached"] == "in the median" and end["reached"] == "no"
    assert end["aim"].endswith("against the best framework, which was still training when time was up")
    [equal] = aims.quality_aims(benchmark(rows))  # nobody to compare with in the end
    assert equal["reached"] == "not measured"


def test_sasrec_is_judged_by_the_mean_of_the_seeds():
    records = [record("id_wide", ndcg, seed) for seed, ndcg in enumerate((0.03, 0.06, 0.06))]
    hits, gain, minutes = aims.sasrec_aims(records, "beauty")
    assert hits["aim"] == "HR@10, not masked, ID only, nothing twice, wide, beauty, mean of 3 seeds"
    assert hits["measured"] == "0.1000 (0.0600 to 0.1200)"
    assert [line["reached"] for line in (hits, gain, minutes)] == ["in the median", "in the median", "yes"]
    assert aims.sasrec_aims(records, "toys") == []


def test_costs_are_judged_where_they_were_measured():
    parts = [
        {"part": "evaluation", "items": 1200, "ratio": spread(1.0, 0.9, 1.1)},
        {"part": "extract", "ratio": spread(0.8, 0.7, 0.85)},
        {"part": "million", "k": 10, "items": 50, "users": 5, "peak_mb": 2048.0},
    ]  # fmt: skip
    lines = aims.cost_aims(ModelBenchmark(parts, {}))
    assert [line["reached"] for line in lines] == ["in the median", "no", "yes"]
    assert lines[-1]["measured"] == "2.0" and lines[-1]["wanted"] == "at most 4"
    assert [line["reached"] for line in aims.cost_aims(NOTHING[1])] == ["not measured", "not measured"]


def test_the_summary_counts_verdicts_and_names_what_was_missed_once():
    lines = [
        {"aim": name, "reached": verdict}
        for name, verdict in (("a, x", "no"), ("a, y", "no"), ("b", "yes"), ("c", "in the median"), ("d, z", "no"))
    ]
    assert aims.aims_story(lines) == "yes: 1; in the median: 1; no: 3"
    assert aims.aims_missed(lines) == "a; d"
    assert aims.aims_missed(lines[2:4]) == "none"


def test_without_any_measurement_no_aim_is_reached():
    lines = aims.all_aims(*NOTHING, [])
    assert {line["reached"] for line in lines} == {"not measured"}
    assert aims.aims_story(lines) == f"not measured: {len(lines)}"
