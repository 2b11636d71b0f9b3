"""Plots of ablations draw what they are given."""

import numpy as np
import pytest

from dmesr_core.errors import DataError
from dmesr_core.plots import ablations
from dmesr_core.plots.style import look

UP, OPEN = (0.02, 0.01, 0.03), (0.0, -0.01, 0.01)


def texts(items):
    return [t.get_text() for t in items]


def test_a_component_has_a_full_dot_where_a_variant_has_it():
    fig = ablations.component_table({"whole": ["eye", "ear"], "deaf": ["eye"]}, ["eye", "ear"])
    (ax,) = fig.axes
    full = [line for line in ax.lines if line.get_markerfacecolor() == look(0).colour]
    assert [list(line.get_xdata()) for line in full] == [[0, 1], [0]]
    assert texts(ax.get_yticklabels()) == ["whole", "deaf"]
    with pytest.raises(DataError, match="nose"):
        ablations.component_table({"whole": ["nose"]}, ["eye"])


def test_differences_stand_beside_the_components_and_are_filled_where_zero_is_outside():
    rows = {"whole": ["eye"], "a": [], "b": ["eye"]}
    fig = ablations.component_table(rows, ["eye"], {"a": UP, "b": OPEN}, "difference")
    left, right = fig.axes
    lines = [c.lines[0] for c in right.containers]
    assert [line.get_ydata()[0] for line in lines] == [1, 2]
    assert [line.get_markerfacecolor() for line in lines] == [look(0).colour, "white"]
    assert left.get_ylim() == right.get_ylim()
    assert right.get_xlabel() == "difference" and not right.texts
    noted = ablations.component_table(rows, ["eye"], {"a": UP}, "difference", {name: f"of {name}" for name in rows})
    assert {text.get_text(): text.xy[1] for text in noted.axes[1].texts} == {"of whole": 0, "of a": 1, "of b": 2}


def test_settings_stand_in_order_with_the_default_marked():
    fig = ablations.sensitivity({"alpha": {1.0: UP, 0.05: OPEN, 0.2: UP}}, {"alpha": 0.05}, "difference")
    (ax,) = fig.axes
    assert texts(ax.get_xticklabels()) == ["0.05", "0.2", "1"]
    assert ax.containers[0].lines[0].get_ydata().tolist() == [0.0, 0.02, 0.02]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 7] == [0]
    with pytest.raises(DataError, match="nothing to draw"):
        ablations.sensitivity({}, {}, "")


def test_facts_are_shown_group_by_group():
    nothing = {"colour": 0.0, "series": 0.0, "category": 0.25}
    table = {"DMESR": {"colour": 0.9, "series": 0.1, "category": 1.0}, "ID only": nothing}
    fig = ablations.probe_heatmaps({"known": table}, {"seen": ["colour"], "read": ["series"], "both": ["category"]})
    ax = fig.axes[0]
    assert texts(ax.get_yticklabels()) == ["colour", "series", "category"]
    np.testing.assert_allclose(ax.collections[0].get_array(), [[0.9, 0], [0.1, 0], [1, 0.25]])
    assert {"seen", "read", "both", "0.25"} <= set(texts(ax.texts))


def test_shares_add_up_and_name_the_number_of_cases():
    rows = {"right": {"taste": 0.7, "luck": 0.3}, "wrong": {"luck": 1.0}}
    fig = ablations.stacked_shares(rows, {"right": 1200, "wrong": 3})
    (ax,) = fig.axes
    assert texts(ax.get_yticklabels()) == ["right\n1,200 cases", "wrong\n3 cases"]
    ends = [max(p.get_x() + p.get_width() for p in ax.patches if abs(p.get_y() + 0.33 - y) < 0.1) for y in (0, 1)]
    assert ends == pytest.approx([1, 1])
    assert texts(fig.legends[0].get_texts()) == ["taste", "luck"]
