"""Plots of the Bazaar's process: its hidden Markov model, beliefs over hidden types, items and events over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from dmesr_core.errors import DataError
from dmesr_core.plots.data import Picture, show_picture
from dmesr_core.plots.heatmap import draw_heatmap
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots

HIDDEN, TASTE, PULL = look(0).colour, look(2).colour, look(5).colour


@figure
def hidden_markov_model(pictures: Sequence[Picture] = (), steps: int = 4) -> Figure:
    """A shopper as a hidden Markov model: types above, purchases below, dependencies as arrows.

    Args:
        pictures: of the first purchases, drawn in their boxes; the last box is the purchase to predict.
        steps: number of purchases, the last one included.
    """
    if steps < 2 or len(pictures) >= steps:
        raise DataError(f"wanted at least 2 steps and fewer pictures than steps, got {steps} and {len(pictures)}")
    fig, ax = subplots(figsize=(7.6, 3.5))
    ax.set(xlim=(-1.05, 2 * steps - 0.7), ylim=(-0.75, 2.75), aspect="equal")
    ax.axis("off")
    for t in range(steps):
        x, last = 2.0 * t, t == steps - 1
        ax.add_patch(Circle((x, 2.1), 0.38, facecolor="white", edgecolor=HIDDEN, lw=2))
        ax.text(x, 2.1, f"$z_{{{t + 1}}}$", ha="center", va="center", fontsize=13, parse_math=True)
        box = FancyBboxPatch((x - 0.5, -0.5), 1, 1, boxstyle="round,pad=0.02", facecolor="white",
                             edgecolor=INK, lw=1.4, ls="--" if last else "-")  # fmt: skip
        ax.add_patch(box)
        if t < len(pictures):
            show_picture(inset := ax.inset_axes((x - 0.46, -0.46, 0.92, 0.92), transform=ax.transData), pictures[t])
            inset.axis("off")
        else:
            ax.text(x, 0, "?" if last else f"$x_{{{t + 1}}}$", ha="center", va="center", fontsize=20 if last else 13,
                    parse_math=True)  # fmt: skip
        _arrow(ax, (x, 1.7), (x, 0.55), TASTE, "-")
        if t:
            _arrow(ax, (x - 1.6, 2.1), (x - 0.4, 2.1), HIDDEN, "-")
            _arrow(ax, (x - 1.45, 0), (x - 0.55, 0), PULL, "--")
    ax.text(1, 2.22, "drift", ha="center", va="bottom", color=HIDDEN, fontsize=9)
    ax.text(0.1, 1.12, "taste", ha="left", va="center", color=TASTE, fontsize=9)
    ax.text(1, 0.1, "pull", ha="center", va="bottom", color=PULL, fontsize=9)
    ax.text(-0.98, 2.1, "type\n(hidden)", ha="center", va="center", fontsize=9)
    ax.text(-0.98, 0, "purchase\n(seen)", ha="center", va="center", fontsize=9)
    return fig


@figure
def belief_map(belief: np.ndarray, pictures: Sequence[Picture]) -> Figure:
    """Belief over hidden types after each purchase.

    Args:
        belief: (T + 1, K) probabilities; row t is the belief after t purchases, rows sum to 1.
        pictures: of the T purchases, each drawn above the column of the belief after it.
    """
    belief = np.asarray(belief, dtype=float)
    if belief.ndim != 2 or len(belief) != len(pictures) + 1:
        raise DataError(
            f"a belief {belief.shape} does not fit {len(pictures)} pictures: wanted one row more than those"
        )
    steps, kinds = belief.shape
    if not np.allclose(belief.sum(1), 1, atol=1e-6):
        raise DataError("each row of a belief must sum to 1")
    fig, (above, ax) = subplots(2, 1, figsize=(7.4, 3.7), height_ratios=(0.28, 1), sharex=True)
    image = draw_heatmap(ax, belief.T, range(1, kinds + 1), range(steps), fontsize=10, cmap="Blues", vmin=0, vmax=1)
    ax.invert_yaxis()  # the first type at the bottom
    ax.set_xlabel("purchases seen so far")
    ax.set_ylabel("type")
    ax.spines[["left", "bottom"]].set_visible(True)
    ax.vlines(np.arange(1, steps), 0, kinds, color=FAINT, lw=0.5)
    fig.colorbar(image, ax=[above, ax], label="probability", pad=0.02)
    above.axis("off")
    for t, picture in enumerate(pictures, start=1):
        inset = above.inset_axes((t + 0.03, 0, 0.94, 1), transform=above.get_xaxis_transform())
        show_picture(inset, picture)
        inset.set_anchor("S")
        inset.axis("off")
    return fig


@figure
def launches(on_sale: np.ndarray, events: np.ndarray) -> Figure:
    """Week by week: items on sale (left) and events in the log (right), each (weeks,)."""
    if np.shape(on_sale) != np.shape(events):
        raise DataError(f"{np.shape(on_sale)} weeks of items do not fit {np.shape(events)} weeks of events")
    fig, (left, right) = subplots(1, 2, figsize=(7.4, 2.6))
    weeks = np.arange(len(on_sale))
    left.step(weeks, on_sale, where="mid", color=look(0).colour, lw=2)
    left.set_ylim(0, 1.08 * np.max(on_sale))
    left.set_ylabel("items on sale")
    right.bar(weeks, events, width=0.85, color=look(4).colour)
    right.set_ylabel("purchases")
    for ax in (left, right):
        ax.set_xlabel("week")
        ax.grid(axis="x", visible=False)
    return fig


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, style: str) -> None:
    ax.annotate("", end, start, arrowprops=dict(arrowstyle="-|>", color=colour, lw=1.6, ls=style, shrinkA=0, shrinkB=0))
