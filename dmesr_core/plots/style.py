"""Every plot of the book, in one style: calm, colour-blind safe, and readable without colour.

A function here takes plain arrays and texts, draws on a new figure, and returns it. Colours are those of Okabe and Ito
(2008), in an order whose neighbours also differ in grey; each comes with its own marker and hatch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from cycler import cycler


@dataclass(frozen=True)
class Look:
    """How one series is told from the others, three times over."""

    colour: str  # for a screen
    marker: str  # for points and lines, without colour
    hatch: str  # for bars, without colour


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
FAINT = "#C9C9C9"  # grids and what is only there for comparison

# The two views and the words keep their colour through the whole book.
PICTURE, TEXT, FINE = LOOKS[0].colour, LOOKS[1].colour, LOOKS[2].colour

_STYLE: Any = {  # by matplotlib's names
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


def look(i: int) -> Look:
    """The look of series number `i`; it repeats after eight."""
    return LOOKS[i % len(LOOKS)]


def style() -> None:
    """Set matplotlib's defaults to the style of the book."""
    mpl.rcParams.update({**_STYLE, "axes.prop_cycle": cycler(color=[each.colour for each in LOOKS])})
