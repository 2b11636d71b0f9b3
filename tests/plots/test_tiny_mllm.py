"""Plots of the tiny MLLM's training draw what they are given."""

import numpy as np
import pytest

from dmesr_core.errors import DataError
from dmesr_core.plots import tiny_mllm


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_split_map_shades_each_combination_by_its_split():
    numbers = np.array([[0, 1, 2], [2, 0, 0]])
    panels = {"plain": numbers, "dotted": 0 * numbers}
    figure = tiny_mllm.split_map(panels, ["cup", "hat"], list("rgb"), ["a", "b", "c"])
    first, second = figure.axes
    assert [ax.get_title(loc="left") for ax in (first, second)] == ["plain", "dotted"]
    assert labels(first.xaxis) == ["r", "g", "b"]
    assert labels(first.yaxis) == ["cup", "hat"]
    assert first.get_ylim() == second.get_ylim() == (2, 0)  # the first row at the top
    mesh = first.collections[0]
    assert np.array_equal(mesh.get_array().reshape(2, 3), numbers)
    shades = [mesh.cmap(mesh.norm(number)) for number in (0, 1, 2)]
    keys = figure.legends[0].get_patches()
    assert [key.get_facecolor() for key in keys] == shades
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize("numbers", [np.zeros((2, 2)), np.full((2, 3), 3), np.full((2, 3), -1)])
def test_split_map_names_a_panel_that_does_not_fit(numbers):
    with pytest.raises(DataError, match="'plain'"):
        tiny_mllm.split_map({"plain": numbers}, ["cup", "hat"], list("rgb"), ["a", "b", "c"])


def test_stage_losses_draw_each_stage_in_its_panel():
    figure = tiny_mllm.stage_losses([(1, 0, 4.0), (1, 9, 2.0), (2, 0, 8.0)], {1: "eyes", 2: "all"})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["eyes", "all"]
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 4], [10, 2]]
    assert figure.axes[1].lines[0].get_xydata().tolist() == [[1, 8]]


def test_stage_losses_want_losses_of_each_stage():
    with pytest.raises(DataError, match="stage 2"):
        tiny_mllm.stage_losses([(1, 0, 4.0)], {1: "eyes", 2: "all"})
