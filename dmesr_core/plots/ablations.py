"""Plots of what carries a gain: parts taken away, settings, less data, facts kept, reasons, quality against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter, StrMethodFormatter

from dmesr_core.errors import DataError
from dmesr_core.plots.style import FAINT, INK, look

Interval = tuple[float, float, float]  # mean, low, high


def parts(
    rows: Mapping[str, Sequence[str]], columns: Sequence[str], gains: Mapping[str, Interval] | None = None,
    xlabel: str = "",
) -> Figure:  # fmt: skip
    """Which parts each variant has, a full dot for each, and beside it what it gains over the whole.

    Args:
        rows: variant -> its parts, some of `columns`; gains: variant -> difference with interval, for some or none.
    """
    if unknown := {p for some in rows.values() for p in some} - set(columns):
        raise DataError(f"parts without a column: {', '.join(sorted(unknown))}")
    height = 0.34 * len(rows) + 1.1
    if gains is None:
        fig, left = plt.subplots(figsize=(1.9 + 0.85 * len(columns), height))
    else:
        fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, height), sharey=True, width_ratios=(1, 1.15))
        _differences(right, [gains.get(name) for name in rows], xlabel)
    for y, has in enumerate(rows.values()):
        there = [x for x, part in enumerate(columns) if part in has]
        left.plot(range(len(columns)), [y] * len(columns), ls="", marker="o", ms=9, mfc="white", mec=FAINT)
        left.plot(there, [y] * len(there), ls="", marker="o", ms=9, color=look(0).colour)
    left.set_xticks(range(len(columns)), [c.replace(" ", "\n") for c in columns], fontsize=8)
    left.set_yticks(range(len(rows)), list(rows), fontsize=9)
    left.xaxis.tick_top()
    left.tick_params(length=0)
    left.set_ylim(len(rows) - 0.4, -0.6)
    left.set_xlim(-0.6, len(columns) - 0.4)
    left.spines[:].set_visible(False)
    left.grid(False)
    plt.close(fig)
    return fig


def _differences(ax: Axes, values: Sequence[Interval | None], xlabel: str) -> None:
    """One interval per line, filled where zero is outside."""
    ax.axvline(0, color=INK, lw=1)
    for y, value in enumerate(values):
        if value is None:
            continue
        mean, low, high = value
        clear = low > 0 or high < 0
        ax.errorbar(
            mean, y, xerr=[[mean - low], [high - mean]], fmt=look(0).marker, color=look(0).colour, capsize=3,
            markerfacecolor=look(0).colour if clear else "white", markersize=7,
        )  # fmt: skip
    ax.set_xlabel(xlabel)
    ax.tick_params(axis="y", labelleft=False)
    ax.grid(axis="y", visible=False)


def sensitivity(panels: Mapping[str, Mapping[float, Interval]], default: Mapping[str, float], label: str) -> Figure:
    """One panel per setting: its values from left to right, evenly spaced, the default marked.

    Args:
        panels: setting -> value -> interval; default: setting -> the value that the book uses.
    """
    if not panels:
        raise DataError("no setting was given: there is nothing to draw")
    fig, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels) + 0.4, 2.9), sharey=True, squeeze=False)
    for ax, (name, values) in zip(axes[0], panels.items(), strict=True):
        at = sorted(values)
        mean, low, high = np.array([values[v] for v in at], dtype=float).T
        ax.errorbar(
            range(len(at)), mean, yerr=[mean - low, high - mean], color=look(0).colour, marker=look(0).marker, capsize=3
        )
        if name in default and default[name] in at:
            ax.axvline(at.index(default[name]), color=FAINT, lw=7, alpha=0.6, zorder=0)
        ax.axhline(0, color=INK, lw=0.8, ls=":")
        ax.set_xticks(range(len(at)), [f"{v:g}" for v in at])
        ax.set_xlabel(name)
        ax.margins(x=0.12)
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(label)
    plt.close(fig)
    return fig


def amounts(curves: Mapping[str, Mapping[int, Interval]], xlabel: str, ylabel: str) -> Figure:
    """One line per model over the amount of data, on a logarithmic axis, with intervals."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    ticks = sorted({n for values in curves.values() for n in values})
    for i, (name, values) in enumerate(curves.items()):
        at = sorted(values)
        mean, low, high = np.array([values[n] for n in at], dtype=float).T
        style = look(i)
        ax.plot(at, mean, color=style.colour, marker=style.marker, label=name)
        ax.fill_between(at, low, high, color=style.colour, alpha=0.15, lw=0)
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xticks(ticks)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_ylim(bottom=0)
    ax.legend()
    plt.close(fig)
    return fig


