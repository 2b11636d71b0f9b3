"""Plots of backbones: diagrams that predict what the models predict, and maps that leave zeros blank."""

import numpy as np

from dmesr_core.plots import backbones


def words(ax) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


def test_each_diagram_predicts_what_its_backbone_predicts():
    fig = backbones.backbone_diagrams(4)
    gru, sasrec, bert = fig.axes
    assert r"$\hat{i}_{5}$" in words(gru) and r"$\hat{i}_{5}$" in words(sasrec)
    assert words(bert).count("?") == 1
    assert [w for w in words(bert) if "hat" in w] == [r"$\hat{i}_{3}$"]  # the hidden one alone
    arrows = [sum(not t.get_text() for t in ax.texts) for ax in fig.axes]
    assert arrows == [4 + 4 + 3, 4 * 5 // 2, 4 * 4]


def test_influence_maps_scale_rows_and_leave_zeros_blank():
    values = np.array([[2.0, 0.0], [1.0, 4.0]])
    fig = backbones.influence_maps({"a": values, "b": values})
    shown = np.ma.filled(fig.axes[0].collections[0].get_array(), -1)
    np.testing.assert_allclose(shown, [[1, -1], [0.25, 1]])
    assert [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["a", "b"]
