"""Grouped and stacked bars."""

import pytest
from matplotlib.figure import Figure

from dmesr_core.plots.bars import draw_grouped_bars, draw_stacked_shares


def test_bars_of_a_group_stand_side_by_side_around_its_position():
    ax = Figure().subplots()
    draw_grouped_bars(ax, {"a": [1.0, 2.0], "b": [3.0, 4.0]}, {"a": [(0.5, 1.5)] * 2, "b": [(3.0, 5.0)] * 2})
    first, second = ([(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] for bars in ax.containers[::2])
    for group in (0, 1):
        assert first[group][1] < second[group][0]
        assert first[group][0] + second[group][1] == pytest.approx(2 * group)
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 3, 4]
    assert len({bar.get_hatch() for bar in ax.patches}) == 2


def test_shares_fill_the_bar_and_small_ones_have_no_text():
    ax = Figure().subplots()
    draw_stacked_shares(ax, {"x": {"a": 0.96, "b": 0.04}, "y": {"b": 1.0}}, height=0.6, smallest=0.05)
    ends = [bar.get_x() + bar.get_width() for bar in ax.containers[-1]]
    assert ends == pytest.approx([1, 1])
    assert [t.get_text() for t in ax.texts] == ["96%", "", "", "100%"]
    assert ax.yaxis_inverted()
