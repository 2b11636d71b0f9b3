"""Bars, grouped with intervals or stacked, as several plots draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from dmesr_core.plots.style import INK, look


def draw_grouped_bars(
    ax: Axes, heights: Mapping[str, Sequence[float]], intervals: Mapping[str, Sequence[tuple[float, float]]] | None
) -> None:
    """Groups of bars, one bar per series in each.

    Args:
        heights: series -> one value per group; intervals: series -> (low, high) per group.
    """
    width = 0.8 / len(heights)
    for i, (name, values) in enumerate(heights.items()):
        x = np.arange(len(values)) - 0.4 + (i + 0.5) * width
        own = look(i)
        ax.bar(x, values, 0.94 * width, color=own.colour, hatch=own.hatch, edgecolor="white", label=name)
        if intervals is not None:
            low, high = np.asarray(intervals[name], dtype=float).T
            spread = np.stack([values - low, high - values]).clip(0)
            ax.errorbar(x, values, yerr=spread, fmt="none", ecolor=INK, capsize=2, lw=1)
    ax.grid(axis="x", visible=False)


def draw_stacked_shares(ax: Axes, shares: Mapping[str, Mapping[str, float]], height: float, smallest: float) -> None:
    """One horizontal bar per row, divided into parts, each with its percentage.

    Args:
        shares: row -> part -> its share, 0..1; smallest: share from which the percentage is written.
    """
    left = np.zeros(len(shares))
    for i, part in enumerate(dict.fromkeys(part for row in shares.values() for part in row)):
        width = np.array([row.get(part, 0.0) for row in shares.values()])
        own = look(i)
        bars = ax.barh(range(len(shares)), width, left=left, height=height, color=own.colour, hatch=own.hatch,
                       edgecolor="white", label=part)  # fmt: skip
        texts = [f"{w:.0%}" if w >= smallest else "" for w in width]
        ax.bar_label(bars, texts, label_type="center", fontsize=8.5,
                     bbox=dict(facecolor="white", edgecolor="none", pad=1.1, alpha=0.85))  # fmt: skip
        left += width
    ax.set_yticks(range(len(shares)), list(shares))
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(axis="y", visible=False)
