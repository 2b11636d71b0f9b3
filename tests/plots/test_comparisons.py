"""Plots of comparisons draw what they are given, and name everything once."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from dmesr_core.errors import DataError
from dmesr_core.plots import comparisons
from dmesr_core.plots.style import look

BANDS = {
    "SASRec": {"ID only": (0.10, 0.09, 0.11), "DMESR": (0.14, 0.12, 0.15)},
    "GRU4Rec": {"ID only": (0.08, 0.07, 0.09), "DMESR": (0.11, 0.10, 0.12)},
}
CELLS = {"Bazaar": BANDS, "films": BANDS, "by time": {"SASRec": BANDS["SASRec"], "GRU4Rec": {}}}


def title(ax) -> str:
    return ax.get_title() or ax.get_title(loc="left")  # where the book's style puts it


def shown(fig: Figure) -> list:
    return [ax for ax in fig.axes if ax.get_visible()]


def legend(fig: Figure) -> list[str]:
    return [t.get_text() for t in fig.legends[0].get_texts()]


def test_scores_have_a_panel_per_data_set_and_a_point_per_model():
    fig = comparisons.scores(CELLS, "NDCG@10", {"films": (0.03, 0.02, 0.04)}, "popularity")
    assert [title(ax) for ax in shown(fig)] == list(CELLS)
    assert [len(ax.containers) for ax in shown(fig)] == [4, 4, 2]
    assert legend(fig) == ["ID only", "DMESR", "popularity"]
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["SASRec", "GRU4Rec"]
    assert "NDCG@10" in fig.axes[0].get_xlabel()
    points = {round(float(c.lines[0].get_xdata()[0]), 2) for c in fig.axes[0].containers}
    assert points == {0.10, 0.14, 0.08, 0.11}


def test_the_first_backbone_is_at_the_top_and_models_never_share_a_line():
    ax = comparisons.scores(CELLS, "NDCG@10").axes[0]
    heights = [float(c.lines[0].get_ydata()[0]) for c in ax.containers]
    assert ax.yaxis_inverted()
    assert heights == sorted(heights) and len(set(heights)) == 4


def test_a_model_missing_in_the_first_panel_is_in_the_legend_with_its_own_look():
    fig = comparisons.scores({"a": {"SASRec": {"x": (1, 0, 2)}}, "b": {"SASRec": {"y": (1, 0, 2)}}}, "m")
    assert legend(fig) == ["x", "y"]
    assert fig.axes[1].containers[0].lines[0].get_color() == look(1).colour


def test_a_model_missing_in_the_first_band_is_in_the_legend_too():
    fig = comparisons.scores({"a": {"GRU4Rec": {"x": (1, 0, 2)}, "SASRec": {"x": (1, 0, 2), "y": (1, 0, 2)}}}, "m")
    assert legend(fig) == ["x", "y"]


def test_differences_by_amount_have_a_panel_per_title_and_a_line_per_opponent():
    up, open_ = (0.02, 0.01, 0.03), (0.01, -0.01, 0.03)
    panels = {"few": {"a": {4.5: up, 2.2: open_}}, "many": {"a": {9.0: up}, "b": {9.0: up}}}
    fig = comparisons.differences_by_amount(panels, "events per item", "difference")
    few, many = fig.axes
    assert [title(ax) for ax in fig.axes] == ["few", "many"] and legend(fig) == ["a", "b"]
    faces = [c.lines[0].get_markerfacecolor() for c in few.containers]
    assert faces == ["white", look(0).colour]  # from the smallest amount on
    assert [t.get_text() for t in few.get_xticklabels()] == ["2.2", "4.5"] and few.get_xscale() == "log"
    at = [float(c.lines[0].get_xdata()[0]) for c in many.containers]
    assert at[0] < 9 < at[1] and few.get_ylim() == many.get_ylim()
    few = comparisons.differences_by_amount(panels, "", "", {"few": {2.2: "375"}}).axes[0]
    assert [t.get_text() for t in few.get_xticklabels()] == ["2.2\n375", "4.5"]
    with pytest.raises(DataError, match="nothing to draw"):
        comparisons.differences_by_amount({}, "", "")


def test_differences_are_hollow_where_the_interval_contains_zero():
    cells = {"Bazaar": {"SASRec": {"over a": (0.02, 0.01, 0.03), "over b": (0.01, -0.01, 0.03)}}}
    fig = comparisons.paired_differences(cells, "NDCG@10")
    faces = [c.lines[0].get_markerfacecolor() for c in fig.axes[0].containers]
    assert faces == [look(0).colour, "white"]
    assert "hollow" in fig.legends[0].get_title().get_text()
    worse = comparisons.paired_differences({"Bazaar": {"SASRec": {"over a": (-0.02, -0.03, -0.01)}}}, "NDCG@10")
    assert worse.axes[0].containers[0].lines[0].get_markerfacecolor() == look(0).colour


def test_two_protocols_join_the_pairs_that_change_order():
    points = {"ID only + SASRec": (0.1, 0.5), "ID only + GRU4Rec": (0.2, 0.4), "DMESR + SASRec": (0.3, 0.6)}
    fig = comparisons.protocol_comparison({"Bazaar": points}, "NDCG@10", "101 items compete")
    ax = fig.axes[0]
    assert "1 of 3 pairs" in title(ax)
    joined = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert [sorted(line.get_xdata()) for line in joined] == [[0.1, 0.2]]
    assert legend(fig) == ["ID only", "DMESR"]
    assert "101 items" in ax.get_ylabel()


def test_ties_are_not_discordant():
    assert comparisons.discordant_pairs([(1, 1), (1, 2), (2, 1), (0, 3)]) == [(0, 3), (1, 2), (1, 3), (2, 3)]
    assert comparisons.discordant_pairs([]) == []


def test_a_sampled_hit_depends_on_how_many_are_drawn():
    chance = comparisons.sampled_hit_probability
    assert chance(np.array([10, 11]), 100, 10, 99).tolist() == [1, 0]  # all are drawn: the full ranking
    assert chance(np.array([1, 10]), 1000, 10, 100).tolist() == [1, 1]
    assert chance(np.array([3]), 5, 1, 2)[0] == pytest.approx(1 / 6)  # two of four, both below: 1 of 6 pairs
    fig = comparisons.hit_probabilities(1000, 10, 100)
    full, sampled = (line.get_ydata() for line in fig.axes[0].lines)
    assert full.sum() < sampled.sum()
    assert fig.axes[0].get_xscale() == "log"


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match="nothing to draw"):
        comparisons.paired_differences({}, "NDCG@10")
