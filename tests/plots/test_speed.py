"""Plots of speed show each ratio with its range, and the aim where there is one."""

import pytest

from dmesr_core.errors import DataError
from dmesr_core.plots import speed

FOUND = {"training": {"a": (15.0, 12.0, 16.0), "b": (20.0, 18.0, 22.0)}, "ranking": {"b": (3.0, 2.5, 3.5)}}


def test_each_ratio_has_its_marker_and_its_range():
    [ax] = speed.ratios(FOUND, "times as fast", {"training": 15.0}).axes
    bars = [(c.lines[0].get_xdata()[0], c.lines[2][0].get_segments()[0][:, 0].tolist()) for c in ax.containers]
    assert bars == [(15.0, [12.0, 16.0]), (20.0, [18.0, 22.0]), (3.0, [2.5, 3.5])]
    heights = [c.lines[0].get_ydata()[0] for c in ax.containers]
    assert sorted(heights) == heights and len(set(heights)) == 3
    assert [t.get_text() for t in ax.get_yticklabels()] == ["training", "ranking"]
    assert ax.get_xscale() == "log"


def test_the_aim_is_drawn_only_where_there_is_one():
    words = [t.get_text() for t in speed.ratios(FOUND, "x", {"training": 15.0}).legends[0].get_texts()]
    assert words == ["a", "b", "aim"]
    assert [t.get_text() for t in speed.ratios(FOUND, "x").legends[0].get_texts()] == ["a", "b"]


def test_what_cannot_be_drawn_is_refused():
    for wrong in ({}, {"training": {"a": (1.0, 0.0, 2.0)}}):
        with pytest.raises(DataError, match="above 0"):
            speed.ratios(wrong, "x")


def test_a_narrow_scale_has_ticks_too():
    fig = speed.ratios({"step": {"a": (1.2, 1.1, 1.3), "b": (1.5, 1.4, 1.6)}}, "x")
    low, high = fig.axes[0].get_xlim()
    assert sum(low <= tick <= high for tick in fig.axes[0].get_xticks()) >= 3
