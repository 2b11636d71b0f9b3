"""Plots of measured speed: ratios with their ranges, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from dmesr_core.errors import DataError
from dmesr_core.plots.intervals import Interval, draw_interval
from dmesr_core.plots.style import FAINT, INK, figure, look, subplots


@figure
def ratios(found: Mapping[str, Mapping[str, Interval]], words: str, aims: Mapping[str, float] | None = None) -> Figure:
    """Median and range of ratios: one band per measurement, one marker per opponent.

    Args:
        found: measurement -> opponent -> (median, lowest, highest), all above 0; words: label of the axis.
        aims: measurement -> target ratio, drawn as a bar across the band.

    Raises:
        DataError: nothing to draw, or a ratio that is not above 0.
    """
    if not found or any(low <= 0 for band in found.values() for _, low, _ in band.values()):
        raise DataError("ratios must be above 0, and there must be some")
    opponents = list(dict.fromkeys(name for band in found.values() for name in band))
    places = _places([len(band) for band in found.values()])
    fig, ax = subplots(figsize=(6.8, 0.24 * (places[-1][-1] + 1) + 1.4))
    ax.set_xscale("log", base=2)
    every = [x for band in found.values() for spread in band.values() for x in spread]
    if max(every) < 4 * min(every):  # powers of two would be one or two ticks
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.axvline(1, color=INK, lw=1)
    for (what, band), rows in zip(found.items(), places, strict=True):
        aim = (aims or {}).get(what)
        if aim is not None:
            ax.vlines(aim, rows[0] - 0.7, rows[-1] + 0.7, color=FAINT, lw=4, zorder=0)
        for (name, spread), y in zip(band.items(), rows, strict=True):
            draw_interval(ax, y, spread, look(opponents.index(name)))
    handles = [plt.Line2D([], [], color=look(i).colour, marker=look(i).marker, ls="") for i in range(len(opponents))]
    labels = list(opponents)
    if any(what in (aims or {}) for what in found):
        handles.append(plt.Line2D([], [], color=FAINT, lw=4))
        labels.append("aim")
    fig.legend(handles, labels, loc="outside upper center", ncols=min(5, len(labels)))
    ax.set_yticks([(rows[0] + rows[-1]) / 2 for rows in places], list(found))
    ax.set_ylim(places[-1][-1] + 0.9, -0.9)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(words)
    ax.grid(axis="y", visible=False)
    return fig


def _places(sizes: Sequence[int]) -> list[list[float]]:
    """y coordinates of the markers of each band, with a gap between bands."""
    out, y = [], 0.0
    for size in sizes:
        out.append([y + k for k in range(size)])
        y += size + 1
    return out
