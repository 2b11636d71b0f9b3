"""The style: applied where it is needed, readable in grey, and every figure is closed and counted."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn as sns
from matplotlib.colors import to_rgb

from dmesr_core.plots import style
from dmesr_core.plots.style import LOOKS, figure


@figure
def example(names=("a",)):
    """An example."""
    fig, ax = plt.subplots()
    for name in names:
        ax.plot([1, 2], label=name)
    return fig


@figure
def broken():
    plt.subplots()
    raise ValueError("half-way")


def test_a_figure_is_closed_so_that_a_notebook_shows_it_once():
    already = plt.figure()
    fig = example()
    assert plt.get_fignums() == [already.number]
    fig.canvas.draw()  # a closed figure can still be drawn
    with pytest.raises(ValueError, match="half-way"):
        broken()
    assert plt.get_fignums() == [already.number]
    plt.close(already)


def test_a_figure_has_the_style_even_where_it_was_not_applied():
    with mpl.rc_context(mpl.rcParamsDefault):
        fig = example()
        assert mpl.rcParams["axes.spines.top"], "the user's settings stay"
    assert not fig.axes[0].spines["top"].get_visible()
    assert fig.axes[0].lines[0].get_color() == LOOKS[0].colour


def test_changes_after_the_style_was_applied_are_kept():
    with mpl.rc_context():
        style.apply_style()
        mpl.rcParams["lines.linewidth"] = 7
        assert example().axes[0].lines[0].get_linewidth() == 7


def test_a_decorated_function_keeps_its_name_and_its_call_is_noted():
    style.called.clear()
    assert example.__name__ == "example" and example.__doc__ == "An example."
    assert not style.called
    example()
    assert style.called == {"test_style.py: example"}


def test_seaborn_draws_with_the_same_colours():
    with mpl.rc_context():
        style.apply_style()
        assert sns.color_palette() == [to_rgb(each.colour) for each in LOOKS]


def test_the_first_looks_differ_in_grey_and_all_differ_without_colour():
    grey = [np.dot((0.299, 0.587, 0.114), to_rgb(each.colour)) for each in LOOKS[:4]]
    assert min(np.abs(np.diff(grey))) > 0.15
    assert len({each.marker for each in LOOKS}) == len({each.hatch for each in LOOKS}) == len(LOOKS)
    assert style.look(len(LOOKS)) == style.look(0)


def test_a_shared_legend_names_each_series_once_in_order():
    fig, axes = plt.subplots(1, 2)
    for ax, names in zip(axes, (["a", "b"], ["b", "c"]), strict=True):
        for name in names:
            ax.plot([1, 2], label=name)
    style.shared_legend(fig, axes)
    plt.close(fig)
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["a", "b", "c"]


def test_a_text_is_cut_to_one_line():
    assert style.shortened("a  b\nc", 24) == "a b c"
    assert style.shortened("one two three", 9) == "one two…"
    assert style.shortened("東" * 50, 24) == "東" * 23 + "…"
    assert style.shortened(" \n", 24) == ""
    assert style.shortened("a\x07\u202eb\ufffe é 東 🙂", 24) == "ab é 東 🙂"


def test_formulas_are_drawn_where_they_are_meant():
    """A formula that is drawn as text has its signs in it, and is wider."""
    with mpl.rc_context():
        style.apply_style()
        fig = style.new_figure()
        plain, formula = fig.text(0, 0, "$x_{1}$"), fig.text(0, 0, "$x_{1}$", parse_math=True)
        plt.close(fig)
    assert plain.get_window_extent().width > 1.5 * formula.get_window_extent().width


def test_all_figures_are_made_by_the_style():
    others = [file for file in Path(style.__file__).parent.glob("*.py") if file.name != "style.py"]
    assert len(others) > 10
    assert not [file.name for file in others if re.search(r"plt\.(subplots|figure)\(", file.read_text("utf-8"))]
