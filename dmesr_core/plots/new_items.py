"""New items: what is recommended before and after they came, and their ranks beside their pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError
from dmesr_core.plots.data import Picture, Tile, show_picture
from dmesr_core.plots.intervals import draw_interval
from dmesr_core.plots.style import INK, Look, figure, look, new_figure

_ROW, _SUMMARY, _ABOVE, _BELOW = 0.74, 0.3, 0.06, 0.5  # inches: an item, a model of the summary, margin, axis
_SIDE, _WIDTH, _LEFT = 0.62, 7.4, 2.5  # inches: a picture, the figure, where ranks begin


class RankedItem(NamedTuple):
    """A new item, and where models rank it for those who bought it."""

    picture: Picture
    title: str
    ranks: Mapping[str, np.ndarray]  # model -> (cases,)


def tiles_of(
    catalogue: Catalogue, ids: Iterable[str], new: Collection[str] = (), bought: str = "", places: bool = True
) -> list[Tile]:
    """Items as a row of tiles for `plots.data.picture_rows`, with their titles.

    Args:
        new: ids that are marked as new; bought: the id that was bought next, with a frame of its own.
        places: number the tiles, as recommendations are.
    """
    tiles = []
    for place, id in enumerate(ids, start=1):
        item = catalogue.item(catalogue.index(id))
        words = [str(place)] * places + ["new"] * (id in new) + ["bought next"] * (id == bought)
        mark = ("guess" if id != bought else "hit") if places else ("answer" if id == bought else "")
        tiles.append(Tile(item.picture, item.title, mark, ", ".join(words)))
    return tiles


@figure
def ranks_of_new_items(
    models: Mapping[str, np.ndarray], items: Sequence[RankedItem], n_items: int, chance: float
) -> Figure:
    """Ranks on a logarithmic axis: per model over all cases (median and quartiles), then per item, with its picture.

    Args:
        models: label -> ranks of all cases, (C,).
        items: some of the new items; their ranks hold some of the models.
        n_items: N, where the axis ends; chance: the rank that chance gives, a dotted line.
    """
    if not models or not all(len(ranks) for ranks in models.values()):
        raise DataError("no case asks for a new item: there are no ranks to draw")
    looks = {label: look(i) for i, label in enumerate(models)}
    summary = _SUMMARY * len(models) + 0.1
    height = _ABOVE + summary + _ROW * len(items) + _BELOW
    fig = new_figure(figsize=(_WIDTH, height), layout="none")

    def axes(left: float, bottom: float, width: float, tall: float) -> Axes:
        return fig.add_axes((left / _WIDTH, bottom / height, width / _WIDTH, tall / height))

    wide = _WIDTH - _LEFT - 0.15
    top = axes(_LEFT, height - _ABOVE - summary, wide, summary)
    _draw_quartiles(top, models, looks)
    panels = [top]
    for row, item in enumerate(items, start=1):
        bottom = height - _ABOVE - summary - _ROW * row
        shown = axes(0.08, bottom + (_ROW - _SIDE) / 2, _SIDE, _SIDE)
        show_picture(shown, item.picture)
        shown.spines[:].set_visible(False)
        title = textwrap.fill(item.title, 26, max_lines=3, placeholder=" …")
        middle = (bottom + _ROW / 2) / height
        fig.text(0.82 / _WIDTH, middle, title, fontsize=8, va="center", linespacing=1.2, parse_math=False)
        panels.append(axes(_LEFT, bottom, wide, _ROW))
        _draw_cases(panels[-1], item.ranks, looks)
    ticks = [10**power for power in range(len(str(n_items)))]
    for ax in panels:
        ax.axvline(chance, color=INK, lw=1, ls=":")
        ax.set_xscale("log")
        ax.set_xlim(0.8, n_items * 1.25)
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.tick_params(axis="x", which="both", length=0, labelbottom=ax is panels[-1])
        ax.grid(axis="y", visible=False)
    panels[-1].set_xlabel(f"rank among {n_items:,} items (left is better; dotted: chance)")
    return fig


def _draw_quartiles(ax: Axes, models: Mapping[str, np.ndarray], looks: Mapping[str, Look]) -> None:
    """One line per model, from the first to the third quartile, with a marker at the median; named at the left."""
    for y, (label, ranks) in enumerate(models.items()):
        low, median, high = np.quantile(ranks, (0.25, 0.5, 0.75))
        draw_interval(ax, y, (median, low, high), looks[label], markersize=7, lw=2.2)
    ax.set_yticks(range(len(models)), [f"all cases: {label}" for label in models], fontsize=8.5)
    ax.set_ylim(len(models) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def _draw_cases(ax: Axes, ranks: Mapping[str, np.ndarray], looks: Mapping[str, Look]) -> None:
    """One marker per case, the models one below the other."""
    for y, (label, values) in enumerate(ranks.items()):
        ax.plot(values, np.full(len(values), y), ls="", marker=looks[label].marker, ms=6, alpha=0.75,
                color=looks[label].colour, mec="white", mew=0.4)  # fmt: skip
    ax.set_ylim(len(ranks) - 0.3, -0.7)
    ax.set_yticks([])
    ax.spines["bottom"].set_alpha(0.35)
