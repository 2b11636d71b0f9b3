"""Heat maps, as several plots draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import Collection

from dmesr_core.plots.style import INK


def draw_heatmap(
    ax: Axes, table: Any, rows: Sequence[Any], columns: Sequence[Any], fontsize: float, numbers: bool = False,
    turned: bool = False, cmap: Any = "cividis", **seaborn: Any,
) -> Collection:  # fmt: skip
    """A table as colours, the first row at the top, each column 1 wide; returns what a colour bar needs.

    Args:
        table: (rows, columns); rows, columns: labels of the ticks.
        numbers: whether the values are written in the cells.
        turned: whether the labels of the columns are written upwards.
        seaborn: more arguments of `seaborn.heatmap`, such as `vmin` or `mask`.
    """
    table = np.asarray(table)
    sns.heatmap(
        table, ax=ax, cmap=cmap, cbar=False, annot=numbers, fmt=".2f" if numbers else "",
        annot_kws=dict(fontsize=fontsize), xticklabels=columns, yticklabels=rows, **seaborn,
    )  # fmt: skip
    mesh = ax.collections[0]
    for text, value in zip(ax.texts if numbers else (), table.flat, strict=False):
        # seaborn's own choice is white up to a luminance of 0.4, which is hard to read on the middle of the scale
        dark = sns.utils.relative_luminance(mesh.to_rgba(value)) < 0.23
        text.set_color("white" if dark else INK)
    ax.tick_params(length=0, labelsize=fontsize)
    ax.tick_params(axis="x", rotation=90 if turned else 0)
    ax.tick_params(axis="y", rotation=0)
    ax.grid(False)
    return mesh
