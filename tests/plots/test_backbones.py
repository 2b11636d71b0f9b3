"""Plots of backbones: drawings that say what they mean, and maps that leave out what has no influence."""

import matplotlib.pyplot as plt
import numpy as np

from dmesr_core.plots import backbones


def words(ax) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


def test_the_drawing_predicts_what_each_reader_predicts():
    fig = backbones.three(4)
    gru, sasrec, bert = fig.axes
    assert r"$\hat{i}_{5}$" in words(gru) and r"$\hat{i}_{5}$" in words(sasrec)
    assert words(bert).count("?") == 1
    assert [w for w in words(bert) if "hat" in w] == [r"$\hat{i}_{3}$"]  # the hidden one alone
    arrows = [sum(not t.get_text() for t in ax.texts) for ax in fig.axes]
    assert arrows == [4 + 4 + 3, 4 * 5 // 2, 4 * 4]
    assert not plt.get_fignums()


def test_influence_scales_rows_and_leaves_out_what_has_none():
    values = np.array([[2.0, 0.0], [1.0, 4.0]])
    fig = backbones.influence({"a": values, "b": values})
    (image,) = fig.axes[0].images
    shown = np.ma.filled(np.ma.masked_invalid(image.get_array()), -1)
    np.testing.assert_allclose(shown, [[1, -1], [0.25, 1]])
    assert len([ax for ax in fig.axes if ax.images]) == 2
