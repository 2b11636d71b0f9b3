"""Plots of an MLLM: how it works, its descriptions, attention over words, and what its vectors hold."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from PIL import Image

from dmesr_core.errors import DataError
from dmesr_core.plots.bars import draw_grouped_bars
from dmesr_core.plots.data import Picture, show_picture
from dmesr_core.plots.heatmap import draw_heatmap
from dmesr_core.plots.style import FAINT, FINE, INK, PICTURE, TEXT, figure, look, new_figure, shortened, subplots

_ARROW: Any = dict(arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0, linewidth=1.1)
_LINE = 0.155  # inches per line of small text
_NAME = 24  # characters of a name beside others: a longer one is cut


@figure
def model_diagram(picture: Image.Image, prompt: str, description: str, most: int = 6) -> Figure:
    """How an image-text model works, with a real picture, prompt and answer (at most `most` words of each).

    Each word of the answer is shown twice: above the state that predicts it, and below as a token of the input.
    """
    asked, answer = _some_words(prompt, most), _some_words(description, most)
    given = [""] * 4 + asked + answer
    fig, ax = subplots(figsize=(9.4, 4.3))
    ax.set(xlim=(-0.2, len(given) + 0.2), ylim=(-2.55, 4.15))
    ax.set_axis_off()
    first = 4 + len(asked) - 1  # the state at the last word of the question predicts the first of the answer
    for x, word in enumerate(given):
        colour = PICTURE if x < 4 else TEXT if x <= first else FINE
        ax.add_patch(Rectangle((x + 0.06, 0), 0.88, 0.5, facecolor=colour, alpha=0.25, edgecolor=colour))
        _write(ax, x + 0.5, 0.25, word, size=7.5)
        predicts = first <= x < first + len(answer)
        ax.plot(x + 0.5, 2.3, "o", markersize=9, markeredgecolor=INK, color=FINE if predicts else "white")
        if predicts:
            ax.add_patch(FancyArrowPatch((x + 0.5, 2.48), (x + 0.5, 2.92), color=INK, **_ARROW))
            _write(ax, x + 0.5, 3.08, answer[x - first], size=7.5, weight="bold")
    _box(ax, 0.06, 0.85, len(given) - 0.12, 0.95, "language model")
    for y in (0.5, 1.8):
        for x in range(len(given)):
            ax.add_patch(FancyArrowPatch((x + 0.5, y), (x + 0.5, y + 0.33), color=FAINT, **_ARROW))
    _write(ax, first / 2, 2.72, "its last states, one per token", size=8)
    ax.plot([first + 0.2, first + len(answer) - 0.2], [3.42, 3.42], color=FINE, linewidth=2)
    _write(ax, first + len(answer) / 2, 3.72, "their mean: the item's vector", size=9, colour=FINE, weight="bold")
    ax.imshow(np.asarray(picture.convert("RGB")), extent=(0.1, 2.1, -2.5, -0.9), aspect="auto", zorder=2)
    for i in range(1, 4):  # patches
        ax.plot([0.1 + i / 2] * 2, [-2.5, -0.9], color="white", linewidth=0.8, zorder=3)
        ax.plot([0.1, 2.1], [-2.5 + 0.4 * i] * 2, color="white", linewidth=0.8, zorder=3)
    _box(ax, 2.7, -2.0, 2.0, 0.7, "vision tower")
    _box(ax, 5.3, -2.0, 2.0, 0.7, "connector")
    for start, end in (((2.1, -1.65), (2.66, -1.65)), ((4.7, -1.65), (5.26, -1.65))):
        ax.add_patch(FancyArrowPatch(start, end, color=INK, **_ARROW))
    ax.plot([6.3, 6.3, 2.0], [-1.3, -0.72, -0.72], color=INK, linewidth=1.1)
    ax.add_patch(FancyArrowPatch((2.0, -0.73), (2.0, -0.42), color=INK, **_ARROW))
    _write(ax, 2.0, -0.27, "the picture, as tokens", size=8, colour=PICTURE)
    _write(ax, 4 + len(asked) / 2, -0.3, "the question", size=8, colour=TEXT)
    _write(ax, 4 + len(asked) + len(answer) / 2, -0.3, "its own words so far", size=8, colour=FINE)
    return fig


@figure
def item_cards(
    pictures: Sequence[Picture],
    notes: Sequence[Mapping[str, str]],
    colours: Mapping[str, str] | None = None,
    columns: int = 2,
    most: int = 3,
) -> Figure:
    """One card per item: its picture, and beside it short notes (heading -> text, cut after `most` lines).

    Args:
        colours: heading -> colour; "picture" and "text" have the colours of the views by default.
    """
    if not pictures or len(pictures) != len(notes):
        raise DataError(f"cards want one set of notes per picture, and at least one: {len(pictures)}, {len(notes)}")
    colours = {"picture": PICTURE, "text": TEXT, **(colours or {})}
    lines = [_card_lines(note, 50 if columns == 2 else 100 // columns, most) for note in notes]
    starts = range(0, len(lines), columns)
    heights = [max(1.25, 0.1 + _LINE * max(len(card) for card in lines[s : s + columns])) for s in starts]
    fig = new_figure(figsize=(9.4, sum(heights) + 0.12 * len(heights)))
    shape = fig.add_gridspec(
        len(heights), 2 * columns, width_ratios=[1.25, 6.6 / columns] * columns, height_ratios=heights
    )
    for i, (picture, card) in enumerate(zip(pictures, lines, strict=True)):
        row, column = divmod(i, columns)
        shown, written = (fig.add_subplot(shape[row, 2 * column + side]) for side in (0, 1))
        show_picture(shown, picture)
        shown.set_anchor("N")
        shown.spines[:].set(visible=True, color=FAINT, linewidth=0.5)
        written.set_axis_off()
        written.set(xlim=(0, 1), ylim=(-heights[row] / _LINE, 0))
        for y, (heading, text) in enumerate(card):
            bold = bool(heading) and not text
            colour = colours.get(heading, INK) if bold else INK
            _write(written, 0, -0.6 - y, heading if bold else text, size=8, align="left", colour=colour, bold=bold)
    return fig


@figure
def grouped_bars(
    values: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    ylabel: str,
    intervals: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    chance: Sequence[float] | None = None,
    chance_name: str = "always the most frequent",
    top: float | None = 1.0,
) -> Figure:
    """Groups of bars, one group per label and one bar per name; a short line marks the chance level.

    Args:
        values: name -> one value per label; intervals: name -> (low, high) per label; chance: one value per label.
        top: upper end of the axis.
    """
    sizes = {len(v) for v in (*values.values(), *(intervals or {}).values(), *([chance] if chance else []))}
    if sizes != {len(labels)}:
        raise DataError(f"bars want one value per label: {len(labels)} labels, got {sorted(sizes)}")
    fig, ax = subplots(figsize=(max(6.4, 0.28 * len(labels) * (len(values) + 1)), 3.2))
    draw_grouped_bars(ax, values, intervals)
    x = np.arange(len(labels))
    if chance is not None:
        ax.hlines(chance, x - 0.44, x + 0.44, color=INK, linestyles=(0, (2, 1)), linewidth=1.2, label=chance_name)
    ax.set_xticks(x, [_name(label) for label in labels], rotation=0 if len(labels) < 8 else 20)
    ax.set(ylabel=ylabel, ylim=(0, top))
    fig.legend(loc="outside upper left", ncols=5, fontsize=8.5)
    return fig


@figure
def heatmaps(tables: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], label: str) -> Figure:
    """Tables (title -> (r, c), between 0 and 1 or -1 and 1) as heat maps; up to 8 columns also with the numbers."""
    for title, table in tables.items():
        if np.shape(table) != (len(rows), len(columns)):
            raise DataError(f"table {title!r} is {np.shape(table)}, wanted {(len(rows), len(columns))}")
    values = np.concatenate([np.ravel(t) for t in tables.values()])
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    row_names, column_names = ([_name(text) for text in names] for names in (rows, columns))
    numbers = len(columns) <= 8
    longest = max((len(line) for name in (*row_names, *column_names) for line in name.split("\n")), default=0)
    width = 1.6 + 0.1 * max(0, longest - 10) + len(tables) * max(2.6, (0.95 if numbers else 0.3) * len(columns))
    fig, axes = subplots(1, len(tables), figsize=(width, 1.1 + 0.3 * len(rows)), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        image = draw_heatmap(
            ax, table, row_names, column_names, fontsize=8.5, numbers=numbers, turned=not numbers, vmin=low, vmax=high
        )
        ax.set_title(title)
    fig.colorbar(image, ax=axes[0].tolist(), label=label, shrink=0.9)
    return fig


@figure
def cross_attention_diagram(tokens: Sequence[str], weights: Mapping[str, Sequence[float]]) -> Figure:
    """Cross-attention as lines from each view (name -> one weight per token) to the tokens; width shows the weight.

    The views have the colours `PICTURE` and `TEXT`, in this order.
    """
    for name, each in weights.items():
        if len(each) != len(tokens):
            raise DataError(f"view {name!r}: {len(each)} weights for {len(tokens)} tokens")
    fig, ax = subplots(figsize=(9.4, 3.1))
    ax.set(xlim=(-0.1, len(tokens) + 0.1), ylim=(-0.4, 4.3))
    ax.set_axis_off()
    for x, token in enumerate(tokens):
        ax.add_patch(Rectangle((x + 0.05, 0), 0.9, 0.55, facecolor=FINE, alpha=0.25, edgecolor=FINE))
        _write(ax, x + 0.5, 0.27, shortened(token, _NAME), size=8)
    _write(ax, len(tokens) / 2, -0.25, "fine: the item's own words, token by token", size=8.5, colour=FINE)
    for i, (name, each) in enumerate(weights.items()):
        colour = (PICTURE, TEXT)[i % 2]
        middle = len(tokens) * (i + 0.5) / len(weights)
        for x, weight in enumerate(each):
            ax.plot([middle, x + 0.5], [2.3, 0.57], color=colour, linewidth=0.3 + 14 * weight, alpha=0.45, zorder=0)
        _box(ax, middle - 1.6, 2.3, 3.2, 0.6, f"{name}, aligned")
        ax.add_patch(FancyArrowPatch((middle, 2.92), (middle, 3.5), color=INK, **_ARROW))
        _write(ax, middle, 3.72, f"{name}, fused", size=10, colour=colour, weight="bold")
    return fig


@figure
def attention_maps(
    panels: Sequence[tuple[str, np.ndarray, Sequence[str]]],
    rows: Sequence[str],
    marked: Sequence[Sequence[bool]] | None = None,
) -> Figure:
    """Attention weights of each row (a head of a view) over the tokens: one panel per item, one column per token.

    Args:
        panels: (title, weights (r, L), L tokens); weights of a row sum to 1.
        marked: per panel L booleans: tokens in bold.
    """
    for title, weights, tokens in panels:
        if np.shape(weights) != (len(rows), len(tokens)):
            raise DataError(f"{title!r}: weights are {np.shape(weights)}, wanted {(len(rows), len(tokens))}")
    fig, axes = subplots(len(panels), 1, figsize=(9.4, len(panels) * (0.95 + 0.17 * len(rows))), squeeze=False)
    highest = max(float(np.max(weights)) for _, weights, _ in panels)
    for i, (title, weights, tokens) in enumerate(panels):
        ax = axes[i, 0]
        image = draw_heatmap(ax, weights, rows, (), fontsize=8, turned=True, cmap="Blues", vmin=0, vmax=highest)
        ax.set_xticks(np.arange(len(tokens)) + 0.5, [shortened(t, 12) for t in tokens])
        ax.set_title(shortened(title, 100), fontsize=9.5)
        ax.spines[["left", "bottom"]].set_visible(True)
        for bold, tick in zip(marked[i] if marked else (), ax.get_xticklabels(), strict=False):
            if bold:
                tick.set(fontweight="bold", color=FINE)
    fig.colorbar(image, ax=axes[:, 0].tolist(), label="attention weight", shrink=0.7, pad=0.01)
    return fig


@figure
def setting_curves(
    x: Sequence[float], panels: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str, at: float
) -> Figure:
    """How metrics change with a setting (logarithmic axis); one panel per metric, one line per name.

    Args:
        x: values of the setting; panels: metric -> name -> one value each.
        at: the value that is used elsewhere, shown as a vertical line.
    """
    fig, axes = subplots(1, len(panels), figsize=(3.4 * len(panels), 3.2), squeeze=False)
    for ax, (ylabel, curves) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(at, color=FAINT, linewidth=4, zorder=0)
        for i, (name, values) in enumerate(curves.items()):
            ax.plot(x, values, color=look(i).colour, marker=look(i).marker, label=shortened(name, _NAME))
        ax.set_xscale("log")
        ax.set_xticks(x, [f"{value:g}" for value in x])
        ax.minorticks_off()
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if len(curves) > 1:
            ax.legend(fontsize=8)
    return fig


def _name(text: str) -> str:
    """A name of a row or column, at most three lines."""
    return "\n".join(shortened(line, _NAME) for line in text.split("\n")[:3])


def _some_words(text: str, most: int) -> list[str]:
    words = [shortened(word, _NAME) for word in text.split()]
    return words if len(words) <= most else [*words[: most - 1], "…"]


def _card_lines(note: Mapping[str, str], width: int, most: int) -> list[tuple[str, str]]:
    """Lines of a card, each as (heading, "") or ("", text)."""
    lines: list[tuple[str, str]] = []
    for heading, text in note.items():
        wrapped = textwrap.wrap(text, width, max_lines=most, placeholder=" …")
        lines += [(shortened(heading, width), ""), *(("", line) for line in wrapped or ["(nothing)"])]
    return lines


def _box(ax: Axes, x: float, y: float, width: float, height: float, name: str) -> None:
    ax.add_patch(Rectangle((x, y), width, height, facecolor="#F2F2F2", edgecolor=INK, linewidth=1.1))
    _write(ax, x + width / 2, y + height / 2, name, size=10, weight="bold")


def _write(
    ax: Axes, x: float, y: float, text: str, size: float, align: str = "center", colour: str = INK,
    weight: str = "normal", bold: bool = False,
) -> None:  # fmt: skip
    ax.text(
        x, y, text, ha=align, va="center", fontsize=size, color=colour, fontweight="bold" if bold else weight
    )  # fmt: skip
