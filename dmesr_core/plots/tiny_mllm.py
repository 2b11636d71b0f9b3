"""Plots of the training of the tiny MLLM: its data splits, and its loss in two stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dmesr_core.errors import DataError
from dmesr_core.plots.heatmap import draw_heatmap
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots, write_plain_numbers

_SHADES = ("#E6E6E6", look(1).colour, INK)  # also three steps of grey


@figure
def split_map(
    panels: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], splits: Sequence[str]
) -> Figure:
    """One square per combination of a row and a column, shaded by its split; one panel per title.

    Args:
        panels: title -> (rows, columns) numbers of splits; splits: their names, at most three.

    Raises:
        DataError: a panel whose shape or numbers do not fit.
    """
    if len(splits) > len(_SHADES):
        raise DataError(f"{len(splits)} splits, but shades for {len(_SHADES)} only")
    for title, numbers in panels.items():
        if np.shape(numbers) != (len(rows), len(columns)):
            raise DataError(f"panel {title!r} is {np.shape(numbers)}, wanted {(len(rows), len(columns))}")
        if np.min(numbers) < 0 or np.max(numbers) >= len(splits):
            raise DataError(f"panel {title!r} has a number that is none of the {len(splits)} splits")
    size = (0.17 * len(columns) * len(panels) + 1.0, 0.17 * len(rows) + 1.3)
    fig, axes = subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for ax, (title, numbers) in zip(axes[0], panels.items(), strict=True):
        colours = ListedColormap(list(_SHADES[: len(splits)]))
        draw_heatmap(
            ax, numbers, rows, columns, fontsize=8, turned=True, cmap=colours, vmin=-0.5, vmax=len(splits) - 0.5,
            square=True, linewidths=1,
        )  # fmt: skip
        ax.set_title(title, loc="left")
    keys = [Patch(facecolor=shade, label=name) for shade, name in zip(_SHADES, splits, strict=False)]
    fig.legend(handles=keys, loc="outside upper left", ncols=len(splits), fontsize=9)
    return fig


@figure
def stage_losses(losses: Sequence[tuple[float, float, float]], titles: Mapping[int, str]) -> Figure:
    """The loss of each stage of a training, one panel per stage, on a logarithmic axis.

    Args:
        losses: (stage, step, loss in nats) in order of training; titles: stage -> title of its panel.

    Raises:
        DataError: a stage without losses.
    """
    table = np.asarray(losses, dtype=float).reshape(-1, 3)
    missing = sorted(set(titles) - set(table[:, 0]))
    if missing:
        raise DataError(f"there are no losses of stage {missing[0]}")
    fig, axes = subplots(1, len(titles), figsize=(4.2 * len(titles), 2.9), squeeze=False)
    for i, (ax, (stage, title)) in enumerate(zip(axes[0], titles.items(), strict=True)):
        _, steps, loss = table[table[:, 0] == stage].T
        every = max(1, len(steps) // 10)
        ax.plot(steps + 1, loss, color=look(i).colour, marker=look(i).marker, markevery=every)
        ax.set_yscale("log")
        write_plain_numbers(ax.yaxis)
        ax.set(xlabel="step", ylabel="training loss (nats)")
        ax.set_title(title, loc="left")
        ax.grid(True, which="minor", color=FAINT, linewidth=0.3)
    return fig
