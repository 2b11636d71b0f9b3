"""Plots of comparisons over data sets and backbones: scores, differences, two protocols."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from dmesr_core.errors import DataError
from dmesr_core.plots.intervals import Interval, contains_zero, draw_interval
from dmesr_core.plots.style import FAINT, INK, figure, look, shared_legend, subplots

Cells = Mapping[str, Mapping[str, Mapping[str, Interval]]]  # data set -> backbone -> model -> interval


@figure
def scores(cells: Cells, metric: str, baseline: Mapping[str, Interval] | None = None, name: str = "") -> Figure:
    """One panel per data set, one band per backbone, one marker per model, each with its interval.

    Backbones are named at the left only where all data sets have the same ones.

    Args:
        baseline: data set -> interval of a model without a backbone, drawn as a band in the background.
        name: of the baseline.
    """
    fig, axes, models = _panels(cells, columns=2, row=0.2)
    for (data, bands), ax in zip(cells.items(), axes, strict=False):
        if baseline and data in baseline:
            mean, low, high = baseline[data]
            ax.axvspan(low, high, color=FAINT, lw=0, zorder=0)
            ax.axvline(mean, color=INK, lw=1, ls=":", label=name, zorder=1)
        _draw_bands(ax, bands, models)
        ax.set_title(data)
        ax.set_xlabel(f"{metric}, 95% interval")
        ax.margins(x=0.06)
    _legend(fig, axes)
    return fig


@figure
def paired_differences(cells: Cells, metric: str, level: str = "95%, all intervals at once") -> Figure:
    """One panel per data set, one band per backbone, one marker per opponent: differences with their intervals.

    Markers are hollow where the interval contains zero. In `cells` the opponents stand in place of the models.
    """
    fig, axes, opponents = _panels(cells, columns=2, row=0.25)
    for (data, bands), ax in zip(cells.items(), axes, strict=False):
        ax.axvline(0, color=INK, lw=1)
        _draw_bands(ax, bands, opponents, hollow=contains_zero)
        ax.set_title(data)
        ax.set_xlabel(f"difference in {metric}")
        ax.margins(x=0.08)
    _legend(fig, axes, title=f"{level}; hollow: zero is inside")
    return fig


@figure
def differences_by_amount(
    panels: Mapping[str, Mapping[str, Mapping[float, Interval]]], xlabel: str, ylabel: str,
    below: Mapping[str, Mapping[float, str]] | None = None,
) -> Figure:  # fmt: skip
    """Differences to each opponent against an amount on a logarithmic axis; hollow where the interval contains zero.

    Args:
        panels: title -> opponent -> amount -> difference with its interval.
        below: title -> amount -> what stands under the amount; None: nothing.
    """
    if not panels:
        raise DataError("no panel was given: there is nothing to draw")
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    fig, axes = subplots(1, len(panels), figsize=(7.4, 4.2), sharey=True, squeeze=False)
    for (title, lines), ax in zip(panels.items(), axes.flat, strict=True):
        ax.axhline(0, color=INK, lw=1)
        for i, name in enumerate(names):
            if name in lines:
                _draw_line(ax, lines[name], 1.04 ** (i - (len(names) - 1) / 2), i, name)
        ticks = sorted({amount for line in lines.values() for amount in line})
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
        under = (below or {}).get(title, {})
        ax.set_xticks(ticks, [f"{tick:.2g}\n{under.get(tick, '')}".rstrip() for tick in ticks])
        ax.set_title(title)
        ax.set_xlabel(xlabel)
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(ylabel)
    _legend(fig, axes.flat, title="95%, all intervals at once; hollow: zero is inside")
    return fig


def _draw_line(ax: Axes, line: Mapping[float, Interval], shift: float, i: int, name: str) -> None:
    """Points with intervals along a line; `shift` is a factor that keeps the intervals of several lines apart."""
    own, amounts = look(i), sorted(line)
    ax.plot([a * shift for a in amounts], [line[a][0] for a in amounts], color=own.colour, lw=1, alpha=0.7)
    for number, amount in enumerate(amounts):
        mean, low, high = line[amount]
        ax.errorbar(
            amount * shift, mean, yerr=[[mean - low], [high - mean]], fmt=own.marker, color=own.colour, capsize=2.5,
            markersize=6, markerfacecolor="white" if contains_zero(line[amount]) else own.colour,
            label=name if number == 0 else None,
        )  # fmt: skip


@figure
def protocol_comparison(cells: Mapping[str, Mapping[str, tuple[float, float]]], metric: str, sampled: str) -> Figure:
    """Score of each contender against all items (x axis) and against a sample (y axis), one panel per data set.

    A line joins two contenders whose order differs between the protocols. Contenders with the same name before " + "
    (one model with several backbones) have the same colour and marker.

    Args:
        cells: data set -> contender -> (full, sampled); sampled: description of the sample, for the label of the axis.
    """
    kinds = list(dict.fromkeys(c.split(" + ")[0] for contenders in cells.values() for c in contenders))
    columns = min(2, len(cells))
    rows = math.ceil(len(cells) / columns)
    fig, grid = subplots(rows, columns, figsize=(7.2, 3.1 * rows + 0.5), squeeze=False)
    for (data, contenders), ax in zip(cells.items(), grid.flat, strict=False):
        points = list(contenders.values())
        swapped = discordant_pairs(points)
        for i, j in swapped:
            ax.plot(*zip(points[i], points[j], strict=True), color=INK, lw=0.8, alpha=0.6, zorder=1)
        for kind in kinds:
            style = look(kinds.index(kind))
            xy = np.array([p for c, p in contenders.items() if c.split(" + ")[0] == kind])
            if len(xy):
                ax.plot(*xy.T, ls="", marker=style.marker, color=style.colour, ms=7, label=kind, zorder=2)
        pairs = len(points) * (len(points) - 1) // 2
        ax.set_title(f"{data}\n{len(swapped)} of {pairs} pairs change order", fontsize=10)
        ax.set_xlabel(f"{metric}, all items compete")
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel(f"{metric}, {sampled}")
        ax.margins(0.08)
    _hide_unused(grid, len(cells))
    _legend(fig, grid.flat)
    return fig


def discordant_pairs(points: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Pairs (i, j) of points whose order in the first coordinate is the opposite of that in the second; no ties."""
    pairs = [(i, j) for i in range(len(points)) for j in range(i + 1, len(points))]
    return [(i, j) for i, j in pairs if (points[i][0] - points[j][0]) * (points[i][1] - points[j][1]) < 0]


