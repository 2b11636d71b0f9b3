"""Plots of results draw what they are given."""

import pytest
from matplotlib.figure import Figure

from dmesr_core.plots import results
from dmesr_core.plots.style import look

SCORES = {"popularity": (0.03, 0.02, 0.04), "ID only": (0.14, 0.13, 0.15), "ceiling": (0.25, 0.24, 0.26)}


def texts(fig: Figure) -> list[str]:
    ax = fig.axes[0]
    return [t.get_text() for t in [*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels()]]


def test_normalised_scores_are_in_order_and_in_percent():
    fig = results.normalised_scores(SCORES, "popularity", "ceiling", "NDCG@10")
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels == ["popularity", "ID only", "ceiling"]
    assert {"0%", "50%", "100%"} <= set(texts(fig))
    assert "NDCG@10" in fig.axes[0].get_xlabel()


def test_differences_are_hollow_where_the_interval_contains_zero():
    fig = results.paired_differences({"a": (-0.02, -0.03, -0.01), "b": (0.0, -0.01, 0.01)}, "full", "NDCG@10")
    faces = [line.get_markerfacecolor() for line in fig.axes[0].lines if line.get_markersize() == 7]
    assert faces == ["white", look(0).colour]  # drawn from the bottom: b, then a


def test_groups_have_a_bar_per_model_and_their_sizes():
    scores = {m: {"head": SCORES[m], "cold": SCORES[m]} for m in SCORES}
    fig = results.scores_by_group(scores, "NDCG@10", {"head": 1200, "cold": 30})
    assert len(fig.axes[0].patches) == 6
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["head\n1,200 cases", "cold\n30 cases"]
    heights = sorted({round(p.get_height(), 3) for p in fig.axes[0].patches})
    assert heights == pytest.approx([0.03, 0.14, 0.25])


def test_training_curves_draw_every_run_and_names_each_model_once():
    fig = results.training_curves({"a": [[0.1, 0.2], [0.1, 0.3, 0.4]], "b": [[0.2]]}, "validation NDCG@10")
    assert len(fig.axes[0].lines) == 3
    assert [t.get_text() for t in fig.axes[0].get_legend().get_texts()] == ["a", "b"]
