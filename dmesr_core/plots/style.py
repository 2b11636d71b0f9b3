"""The style of every plot: calm, colour-blind safe, and readable without colour.

A plot is a function with the decorator `figure`: it takes plain arrays and texts, draws on a new figure and returns it.
Colours are those of Okabe and Ito (2008), in an order whose first four neighbours also differ in grey; each comes with
its own marker and hatch. Seaborn draws in this style too: it reads matplotlib's settings, the colour cycle included.

Titles, names and descriptions come from users, so text is drawn as it is: a dollar sign begins no formula, and what no
font has becomes a box without a warning. A text that is meant as a formula says so with `parse_math=True`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import LogFormatter


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

_FONT = "DejaVu Sans"  # comes with matplotlib
# Fonts of other scripts, for what `_FONT` lacks, where they are installed (matplotlib would warn of each that is not).
_OTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "Hiragino Sans", "Malgun Gothic", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Emoji", "Segoe UI Symbol", "Arial Unicode MS",
)  # fmt: skip
_INSTALLED = {font.name for font in fontManager.ttflist}

_STYLE: Any = {  # by matplotlib's names
    "text.parse_math": False,
    "font.family": [_FONT, *(name for name in _OTHER_FONTS if name in _INSTALLED)],
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


class PlainTextFigure(Figure):
    """A figure that takes no text for a formula when it is drawn, and does not warn of characters without a glyph."""

    def draw(self, renderer: Any) -> None:
        with _plain_text():
            super().draw(renderer)

    def get_tightbbox(self, *args: Any, **kwargs: Any) -> Any:
        with _plain_text():  # notebooks measure a figure before they draw it
            return super().get_tightbbox(*args, **kwargs)


@contextmanager
def _plain_text() -> Iterator[None]:
    """The labels of ticks are made when they are drawn, with the settings of that moment."""
    with warnings.catch_warnings(), mpl.rc_context({"text.parse_math": False}):
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)  # names as wide as the figure
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively", UserWarning)
        yield


def new_figure(**options: Any) -> PlainTextFigure:
    """`plt.figure`, of a `PlainTextFigure`."""
    made: Any = plt.figure(FigureClass=PlainTextFigure, **options)
    return made


def subplots(*shape: int, **options: Any) -> tuple[Any, Any]:
    """`plt.subplots`, of a `PlainTextFigure`."""
    return plt.subplots(*shape, FigureClass=PlainTextFigure, **options)


def shortened(text: str, most: int) -> str:
    """The text on one line, without control characters, cut to at most `most` characters."""
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def write_plain_numbers(*axes: Axis) -> None:
    """Numbers of logarithmic axes as 100, not as a formula."""
    for axis in axes:
        axis.set_major_formatter(LogFormatter())
        axis.set_minor_formatter(LogFormatter())
