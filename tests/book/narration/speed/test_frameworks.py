"""Speed against other frameworks: better, worse and missing ratios, and the tables."""

from __future__ import annotations

import pytest
from helpers.speed_rows import benchmark, peer_row, ratio, spread

from benchmarks.peers import report
from dmesr_core.book.narration.speed import frameworks
from dmesr_core.book.narration.speed.frameworks import EPOCH, FRAMEWORKS, TRAINING, PeerBenchmark

NOTHING = PeerBenchmark.of(None)


def test_measures_are_named_as_the_benchmark_names_them():
    assert set(frameworks.BANDS) == {measure.name for measure in report.SPEED}
    assert set(frameworks.AIMS) <= set(frameworks.BANDS)


def test_the_first_speed_run_of_sasrec_sets_the_main_data():
    rows = [
        peer_row("ours", data="toys", phase="wall"), peer_row("ours", data="toys", model="gru4rec"),
        peer_row("ours"), peer_row("plain", data="toys"),
    ]  # fmt: skip
    assert benchmark(rows).main_data == "beauty"
    assert benchmark(rows).datasets == ["toys", "beauty"]
    assert (NOTHING.main_data, NOTHING.datasets) == ("", [])


def test_the_best_framework_is_the_one_with_the_smallest_ratio():
    ratios = [
        ratio(TRAINING, "recbole", 20.0), ratio(TRAINING, "replay", 16.0), ratio(TRAINING, "plain", 2.0),
        ratio(TRAINING, "rectools", 1.0, data="toys"), ratio(TRAINING, "rectools", 1.0, model="gru4rec"),
        ratio(TRAINING, "rectools", 1.0, phase="wall"), ratio(EPOCH, "rectools", 1.0),
    ]  # fmt: skip
    peers = benchmark(ratios=ratios)
    assert peers.best_ratio(TRAINING, FRAMEWORKS) == ratios[1]
    assert peers.best_ratio(TRAINING, ("plain",)) == ratios[2]
    assert peers.best_ratio(TRAINING, FRAMEWORKS, data="toys") == ratios[3]
    assert peers.best_ratio("own evaluators", FRAMEWORKS) is None


def test_ratios_in_the_prose_with_their_range():
    peers = benchmark(ratios=[ratio(TRAINING, "replay", 16.0), ratio(EPOCH, "plain", 2.0), ratio(EPOCH, "replay", 1.0)])
    texts = frameworks.ratio_texts(peers)
    assert texts["training_ratio"] == "16.0 (14.4 to 17.6)"
    assert texts["epoch_ratio"] == "2.0 (1.8 to 2.2)"
    assert texts["evaluators_ratio"] == "(not measured yet)"
    assert set(frameworks.ratio_texts(NOTHING)) == set(texts)
    assert frameworks.ratio_texts(NOTHING)["epoch_note"] == "; ours compares with all items and it with one"


@pytest.mark.parametrize(
    ("median", "beginning"), [(2.0, ", although ours"), (0.5, "; ours"), (1.0, "; ours"), (None, "; ours")]
)
def test_although_is_said_where_ours_is_faster(median, beginning):
    note = frameworks.epoch_note(None if median is None else spread(median, median, median))
    assert note.startswith(beginning)


def test_the_figure_compares_epochs_with_the_plain_recipe_alone():
    measures, contenders = (TRAINING, EPOCH, "HR@10, seen items masked"), ("plain", "replay")
    ratios = [ratio(measure, peer, 2.0) for measure in measures for peer in contenders]
    found = frameworks.bands(benchmark(ratios=[*ratios, ratio(TRAINING, "plain", 9.0, data="toys")]))
    assert found == {
        "training targets\nper second": {"the plain recipe": (2.0, 1.8, 2.2), "RePlay": (2.0, 1.8, 2.2)},
        "time per epoch": {"the plain recipe": (2.0, 1.8, 2.2)},
    }
    assert set(found) <= set(frameworks.band_aims())
    assert frameworks.bands(NOTHING) == {}


def test_contenders_have_a_line_each_in_the_order_of_their_names():
    rows = [
        peer_row("replay", loss="ce"), peer_row("ours"), peer_row("ours", data="toys", model="gru4rec", parameters=9),
        peer_row("ours", phase="wall", train_settings={"learning_rate": 0.003}),
    ]  # fmt: skip
    ours, replay = frameworks.contenders(benchmark(rows))
    assert ours == {
        "contender": "this book", "version": "1.0", "torch": "2.13", "loss": "softmax",
        "parameters (SASRec, beauty)": "1,000", "learning rate: speed": "0.001", "learning rate: quality": "0.003",
        "data": "beauty, toys", "models": "sasrec, gru4rec",
    }  # fmt: skip
    assert replay["contender"] == "RePlay" and replay["learning rate: quality"] == "-"
    assert frameworks.contenders(NOTHING) == []


def test_speeds_are_medians_and_a_dash_where_nothing_was_measured():
    rows = [peer_row("ours", targets_per_second=n, seconds_per_epoch=4.26) for n in (1000.0, 3000.0, 2000.0)]
    [line] = frameworks.speeds(benchmark(rows))
    assert line["targets/s"] == "2,000" and line["s/epoch"] == "4.3" and line["peak MB"] == "-"
    assert frameworks.speeds(NOTHING) == []


def test_shares_of_the_matrix_product_of_whole_trainings_and_of_single_steps():
    whole = {
        "targets_per_epoch": 1000, "softmax_items": 500, "width": 10, "gflops_before": 0.12, "gflops_after": 0.12,
    }  # fmt: skip
    rows = [peer_row("ours", **whole, seconds_per_epoch=s) for s in (0.5, 1.0, 2.0)] + [peer_row("ours")]
    step = {"part": "roofline", "items": 12_000, "layers": 1, "batch": 128, "threads": 2}
    step["ratio"] = spread(0.4, 0.3, 0.5)
    shares = frameworks.product_shares(benchmark(rows), [step, step | {"part": "step"}])
    assert frameworks.share_lines(shares) == [
        {"what": "training by fit, beauty", "share": "25% (12% to 50%)"},
        {
            "what": "training steps, 12,000 items, 1 layer(s), batch 128, 2 thread(s)",
            "share": "40% (30% to 50%)",
        },
    ]
    assert [items for _, items in shares.values()] == [500, 12_000]
    assert frameworks.product_shares(benchmark(), []) == {}
