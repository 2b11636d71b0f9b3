"""Plots of results: the road from popularity to the ceiling, what each piece adds, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from dmesr_core.plots.style import FAINT, INK, look

Interval = tuple[float, float, float]  # mean, low, high


def road(scores: Mapping[str, Interval], start: str, end: str, metric: str) -> Figure:
    """Every model on the road from the score of `start` (0%) to that of `end` (100%), best at the top.

    Args:
        scores: name -> (mean, low, high) of `metric`; `start` and `end` are two of the names.
    """
    names = sorted(scores, key=lambda n: scores[n][0])
    low, high = scores[start][0], scores[end][0]
    fig, ax = plt.subplots(figsize=(6.4, 0.42 * len(names) + 1.4))
    ax.barh(range(len(names)), [scores[n][0] - low for n in names], left=low, color=FAINT, height=0.5)
    for y, name in enumerate(names):
        mean, below, above = scores[name]
        ax.errorbar(mean, y, xerr=[[mean - below], [above - mean]], fmt=look(0).marker, color=look(0).colour, capsize=3)
        share = (mean - low) / (high - low) if high > low else float("nan")
        ax.annotate(
            f"{share:.0%}", (above, y), xytext=(6, 0), textcoords="offset points", va="center", color=INK, fontsize=9
        )
    for x in (low, high):
        ax.axvline(x, color=INK, lw=0.8, ls=":")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel(f"{metric}, with 95% interval; at the right: share of the road from {start} to {end}")
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)
    plt.close(fig)
    return fig


def gains(differences: Mapping[str, Interval], against: str, metric: str) -> Figure:
    """What each variant gains or loses against `against`: paired differences with intervals, in the order given."""
    names = list(differences)[::-1]
    fig, ax = plt.subplots(figsize=(6.4, 0.4 * len(names) + 1.2))
    ax.axvline(0, color=INK, lw=1)
    for y, name in enumerate(names):
        mean, low, high = differences[name]
        clear = low > 0 or high < 0  # filled where the interval leaves zero out
        ax.errorbar(
            mean, y, xerr=[[mean - low], [high - mean]], fmt=look(0).marker, color=look(0).colour, capsize=3,
            markerfacecolor=look(0).colour if clear else "white", markersize=7,
        )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel(f"difference in {metric} to {against}, with 95% interval (hollow: zero is inside)")
    ax.grid(axis="y", visible=False)
    plt.close(fig)
    return fig


def by_group(scores: Mapping[str, Mapping[str, Interval]], metric: str, sizes: Mapping[str, int]) -> Figure:
    """Bars per group of cases, one per model.

    Args:
        scores: model -> group -> (mean, low, high); sizes: group -> number of cases.
    """
    models, groups = list(scores), list(sizes)
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    width = 0.8 / len(models)
    for i, model in enumerate(models):
        x = np.arange(len(groups)) + (i - (len(models) - 1) / 2) * width
        mean, low, high = np.array([scores[model][g] for g in groups], dtype=float).T
        style = look(i)
        ax.bar(x, mean, width * 0.92, color=style.colour, hatch=style.hatch, edgecolor="white", label=model)
        ax.errorbar(x, mean, yerr=[mean - low, high - mean], fmt="none", ecolor=INK, capsize=2, lw=1)
    ax.set_xticks(range(len(groups)), [f"{g}\n{sizes[g]:,} cases" for g in groups])
    ax.set_ylabel(metric)
    ax.grid(axis="x", visible=False)
    ax.legend(ncols=min(len(models), 4), loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    plt.close(fig)
    return fig


def training(curves: Mapping[str, Sequence[Sequence[float]]], ylabel: str) -> Figure:
    """One line per run and epoch; runs of one model share a look."""
    fig, ax = plt.subplots()
    for i, (name, runs) in enumerate(curves.items()):
        style = look(i)
        for j, values in enumerate(runs):
            epochs = range(1, len(values) + 1)
            every = max(1, len(values) // 8)
            ax.plot(
                epochs, values, color=style.colour, marker=style.marker, markevery=(i, every), alpha=0.8,
                label=name if j == 0 else None,
            )  # fmt: skip
    ax.set_xlabel("epoch")
    ax.set_ylabel(ylabel)
    ax.legend()
    plt.close(fig)
    return fig
