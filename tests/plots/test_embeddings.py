"""Plots of embeddings: a layout that keeps neighbours together, and panels that join the views."""

import numpy as np
import pytest
import torch

from dmesr_core.errors import DataError
from dmesr_core.plots import embeddings


def words(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def two_views(n=40, groups=4, seed=0):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((groups, 16))
    code = np.arange(n) % groups
    return centres[code] + 0.1 * rng.standard_normal((2, n, 16)), code


def test_the_layout_is_repeatable_and_keeps_neighbours_together():
    (picture, text), code = two_views()
    threads = torch.get_num_threads()
    xy, other = embeddings.umap_layout(picture, text, seed=3)
    assert torch.get_num_threads() == threads
    again, _ = embeddings.umap_layout(picture, text, seed=3)
    np.testing.assert_array_equal(xy, again)
    assert xy.shape == other.shape == (40, 2)
    distance = np.linalg.norm(xy[:, None] - other[None], axis=2)
    assert (code[distance.argmin(1)] == code).mean() > 0.9
    with pytest.raises(DataError, match="at least 5"):
        embeddings.umap_layout(picture[:4], text[:4])


def test_umap_panels_join_the_views_and_name_the_groups():
    near, far = np.random.default_rng(0).random((2, 12, 2)), np.full((12, 2), 9.0)
    names = ["hat", "cup", "bag"] * 4
    figure = embeddings.umap_panels({"before": (near[0], near[1] + far), "after": (near[0], near[0])}, names)
    before, after = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["before", "after"]
    assert len(before.lines) == 12
    np.testing.assert_array_equal(before.lines[3].get_xydata(), [near[0, 3], near[1, 3] + far[3]])
    assert [len(c.get_offsets()) for c in before.collections] == [12, 12]
    assert sorted(words(figure)) == sorted([*["hat", "cup", "bag"] * 2, "hat", "cup", "bag"])
    assert len({tuple(c) for c in after.collections[0].get_facecolors()}) == 3
    plain = embeddings.umap_panels({"all": (near[0], near[1])})
    assert not words(plain)
