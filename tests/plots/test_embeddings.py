"""Plots of embeddings: a layout that keeps neighbours together, and panels that join the views."""

import sys

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


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_few_items_have_a_layout_too(n):
    (picture, text), _ = two_views()
    xy, other = embeddings.umap_layout(picture[:n], text[:n])
    assert xy.shape == other.shape == (n, 2)
    assert np.isfinite(xy).all() and np.isfinite(other).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_named(value):
    (picture, text), _ = two_views()
    text = text.copy()
    text[6, 2] = value
    with pytest.raises(DataError, match=r"the text vector of row 6 \(id 'B7'\) is not finite"):
        embeddings.umap_layout(picture, text, names=[f"id 'B{k + 1}'" for k in range(40)])
    with pytest.raises(DataError, match="the picture vector of row 6 is not finite"):
        embeddings.umap_layout(text, picture)


def test_views_that_do_not_fit_are_refused():
    (picture, text), _ = two_views()
    with pytest.raises(DataError, match=r"one vector per item .* \(40, 16\) and \(39, 16\)"):
        embeddings.umap_layout(picture, text[:-1])
    with pytest.raises(DataError, match="no items"):
        embeddings.umap_layout(picture[:0], text[:0])


def test_vectors_of_length_zero_have_a_place():
    (picture, text), _ = two_views()
    picture = picture.copy()
    picture[3] = 0
    xy, _ = embeddings.umap_layout(picture, text)
    assert np.isfinite(xy).all()


def test_what_draws_the_layout_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    (picture, text), _ = two_views()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dmesr-core\[plots\]'"):
        embeddings.umap_layout(picture, text)


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
