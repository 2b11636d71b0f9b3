"""Plots of data: pictures of items and histories, events over time, popularity, training and sampled metrics."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.plots.bars import draw_stacked_shares
from dmesr_core.plots.style import (
    FAINT,
    INK,
    figure,
    look,
    new_figure,
    shared_legend,
    shortened,
    subplots,
    write_plain_numbers,
)  # fmt: skip

Picture = Image.Image | str | Path | None  # None: the item has no picture
UNKNOWN = "?"  # in place of a picture: the item to predict

# Frames of pictures: (colour, line width, line style). They also differ without colour.
FRAMES = {
    "": (FAINT, 0.8, "-"),
    "answer": (look(2).colour, 3.0, "-"),
    "guess": (look(0).colour, 1.2, "--"),
    "hit": (look(2).colour, 3.0, "--"),  # a guess that is the answer
}
_STEP = 1.06  # inches from one picture to the next
_SIDE = 0.92  # inches, the side of a picture
_LINE = 0.125  # inches per line of caption
_HEADING = 0.3  # inches


class Tile(NamedTuple):
    """One picture of a row."""

    picture: Picture
    caption: str = ""  # below the picture
    mark: str = ""  # its frame, a key of `FRAMES`
    label: str = ""  # above the picture


@figure
def picture_rows(rows: Sequence[Sequence[Tile]], headings: Sequence[str] = (), lines: int = 2) -> Figure:
    """Rows of pictures, each row below its heading.

    A picture that is missing or cannot be opened becomes an empty tile that says so.

    Args:
        headings: one per row, or none.
        lines: of a caption, at most; longer captions are cut.

    Raises:
        DataError: no tile, or a number of headings that does not fit.
        SettingsError: a mark that is not in `FRAMES`.
    """
    if not any(len(row) for row in rows):
        raise DataError("there are no pictures to draw: give at least one row with one tile")
    if headings and len(headings) != len(rows):
        raise DataError(f"{len(headings)} headings do not fit {len(rows)} rows of pictures: give one each, or none")
    captions = [[_wrapped(tile.caption, lines) for tile in row] for row in rows]
    below = _LINE * max(caption.count("\n") + bool(caption) for row in captions for caption in row) + 0.1
    above = 0.16 if any(tile.label for row in rows for tile in row) else 0.02
    heading = _HEADING if headings else 0.0
    width = _STEP * max(len(row) for row in rows)
    height = len(rows) * (heading + above + _SIDE + below)
    fig = new_figure(figsize=(width, height), layout="none")
    top = height
    for r, row in enumerate(rows):
        if headings:
            written = shortened(headings[r], max(60, int(15 * width)))
            fig.text(0.07 / width, (top - 0.2) / height, written, fontsize=9.5, fontweight="bold", va="center")
        top -= heading + above
        for c, tile in enumerate(row):
            left = (c * _STEP + (_STEP - _SIDE) / 2) / width
            ax = fig.add_axes((left, (top - _SIDE) / height, _SIDE / width, _SIDE / height))
            show_picture(ax, tile.picture)
            _frame(ax, tile.mark)
            if tile.label:
                ax.annotate(shortened(tile.label, 20), (0.5, 1), xytext=(0, 4), textcoords="offset points",
                            xycoords="axes fraction", ha="center", va="bottom", fontsize=7.5)  # fmt: skip
            ax.annotate(captions[r][c], (0.5, 0), xytext=(0, -4), textcoords="offset points",
                        xycoords="axes fraction", ha="center", va="top", fontsize=7, linespacing=1.15)  # fmt: skip
        top -= _SIDE + below
    return fig


@figure
def picture_grid(
    catalogue: Catalogue, items: Sequence[int], captions: Sequence[str] | None = None, columns: int = 6, lines: int = 2
) -> Figure:
    """Pictures of `items` (numbers 1..N) in reading order, `columns` in a row, with captions (default: the titles).

    Raises:
        DataError: no items, or a number of captions that does not fit.
    """
    captions = [catalogue.item(int(k)).title for k in items] if captions is None else list(captions)
    if len(captions) != len(items):
        raise DataError(f"{len(captions)} captions do not fit {len(items)} pictures: give one each, or none")
    tiles = [Tile(catalogue.item(int(k)).picture, caption) for k, caption in zip(items, captions, strict=True)]
    return picture_rows([tiles[start : start + columns] for start in range(0, len(tiles), columns)], lines=lines)


@figure
def product_card(picture: Picture, title: str, text: str) -> Figure:
    """One item as in a shop: picture, title and text (cut to what fits)."""
    fig = new_figure(figsize=(6.4, 2.2), layout="none")
    ax = fig.add_axes((0.01, 0.04, 0.32, 0.92))
    show_picture(ax, picture)
    _frame(ax, "")
    above = textwrap.wrap(title, 48, max_lines=3, placeholder=" …")
    fig.text(0.36, 0.93, "\n".join(above), fontsize=11.5, fontweight="bold", va="top")
    more = max(0, len(above) - 1)  # lines of the title below its first
    lines = textwrap.wrap(text, 66, max_lines=9 - 2 * more, placeholder=" …") or ["(no text)"]
    fig.text(0.36, 0.76 - 0.09 * more, "\n".join(lines), fontsize=9, va="top", linespacing=1.35)
    return fig


@figure
def split_timelines(
    times: Sequence[np.ndarray], parts: Mapping[str, Sequence[np.ndarray]], cuts: Mapping[str, Sequence[float]],
    unit: str = "days",
) -> Figure:  # fmt: skip
    """The same events under several splits, side by side; one line per user, oldest event at the left.

    Args:
        times: per user (n,), in `unit`s.
        parts: split -> per user (n,) of "train", "valid" or "test".
        cuts: split -> times at which a dotted line is drawn.
    """
    names = ("train", "valid", "test")
    styles = dict(
        zip(names, ((look(7).colour, "o", 22), (look(1).colour, "s", 46), (look(0).colour, "^", 60)), strict=True)
    )  # colour, marker, size
    fig, axes = subplots(1, len(parts), figsize=(7.4, 0.26 * len(times) + 1.3), sharey=True, squeeze=False)
    for ax, (split, users) in zip(axes[0], parts.items(), strict=True):
        ax.hlines(range(len(times)), [t.min() for t in times], [t.max() for t in times], color=FAINT, lw=1, zorder=1)
        for name in names:
            x = np.concatenate([t[p == name] for t, p in zip(times, users, strict=True)])
            y = np.concatenate([np.full((p == name).sum(), u) for u, p in enumerate(users)])
            colour, marker, size = styles[name]
            ax.scatter(x, y, s=size, c=colour, marker=marker, label=name, edgecolors="white", linewidths=0.5, zorder=2)
        for cut in cuts.get(split, ()):
            ax.axvline(cut, color=INK, lw=1, ls=":")
        ax.set_title(split)
        ax.set_xlabel(f"time ({unit})")
        ax.grid(axis="y", visible=False)
        ax.set_yticks([])
    axes[0, 0].set_ylabel("one user per line")
    axes[0, 0].invert_yaxis()
    shared_legend(fig, axes[0], loc="outside lower center", ncols=3)
    return fig


@figure
def long_tail(counts: np.ndarray, shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Left: how often each item occurs, most popular first. Right: shares of groups in items, events, ...

    Args:
        counts: (n,) events of each item; items without events are left out (the axes are logarithmic).
        shares: whole -> group -> its share, 0..1.
    """
    counts = np.sort(np.asarray(counts))[::-1]
    counts = counts[counts > 0]
    if not len(counts):
        raise DataError("no item has an event: there is no popularity to draw")
    fig, (left, right) = subplots(1, 2, figsize=(7.4, 2.9), width_ratios=(1, 1.15))
    left.loglog(np.arange(1, len(counts) + 1), counts, color=look(0).colour, lw=2)
    write_plain_numbers(left.xaxis, left.yaxis)
    left.set_xlabel("item, by rank of popularity")
    left.set_ylabel("events in training")
    draw_stacked_shares(right, shares, height=0.62, smallest=0.06)
    right.legend(ncols=8, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    return fig


@figure
def learning_curve(loss: Sequence[float], valid: Sequence[float], best: int, metric: str = "NDCG@10") -> Figure:
    """Training loss and validation metric, one point per epoch; `best` is the epoch (from 0) whose weights are kept."""
    fig, (left, right) = subplots(1, 2, figsize=(7.4, 2.8))
    epochs = np.arange(1, len(loss) + 1)
    every = max(1, len(loss) // 12)  # markers on each epoch would hide a long curve
    left.plot(epochs, loss, color=look(0).colour, marker=look(0).marker, markevery=every)
    left.set_ylabel("training loss (nats)")
    right.plot(epochs, valid, color=look(1).colour, marker=look(1).marker, markevery=every)
    right.axvline(best + 1, color=INK, lw=1, ls=":", label=f"best epoch: {best + 1}")
    right.set_ylabel(f"validation {metric}")
    right.legend(loc="lower right")
    for ax in (left, right):
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    return fig


@figure
def sampled_hit_rates(
    negatives: Sequence[int], curves: Mapping[str, Sequence[float]], full: Mapping[str, float], k: int
) -> Figure:
    """HR@k against the number of sampled negatives, a line per model; at the right end, the full ranking.

    Args:
        negatives: numbers of negatives, ascending; curves: model -> HR@k for each; full: model -> HR@k among all items.
    """
    fig, ax = subplots()
    end = negatives[-1] * 2.2  # where the full ranking is drawn
    chance = [min(1.0, k / (n + 1)) for n in negatives]
    ax.plot(negatives, chance, color=INK, ls=":", label="pure chance")
    for i, (name, values) in enumerate(curves.items()):
        style = look(i)
        ax.plot(negatives, values, color=style.colour, marker=style.marker, label=name)
        ax.plot([end], [full[name]], color=style.colour, marker=style.marker, markersize=9, ls="none")
    ax.axvspan(end / 1.35, end * 1.35, color=FAINT, alpha=0.4, lw=0)
    ax.set_xscale("log")
    ax.set_xlim(negatives[0] / 1.2, end * 1.35)
    ax.set_xticks([*negatives, end], [*map(str, negatives), "all\nitems"])
    ax.minorticks_off()
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("items that the target is ranked against")
    ax.set_ylabel(f"HR@{k}")
    ax.legend()
    return fig


def show_picture(ax: Axes, picture: Picture) -> None:
    """Draw a picture that fills the axes, or an empty tile with the reason why there is none."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    reason, size = "no picture", 7
    if picture == UNKNOWN:
        reason, size = UNKNOWN, 24
    elif picture is not None:
        try:
            image = picture if isinstance(picture, Image.Image) else open_picture(picture, max_side=256)
            ax.imshow(image)
            return
        except DataError:
            reason = "cannot\nbe opened"
    ax.set_facecolor("#F2F2F2")
    ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center", fontsize=size, color=INK)


def _frame(ax: Axes, mark: str) -> None:
    if mark not in FRAMES:
        raise SettingsError(f"unknown mark {mark!r}: choose one of {', '.join(map(repr, FRAMES))}")
    colour, width, style = FRAMES[mark]
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, edgecolor=colour, linewidth=width,
                           linestyle=style, clip_on=False))  # fmt: skip


def _wrapped(caption: str, lines: int) -> str:
    """The caption in at most `lines` lines that fit below a picture."""
    return "\n".join(textwrap.wrap(caption, 17, max_lines=lines, placeholder=" …"))
