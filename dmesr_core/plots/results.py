"""Plots of results: scores between a baseline and a ceiling, differences, scores by group, training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dmesr_core.plots.bars import draw_grouped_bars
from dmesr_core.plots.intervals import Interval, draw_differences, draw_interval
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots


@figure
def normalised_scores(scores: Mapping[str, Interval], start: str, end: str, metric: str) -> Figure:
    """Scores of all models, also as a share of the way from `start` (0%) to `end` (100%); best at the top.

    Args:
        scores: name -> (mean, low, high) of `metric`; `start` and `end` are two of the names.
    """
    names = sorted(scores, key=lambda n: scores[n][0])
    low, high = scores[start][0], scores[end][0]
    fig, ax = subplots(figsize=(6.4, 0.42 * len(names) + 1.4))
    ax.barh(range(len(names)), [scores[n][0] - low for n in names], left=low, color=FAINT, height=0.5)
    for y, name in enumerate(names):
        mean, _, above = scores[name]
        draw_interval(ax, y, scores[name])
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
    return fig


@figure
def paired_differences(differences: Mapping[str, Interval], against: str, metric: str) -> Figure:
    """Difference of each variant to `against`, with its interval, in the order given."""
    names = list(differences)[::-1]
    fig, ax = subplots(figsize=(6.4, 0.4 * len(names) + 1.2))
    draw_differences(ax, [differences[name] for name in names])
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel(f"difference in {metric} to {against}, with 95% interval (hollow: zero is inside)")
    return fig


@figure
def scores_by_group(scores: Mapping[str, Mapping[str, Interval]], metric: str, sizes: Mapping[str, int]) -> Figure:
    """Bars per group of cases, one per model.

    Args:
        scores: model -> group -> (mean, low, high); sizes: group -> number of cases.
    """
    models, groups = list(scores), list(sizes)
    fig, ax = subplots(figsize=(6.4, 3.4))
    means = {model: [scores[model][g][0] for g in groups] for model in models}
    draw_grouped_bars(ax, means, {model: [scores[model][g][1:] for g in groups] for model in models})
    ax.set_xticks(range(len(groups)), [f"{g}\n{sizes[g]:,} cases" for g in groups])
    ax.set_ylabel(metric)
    ax.legend(ncols=min(len(models), 4), loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    return fig


@figure
def training_curves(curves: Mapping[str, Sequence[Sequence[float]]], ylabel: str) -> Figure:
    """One line per run, one point per epoch; runs of one model have the same colour and marker."""
    fig, ax = subplots()
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
    return fig
