"""The style of every plot: calm, colour-blind safe, and readable without colour.

A plot is a function with the decorator `figure`: it takes plain arrays and texts, draws on a new figure and returns it.
Colours are those of Okabe and Ito (2008), in an order whose first four neighbours also differ in grey; each comes with
its own marker and hatch. Seaborn draws in this style too: it reads matplotlib's settings, the colour cycle included.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font


@dataclass(frozen=True)
class Look:
    """How one series differs from the others: by colour, marker and hatch."""

    colour: str
    marker: str  # of points and lines
    hatch: str  # of bars


LOOKS = (
    Look("#0072B2", "o", ""),  # blue
    Look("#E69F00", "s", "//"),  # orange
    Look("#009E73", "^", "\\\\"),  # green
    Look("#CC79A7", "D", "xx"),  # pink
    Look("#56B4E9", "v", ".."),  # sky
    Look("#D55E00", "P", "--"),  # vermilion
    Look("#F0E442", "X", "++"),  # yellow
    Look("#4D4D4D", "*", "oo"),  # grey
)
INK = "#2B2B2B"  # text and lines
FAINT = "#C9C9C9"  # grids and other things in the background

# The two views and the words keep their colour through the whole book.
PICTURE, TEXT, FINE = LOOKS[0].colour, LOOKS[1].colour, LOOKS[2].colour

_STYLE: Any = {  # by matplotlib's names
    "axes.prop_cycle": cycler(color=[each.colour for each in LOOKS]),  # seaborn's palette as well
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "savefig.facecolor": "white",  # legible on a dark page too
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.6,
    "image.cmap": "cividis",
    "svg.hashsalt": "dmesr",  # the same figure gives the same file
}

called: set[str] = set()  # figure functions that this process called, as "results.py: training_curves"; for stamps
_P = ParamSpec("_P")


def look(i: int) -> Look:
    """The look of series number `i`; it repeats after eight."""
    return LOOKS[i % len(LOOKS)]


def apply_style() -> None:
    """Set matplotlib's defaults, which are also seaborn's, to the style of the book."""
    mpl.rcParams.update(_STYLE)


def figure(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Decorator of a function that draws a figure.

    The figure is in the style of the book, also where `apply_style` was not called. It is closed, so that a notebook
    shows it once, as the value of the cell; a closed figure can still be shown, changed and saved. The call is noted
    in `called`, so that an edit of the function reruns only the chapters that use it.
    """
    name = f"{draw.__module__.rpartition('.')[2]}.py: {draw.__name__}"

    @functools.wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        called.add(name)
        applied = mpl.rcParams["svg.hashsalt"] == _STYLE["svg.hashsalt"]
        before = set(plt.get_fignums())
        try:
            with nullcontext() if applied else mpl.rc_context(_STYLE):
                return draw(*args, **kwargs)
        finally:  # also after an error half-way
            for number in set(plt.get_fignums()) - before:
                plt.close(number)

    return drawn


def shared_legend(fig: Figure, axes: Iterable[Axes], loc: Any = "outside upper center", **legend: Any) -> None:
    """One legend for several panels; a series that the first panel lacks is in it too."""
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    fig.legend(handles.values(), handles.keys(), loc=loc, **legend)


def drawable(text: str) -> str:
    """The text with a box for each character that the font lacks (matplotlib would warn of each)."""
    return "".join(c if ord(c) in _characters() else "□" for c in text)


@functools.cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
