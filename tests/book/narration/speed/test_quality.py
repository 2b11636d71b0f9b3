"""Quality against other frameworks: the sentences for better, worse and missing results."""

from __future__ import annotations

import pytest
from helpers.speed_rows import benchmark, peer_row, ratio

from benchmarks.peers import report
from dmesr_core.book.narration.speed import quality
from dmesr_core.book.narration.speed.frameworks import PeerBenchmark

NOTHING = PeerBenchmark.of(None)
OURS = {"train_settings": {"learning_rate": 0.003, "epochs": 60}}
SPEED = peer_row("ours")


def test_the_measure_is_named_as_the_benchmark_names_it():
    assert quality.NDCG in {measure.name for measure in report.QUALITY}


@pytest.mark.parametrize(
    ("peer", "changes", "wanted"),
    [
        ("ours", {"phase": "wall"} | OURS, "0.003, rises, then falls until the time is up"),
        ("ours", {"phase": "converge"} | OURS, "0.003, rises, then falls over 60 epochs"),
        ("ours", {"phase": "converge", "train_settings": {}}, "0.001, stays"),
        ("replay", {"phase": "wall"}, "0.001, stays"),
    ],
)
def test_the_learning_rate_in_words(peer, changes, wanted):
    assert quality.schedule(peer_row(peer, **changes)) == wanted


def test_the_table_has_medians_by_phase_data_model_and_contender():
    better = {"hr@10": 0.4, "ndcg@10": 0.3}
    rows = [
        SPEED, peer_row("replay", phase="converge"), peer_row("replay", phase="wall"), peer_row("ours", phase="wall"),
        peer_row("ours", phase="wall", turn=1, quality=better, train_seconds=120.0),
    ]  # fmt: skip
    lines = quality.qualities(benchmark(rows))
    assert [(line["until"], line["contender"], line["runs"]) for line in lines] == [
        ("equal time", "this book", 2), ("equal time", "RePlay", 1), ("convergence", "RePlay", 1),
    ]  # fmt: skip
    assert lines[0]["HR@10, not masked"] == "0.3000" and lines[0]["NDCG@10, masked"] == "0.3000"
    assert lines[0]["minutes"] == "1.5" and lines[0]["epochs"] == "3.0"
    assert quality.qualities(NOTHING) == []


def wall(median):
    rows = [SPEED, peer_row("ours", phase="wall", **OURS), peer_row("replay", phase="wall")]
    ratios = [ratio(quality.NDCG, "replay", median, phase="wall", turns=1), ratio(quality.NDCG, "plain", 0.1)]
    return benchmark(rows, ratios)


@pytest.mark.parametrize("median", [2.3, 0.8])
def test_the_story_of_equal_time_says_how_many_times_ours_is_better_or_worse(median):
    story = quality.equal_time_story(wall(median))
    assert f"our NDCG@10 is {median} times that of the best framework" in story
    assert "After 1.0 minutes of training SASRec on beauty (one run each)" in story
    assert "learning rate 0.003: it knows" in story and "The others keep 0.001," in story


def test_the_story_of_equal_time_without_a_framework_to_compare_with():
    missing = "No quality after equal time was measured for this page yet."
    assert quality.equal_time_story(NOTHING) == missing
    alone = benchmark([SPEED, peer_row("ours", phase="wall", **OURS)])
    assert quality.equal_time_story(alone) == missing


def converged(ratios, cut=60.0, epochs=60):
    settings = {"train_settings": {"epochs": epochs} if epochs else {}}
    rows = [
        SPEED, peer_row("ours", phase="converge", **settings),
        peer_row("replay", phase="converge", patience=10, seconds=120.0, train_seconds=cut),
    ]  # fmt: skip
    return benchmark(rows, ratios)


def test_the_story_of_convergence_compares_with_every_contender():
    both = [ratio(quality.NDCG, peer, m, phase="converge") for peer, m in (("recbole", 1.4), ("replay", 0.9))]
    assert quality.converge_story(converged(both)) == (
        "SASRec on beauty: at the end our NDCG@10 is 1.4 (1.3 to 1.5) times that of RecBole and 0.9 (0.8 to 1.0) times "
        "that of RePlay (5 runs each). Ours has a schedule of 60 epochs; the others keep their learning rate, without "
        "end."
    )
    assert "schedule" not in quality.converge_story(converged(both, epochs=0))


def test_the_story_of_convergence_names_who_had_not_stopped():
    story = quality.converge_story(converged([ratio(quality.NDCG, "replay", 1.0, phase="converge")], cut=120.0))
    assert story.endswith("When the time was up, RePlay had not stopped.")


def test_the_story_of_convergence_where_there_is_nothing_to_compare():
    story = quality.converge_story(converged([]))
    assert story == "SASRec on beauty: so far only this book and RePlay went on, so there is nothing to compare."
    assert quality.converge_story(NOTHING) == "Nobody was trained that long for this page yet."


def test_the_rule_of_convergence_lists_patience_and_minutes():
    wanted = "until 5 or 10 epochs in a row have not made it better, or for 2 or 5 minutes at most"
    assert quality.converge_rule(converged([])) == wanted
    assert quality.converge_rule(NOTHING) == "until it no longer gets better"
    assert quality.converged(converged([])) == [("beauty", "sasrec")]
