"""Plots of backbones: which positions see which items, as diagrams and as measured in a model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from dmesr_core.plots.heatmap import draw_heatmap
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots

IN, STATE, OUT = look(0).colour, look(2).colour, look(5).colour


@figure
def backbone_diagrams(steps: int = 4) -> Figure:
    """Three backbones on one history: recurrent, causal attention, and bidirectional attention with a masked item."""
    fig, axes = subplots(1, 3, figsize=(7.6, 2.9))
    _recurrent(axes[0], steps)
    _causal(axes[1], steps)
    _bidirectional(axes[2], steps, masked=steps - 2)
    for ax, title in zip(axes, ("GRU4Rec", "SASRec", "BERT4Rec"), strict=True):
        ax.set(xlim=(-0.6, steps - 0.4), ylim=(-0.75, 2.75), title=title)
        ax.axis("off")
    return fig


@figure
def influence_maps(maps: Mapping[str, np.ndarray]) -> Figure:
    """How much the output at each position (row) depends on each item of the history (column).

    Args:
        maps: name -> (T, T) non-negative; each row is scaled to a maximum of 1. Zeros are left blank.
    """
    fig, axes = subplots(1, len(maps), figsize=(7.6, 2.9), squeeze=False)
    for (name, values), ax in zip(maps.items(), axes.flat, strict=True):
        share = values / np.maximum(values.max(axis=1, keepdims=True), 1e-12)
        positions = range(1, len(values) + 1)
        image = draw_heatmap(
            ax, share, positions, positions, fontsize=10, mask=values <= 0, cmap="cividis_r",
            norm=PowerNorm(0.4, 0, 1), square=True,
        )  # fmt: skip
        ax.set(title=name, xlabel="item that is changed")
        ax.spines[["left", "bottom"]].set_visible(True)
    axes[0, 0].set_ylabel("position that answers")
    fig.colorbar(image, ax=list(axes.flat), shrink=0.8, label="influence (largest of the row: 1)")
    return fig


def _recurrent(ax: Axes, steps: int) -> None:
    for t in range(steps):
        _box(ax, t, 0, f"$i_{{{t + 1}}}$", IN)
        _box(ax, t, 1, f"$h_{{{t + 1}}}$", STATE)
        _box(ax, t, 2, f"$\\hat{{i}}_{{{t + 2}}}$", OUT)
        _arrow(ax, t, 0, t, 1)
        _arrow(ax, t, 1, t, 2)
        if t:
            ax.annotate("", (t - 0.3, 1), (t - 0.7, 1), arrowprops=dict(arrowstyle="->", color=STATE, lw=1.6))
    ax.text(steps / 2 - 0.5, -0.65, "one memory, passed on", ha="center", fontsize=9)


def _causal(ax: Axes, steps: int) -> None:
    for t in range(steps):
        _box(ax, t, 0, f"$i_{{{t + 1}}}$", IN)
        _box(ax, t, 2, f"$\\hat{{i}}_{{{t + 2}}}$", OUT)
        for s in range(t + 1):
            _arrow(ax, s, 0, t, 2)
    ax.text(steps / 2 - 0.5, -0.65, "each looks at all before it", ha="center", fontsize=9)


def _bidirectional(ax: Axes, steps: int, masked: int) -> None:
    for t in range(steps):
        _box(ax, t, 0, "?" if t == masked else f"$i_{{{t + 1}}}$", IN, "--" if t == masked else "-")
        if t == masked:
            _box(ax, t, 2, f"$\\hat{{i}}_{{{t + 1}}}$", OUT)
        for s in range(steps):
            _arrow(ax, s, 0, t, 2, INK if t == masked else FAINT)
    ax.text(steps / 2 - 0.5, -0.65, "the hidden one looks both ways", ha="center", fontsize=9)


def _box(ax: Axes, x: float, y: float, text: str, colour: str, line: str = "-") -> None:
    ax.add_patch(
        FancyBboxPatch((x - 0.25, y - 0.25), 0.5, 0.5, boxstyle="round,pad=0.02", facecolor="white",
                       edgecolor=colour, lw=1.5, ls=line, zorder=3)
    )  # fmt: skip
    ax.text(x, y, text, ha="center", va="center", fontsize=11, zorder=4, parse_math=True)


def _arrow(ax: Axes, x: float, y: float, to_x: float, to_y: float, colour: str = INK) -> None:
    ax.annotate("", (to_x, to_y - 0.29), (x, y + 0.29), arrowprops=dict(arrowstyle="->", color=colour, lw=0.9))
