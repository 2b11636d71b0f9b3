"""Points with intervals, as several plots draw them."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from dmesr_core.plots.style import INK, Look, look

Interval = tuple[float, float, float]  # mean (or median), low, high


def draw_interval(
    ax: Axes, y: float, interval: Interval, own: Look | None = None, hollow: bool = False, **errorbar: Any
) -> None:
    """A marker at the mean and a line from low to high, at height `y`; `errorbar` goes to matplotlib."""
    mean, low, high = interval
    own = own or look(0)
    ax.errorbar(
        mean, y, xerr=[[mean - low], [high - mean]], fmt=own.marker, color=own.colour,
        markerfacecolor="white" if hollow else own.colour, **{"capsize": 3, **errorbar},
    )  # fmt: skip


def draw_differences(ax: Axes, differences: list[Interval | None]) -> None:
    """Differences from top to bottom beside a line at zero; hollow where the interval contains zero, None: no point."""
    ax.axvline(0, color=INK, lw=1)
    for y, each in enumerate(differences):
        if each is not None:
            draw_interval(ax, y, each, hollow=contains_zero(each), markersize=7)
    ax.grid(axis="y", visible=False)


def contains_zero(interval: Interval) -> bool:
    _, low, high = interval
    return low <= 0 <= high