def recovered(tables: Mapping[str, Mapping[str, Mapping[str, float]]], groups: Mapping[str, Sequence[str]]) -> Figure:
    """How much of each fact each variant's vectors hold: a panel per title, below each other, facts in groups.

    Args:
        tables: title -> variant -> fact -> share, 1 where all is there; groups: name -> its facts.
    """
    facts = [fact for some in groups.values() for fact in some]
    variants = list(next(iter(tables.values())))
    values = {t: np.array([[v[n][f] for n in variants] for f in facts]) for t, v in tables.items()}
    fig, axes = plt.subplots(
        len(tables), 1, figsize=(2.4 + 0.68 * len(variants), 1.0 + (0.35 + 0.26 * len(facts)) * len(tables)),
        sharex=True, squeeze=False,
    )  # fmt: skip
    ends = np.cumsum([len(some) for some in groups.values()])
    for ax, (title, table) in zip(axes[:, 0], values.items(), strict=True):
        image = ax.imshow(table, vmin=0, vmax=1, aspect="auto")
        for (r, c), value in np.ndenumerate(table):
            colour = "white" if value < 0.55 else INK
            ax.text(c, r, f"{value:.2f}", ha="center", va="center", fontsize=7.5, color=colour)
        for end in ends[:-1]:
            ax.axhline(end - 0.5, color="white", lw=4)
        ax.set_xticks(range(len(variants)), variants, rotation=45, ha="right", rotation_mode="anchor", fontsize=8.5)
        ax.set_yticks(range(len(facts)), facts, fontsize=8.5)
        ax.set_title(title, fontsize=10)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.grid(False)
        for name, end in zip(groups, ends, strict=True):
            middle = end - len(groups[name]) / 2 - 0.5
            ax.annotate(
                name, (0, middle), xycoords=ax.get_yaxis_transform(), xytext=(-104, 0), textcoords="offset points",
                rotation=90, ha="center", va="center", fontsize=8, color=INK,
            )  # fmt: skip
    fig.colorbar(image, ax=axes[:, 0].tolist(), label="recovered by a linear probe", shrink=0.6)
    plt.close(fig)
    return fig


def shares(rows: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]) -> Figure:
    """Stacked bars: what each group of cases is made of, and how many cases it has.

    Args:
        rows: group -> part -> share, 0..1; sizes: group -> number of cases.
    """
    fig, ax = plt.subplots(figsize=(7.4, 0.5 * len(rows) + 1.7))
    names = list(dict.fromkeys(part for row in rows.values() for part in row))
    bottom = np.zeros(len(rows))
    for i, name in enumerate(names):
        width = np.array([row.get(name, 0.0) for row in rows.values()])
        style = look(i)
        bars = ax.barh(range(len(rows)), width, left=bottom, height=0.66, color=style.colour, hatch=style.hatch,
                       edgecolor="white", label=name)  # fmt: skip
        texts = [f"{w:.0%}" if w >= 0.05 else "" for w in width]
        ax.bar_label(bars, texts, label_type="center", fontsize=8.5,
                     bbox=dict(facecolor="white", edgecolor="none", pad=1.0, alpha=0.85))  # fmt: skip
        bottom += width
    ax.set_yticks(range(len(rows)), [f"{name}\n{sizes[name]:,} cases" for name in rows], fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(axis="y", visible=False)
    fig.legend(loc="outside upper center", ncols=2, fontsize=8.5)
    plt.close(fig)
    return fig


def against_time(
    panels: Mapping[str, Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]], ylabel: str, xlabel: str = "seconds"
) -> Figure:
    """The best score so far against the time that it took: a panel per data set, a line per training.

    Args:
        panels: data set -> name -> one (seconds, score) per training, each (epochs,); the score of each epoch.
    """
    if not panels:
        raise DataError("no data set was given: there is nothing to draw")
    fig, axes = plt.subplots(1, len(panels), figsize=(max(5.4, 3.7 * len(panels)), 3.5), squeeze=False)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        for name, runs in panel.items():
            style = look(names.index(name))
            for j, (seconds, score) in enumerate(runs):
                best = np.maximum.accumulate(score)
                ax.plot(seconds, best, color=style.colour, drawstyle="steps-post", lw=1.3, alpha=0.8)
                ax.plot(seconds[-1], best[-1], color=style.colour, marker=style.marker, ms=7, ls="",
                        label=name if j == 0 else None)  # fmt: skip
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(StrMethodFormatter(""))
        ax.set_title(title)
        ax.set_xlabel(xlabel)
        ax.set_ylim(bottom=0)
    axes[0, 0].set_ylabel(ylabel)
    handles: dict[str, Any] = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3, fontsize=8.5)
    plt.close(fig)
    return fig
