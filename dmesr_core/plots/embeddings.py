"""Plots of embeddings: both views of each item in two dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmesr_core.errors import DataError
from dmesr_core.plots import missing
from dmesr_core.plots.style import FAINT, INK, PICTURE, TEXT, figure, shortened, subplots


def umap_layout(
    picture: np.ndarray, text: np.ndarray, seed: int = 0, names: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Both views, (n, d) each, in two dimensions by one UMAP with the cosine metric: two arrays (n, 2).

    Near points are similar; distances between far points mean little. Source: McInnes, Healy and Melville 2018. Fewer
    than 5 items have no neighbourhoods to lay out: they get their first two principal components.

    Args:
        names: of the n items, for errors.

    Raises:
        DataError: no items, views that do not fit, or a vector that is not finite; names the item.
        ModuleNotFoundError: umap-learn is not installed.
    """
    if np.ndim(picture) != 2 or np.shape(picture) != np.shape(text):
        raise DataError(f"a layout wants one vector per item and view: got {np.shape(picture)} and {np.shape(text)}")
    if not len(picture):
        raise DataError("there are no items to lay out")
    for view, vectors in (("picture", picture), ("text", text)):
        if len(bad := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
            name = f" ({names[bad[0]]})" if len(names) else ""
            raise DataError(
                f"the {view} vector of row {bad[0]}{name} is not finite ({len(bad)} of {len(vectors)} such): compute "
                "its features anew, or leave the item out"
            )
    both = np.concatenate([picture, text]).astype(np.float32)  # (2n, d)
    flat = _umap(both, seed) if len(picture) >= 5 else _principal_components(both)
    return flat[: len(picture)], flat[len(picture) :]


def _principal_components(rows: np.ndarray) -> np.ndarray:
    """The first two, (m, 2); zeros where there is no second one."""
    u, s, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    return np.pad(u * s, ((0, 0), (0, 2)))[:, :2]


def _umap(rows: np.ndarray, seed: int) -> np.ndarray:
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        # Some versions of umap-learn warn about their own dependencies, at import and at fit.
        warnings.filterwarnings("ignore", message=".*force_all_finite.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        try:
            from umap import UMAP
        except ModuleNotFoundError as error:
            raise missing(error) from None

        near = min(15, len(rows) - 1)
        layout = UMAP(metric="cosine", n_neighbors=near, min_dist=0.2, init="pca", random_state=seed, n_jobs=1)
        flat = layout.fit_transform(rows)
    torch.set_num_threads(threads)  # numba, which UMAP uses, raises it: twenty times slower on busy cores
    return flat


@figure
def umap_panels(panels: Mapping[str, tuple[np.ndarray, np.ndarray]], groups: Sequence[str] | None = None) -> Figure:
    """Items in two dimensions, each as a disc (picture view) and a square (text view) joined by a faint line.

    Args:
        panels: title -> (picture (n, 2), text (n, 2)).
        groups: n names, such as categories; they colour the points and are written where their points are.
    """
    fig, axes = subplots(1, len(panels), figsize=(4.7 * len(panels), 4.8), squeeze=False)
    names = sorted(set(groups)) if groups is not None else []
    palette = plt.get_cmap("turbo")(np.linspace(0.05, 0.95, max(2, len(names))))
    for ax, (title, (picture, text)) in zip(axes[0], panels.items(), strict=True):
        ax.plot(*np.stack([picture, text], axis=1).T, color=FAINT, linewidth=0.4, alpha=0.7, zorder=1)
        for xy, view, marker, plain in ((picture, "picture", "o", PICTURE), (text, "text", "s", TEXT)):
            colours = palette[[names.index(g) for g in groups]] if groups is not None else plain
            face = colours if view == "picture" else "white"
            ax.scatter(*xy.T, s=13, marker=marker, facecolors=face, edgecolors=colours, linewidths=0.9, label=view)
        for name in names:
            here = np.array([g == name for g in groups or ()])
            _name_group(ax, name, picture[here], text[here], np.ptp(np.concatenate([picture, text]), axis=0))
        ax.set_title(title)
        ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
    ink: Any = dict(linestyle="", color=INK, markersize=5)
    keys = [plt.Line2D([], [], marker="o", **ink), plt.Line2D([], [], marker="s", markerfacecolor="white", **ink)]
    fig.legend(keys, ["picture view", "text view"], loc="outside lower center", ncols=2)
    return fig


def _name_group(ax: Axes, name: str, picture: np.ndarray, text: np.ndarray, size: np.ndarray) -> None:
    """Write a group's name at the median of its points, or at that of each view where the two are far apart."""
    places = [np.median(picture, axis=0), np.median(text, axis=0)]
    if np.linalg.norm((places[0] - places[1]) / size) < 0.25:
        places = [np.median(np.concatenate([picture, text]), axis=0)]
    box = dict(boxstyle="round,pad=0.15", facecolor="white", edgecolor="none", alpha=0.75)
    for place in places:
        ax.annotate(shortened(name, 24), place, ha="center", va="center", fontsize=7.5, zorder=4, bbox=box)