@figure
def hit_probabilities(n_items: int, k: int, negatives: int) -> Figure:
    """Probability of a hit at `k` against the rank of the target: with all items, and with random `negatives`."""
    rank = np.unique(np.geomspace(1, n_items, 200).round().astype(int))
    full, sample = (rank <= k).astype(float), sampled_hit_probability(rank, n_items, k, negatives)
    fig, ax = subplots(figsize=(6.4, 2.9))
    ax.plot(rank, full, color=look(0).colour, label=f"all {n_items:,} items compete", drawstyle="steps-post")
    ax.plot(rank, sample, color=look(1).colour, ls="--", label=f"{negatives} random items compete")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel("rank of the target among all items")
    ax.set_ylabel(f"chance to count in HR@{k}")
    ax.legend(loc="lower left")
    return fig


def sampled_hit_probability(rank: np.ndarray, n_items: int, k: int, negatives: int) -> np.ndarray:
    """Probability that fewer than `k` of `negatives` items, drawn from all others, rank above the target.

    Args:
        rank: of the target among all items, 1 is best.
    """
    from scipy.stats import hypergeom

    return hypergeom.cdf(k - 1, n_items - 1, np.asarray(rank) - 1, min(negatives, n_items - 1))


def _panels(cells: Cells, columns: int, row: float) -> tuple[Figure, list[Axes], list[str]]:
    """A grid of panels whose height fits their bands, and the names of all series in order of appearance."""
    if not cells:
        raise DataError("no data set was given: there is nothing to draw")
    series = list(dict.fromkeys(s for bands in cells.values() for band in bands.values() for s in band))
    columns = min(columns, len(cells))
    rows = math.ceil(len(cells) / columns)
    most = max(len(bands) for bands in cells.values())
    fig, grid = subplots(
        rows, columns, figsize=(7.2, rows * (row * most * len(series) * 0.9 + 1.1) + 0.5), squeeze=False
    )
    _hide_unused(grid, len(cells))
    if len({tuple(bands) for bands in cells.values()}) == 1:
        for ax in grid[:, 1:].flat:
            ax.tick_params(axis="y", labelleft=False)
    return fig, list(grid.flat), series


def _draw_bands(
    ax: Axes, bands: Mapping[str, Mapping[str, Interval]], series: Sequence[str],
    hollow: Callable[[Interval], bool] = lambda _: False,
) -> None:  # fmt: skip
    """Intervals from top to bottom: a band per backbone, in it a line per series."""
    height, unnamed = 0.8 / len(series), set(series)  # each has its name in the legend once
    for b, values in enumerate(bands.values()):
        if b % 2:
            ax.axhspan(b - 0.5, b + 0.5, color=FAINT, alpha=0.25, lw=0, zorder=0)
        for i, name in enumerate(series):
            if name in values:
                draw_interval(
                    ax, b - 0.4 + (i + 0.5) * height, values[name], look(i), hollow(values[name]), capsize=2.5,
                    markersize=6, label=name if name in unnamed else None,
                )  # fmt: skip
                unnamed.discard(name)
    ax.set_yticks(range(len(bands)), list(bands))
    ax.set_ylim(len(bands) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)


def _legend(fig: Figure, axes: Iterable[Axes], title: str | None = None) -> None:
    shared_legend(fig, axes, ncols=4, title=title, title_fontsize=9, fontsize=9)


def _hide_unused(grid: Any, used: int) -> None:
    for ax in list(grid.flat)[used:]:
        ax.set_visible(False)
