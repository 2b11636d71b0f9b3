"""Plots of ablations: components, settings, facts in the vectors, reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dmesr_core.errors import DataError
from dmesr_core.plots.bars import draw_stacked_shares
from dmesr_core.plots.heatmap import draw_heatmap
from dmesr_core.plots.intervals import Interval, draw_differences
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots


@figure
def component_table(
    rows: Mapping[str, Sequence[str]], columns: Sequence[str], gains: Mapping[str, Interval] | None = None,
    xlabel: str = "", notes: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """The components of each variant as full dots, and beside them its difference to the whole model.

    Args:
        rows: variant -> its components, some of `columns`; gains: variant -> difference with interval, where known.
        xlabel: label of the differences; notes: variant -> text at the right of its difference.
    """
    if unknown := {p for some in rows.values() for p in some} - set(columns):
        raise DataError(f"components without a column: {', '.join(sorted(unknown))}")
    height = 0.34 * len(rows) + 1.1
    if gains is None:
        fig, left = subplots(figsize=(1.9 + 0.85 * len(columns), height))
    else:
        fig, (left, right) = subplots(
            1, 2, figsize=(7.4 if notes is None else 9.2, height), sharey=True, width_ratios=(1, 1.15)
        )
        draw_differences(right, [gains.get(name) for name in rows])
        right.set_xlabel(xlabel)
        right.tick_params(axis="y", labelleft=False)
        for y, name in enumerate(rows):
            at = right.get_yaxis_transform()
            if notes is not None:
                right.annotate(notes[name], (1.02, y), xycoords=at, va="center", fontsize=8, annotation_clip=False)
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
    return fig


@figure
def sensitivity(panels: Mapping[str, Mapping[float, Interval]], default: Mapping[str, float], label: str) -> Figure:
    """One panel per setting: its values from left to right, evenly spaced, with the default marked.

    Args:
        panels: setting -> value -> interval; default: setting -> the value that the book uses.
    """
    if not panels:
        raise DataError("no setting was given: there is nothing to draw")
    fig, axes = subplots(1, len(panels), figsize=(2.5 * len(panels) + 0.4, 2.9), sharey=True, squeeze=False)
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
    return fig


@figure
def probe_heatmaps(
    tables: Mapping[str, Mapping[str, Mapping[str, float]]], groups: Mapping[str, Sequence[str]]
) -> Figure:
    """How well a linear probe recovers each fact from the vectors of each variant; one panel per title.

    Args:
        tables: title -> variant -> fact -> share that is recovered, 0..1; groups: name -> its facts.
    """
    facts = [fact for some in groups.values() for fact in some]
    variants = list(next(iter(tables.values())))
    fig, axes = subplots(
        len(tables), 1, figsize=(2.4 + 0.68 * len(variants), 1.0 + (0.35 + 0.26 * len(facts)) * len(tables)),
        sharex=True, squeeze=False,
    )  # fmt: skip
    ends = np.cumsum([len(some) for some in groups.values()])
    for ax, (title, table) in zip(axes[:, 0], tables.items(), strict=True):
        values = [[table[name][fact] for name in variants] for fact in facts]
        image = draw_heatmap(ax, values, facts, variants, fontsize=8, numbers=True, vmin=0, vmax=1)
        ax.hlines(ends[:-1], *ax.get_xlim(), color="white", lw=4)
        ax.set_title(title, fontsize=10)
        for name, end in zip(groups, ends, strict=True):
            ax.annotate(
                name, (0, end - len(groups[name]) / 2), xycoords=ax.get_yaxis_transform(), xytext=(-104, 0),
                textcoords="offset points", rotation=90, ha="center", va="center", fontsize=8, color=INK,
            )  # fmt: skip
    axes[-1, 0].set_xticks(axes[-1, 0].get_xticks(), variants, rotation=45, ha="right", rotation_mode="anchor")
    fig.colorbar(image, ax=axes[:, 0].tolist(), label="recovered by a linear probe", shrink=0.6)
    return fig


@figure
def stacked_shares(rows: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]) -> Figure:
    """Stacked bars: the composition of each group of cases, and its number of cases.

    Args:
        rows: group -> part -> share, 0..1; sizes: group -> number of cases.
    """
    fig, ax = subplots(figsize=(7.4, 0.5 * len(rows) + 1.7))
    draw_stacked_shares(ax, rows, height=0.66, smallest=0.05)
    ax.set_yticks(range(len(rows)), [f"{name}\n{sizes[name]:,} cases" for name in rows], fontsize=9)
    fig.legend(loc="outside upper center", ncols=2, fontsize=8.5)
    return fig
