"""Heat maps."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from seaborn.utils import relative_luminance

from dmesr_core.plots.heatmap import draw_heatmap


def contrast(first, second):
    """Of two colours, as the guidelines for web content (WCAG) define it: 1 to 21."""
    low, high = sorted([relative_luminance(first), relative_luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_the_first_row_is_at_the_top_and_labels_are_upright():
    ax = Figure().subplots()
    mesh = draw_heatmap(ax, [[1, 2, 3], [4, 5, 6]], ["a", "b"], ["x", "y", "z"], fontsize=8)
    np.testing.assert_array_equal(mesh.get_array(), [[1, 2, 3], [4, 5, 6]])
    assert ax.yaxis_inverted()
    assert [(t.get_text(), t.get_rotation()) for t in ax.get_yticklabels()] == [("a", 0), ("b", 0)]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]
    assert not ax.texts


@pytest.mark.parametrize("cmap", ["cividis", "Blues"])
def test_numbers_can_be_read_on_every_colour(cmap):
    ax = Figure().subplots()
    table = np.linspace(0, 1, 21).reshape(3, 7)
    mesh = draw_heatmap(ax, table, "abc", "1234567", fontsize=8, numbers=True, cmap=cmap)
    assert [t.get_text() for t in ax.texts][:2] == ["0.00", "0.05"]
    for text, value in zip(ax.texts, table.flat, strict=True):
        assert contrast(to_rgb(text.get_color()), mesh.to_rgba(value)[:3]) > 3.5
