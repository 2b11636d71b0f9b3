"""Losses in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE, scaled
from helpers.small_losses import loss_records

from dmesr_core.book.narration import losses
from dmesr_core.experiments.loss_comparison import compare_losses

GAINS = {"BCE (1)": WORSE, "gBCE (64)": UNDECIDED, "sampled softmax (512)": BETTER, "BCE (64)": scaled(WORSE, 5)}


def test_the_table_has_a_row_per_data_set_and_loss():
    comparison = compare_losses(loss_records(), n=50)
    table = losses.table({"here": comparison, "there": replace(comparison)})
    assert list(table.index) == [(place, loss) for place in ("here", "there") for loss in comparison.results]
    assert table.loc[("here", "full softmax"), "difference to full softmax"] == ""
    assert table.loc[("here", "BCE (1)"), "difference to full softmax"].startswith(("+", "-"))
    assert table.loc[("here", "BCE (1)"), "best epoch"] == "1"


def test_smoke_runs_call_no_loss_not_learned():
    comparisons = {"here": compare_losses(loss_records(), n=50)}
    assert losses.not_learned(comparisons, smoke=False) == {"here": ["BCE (1)"]}
    assert losses.not_learned(comparisons, smoke=True) == {"here": []}


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (scaled(BETTER, 2), ", less than DMESR gains over ID only (0.0400)."),
        (scaled(BETTER, 0.5), ", more than DMESR gains over ID only (0.0100)."),
        (UNDECIDED, "falls by 0.0200."),
        (WORSE, "falls by 0.0200."),
    ],
)
def test_the_fall_beside_the_gain_of_the_model(gain, words):
    text = losses.beside_gain(GAINS, ["BCE (64)"], gain)
    assert text.startswith("From the full softmax to the weakest loss that learns, NDCG@10 falls by 0.0200")
    assert text.endswith(words)


def test_no_fall_where_no_loss_scores_lower():
    assert losses.beside_gain({"a": BETTER}, [], BETTER) == "No loss that learns scores below the full softmax."
    assert losses.beside_gain({"a": WORSE}, ["a"], BETTER) == "No loss that learns scores below the full softmax."


def test_losses_that_did_not_learn_are_named_and_not_judged():
    assert losses.unlearned({"here": [], "there": []}) == ""
    comparisons = {"here": compare_losses(loss_records(), n=50)}
    gains = comparisons["here"].gains
    fall = losses.beside_gain(gains, [], BETTER)
    assert losses.story(comparisons, {"here": []}, BETTER) == fall
    fall = losses.beside_gain(gains, ["BCE (1)"], BETTER)
    assert losses.story(comparisons, {"here": ["BCE (1)"]}, BETTER).startswith(f"{fall} Not learned at all")
    text = losses.unlearned({"here": ["BCE (1)", "BCE (64)"], "there": []})
    assert text.startswith("Not learned at all (best after the first epoch): on here BCE (1), BCE (64). These say")
