"""Points with intervals."""

import pytest
from matplotlib.figure import Figure

from dmesr_core.plots.intervals import contains_zero, draw_differences, draw_interval
from dmesr_core.plots.style import look


def test_a_point_is_at_its_mean_and_its_line_runs_from_low_to_high():
    ax = Figure().subplots()
    draw_interval(ax, 2, (0.3, 0.1, 0.9), look(1))
    (container,) = ax.containers
    assert container.lines[0].get_xydata().tolist() == [[0.3, 2]]
    assert container.lines[2][0].get_segments()[0][:, 0] == pytest.approx([0.1, 0.9])
    assert container.lines[0].get_marker() == look(1).marker


@pytest.mark.parametrize(("low", "high", "inside"), [(-1, 1, True), (0, 1, True), (0.1, 1, False), (-1, -0.1, False)])
def test_a_difference_is_hollow_where_its_interval_contains_zero(low, high, inside):
    assert contains_zero((0.5, low, high)) == inside
    ax = Figure().subplots()
    draw_differences(ax, [None, ((low + high) / 2, low, high)])
    (container,) = ax.containers  # None is left out
    assert container.lines[0].get_ydata()[0] == 1
    assert (container.lines[0].get_markerfacecolor() == "white") == inside
