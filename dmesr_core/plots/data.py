"""Plots of data: items as pictures, histories as strips of pictures, logs as time lines, popularity as a long tail."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from PIL import Image

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.plots.style import FAINT, INK, look

Picture = Image.Image | str | Path | None  # None: the item has no picture
UNKNOWN = "?"  # in place of a picture: it is to be guessed

# Frames of pictures: (colour, line width, line style). They differ without colour, too.
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
    """One picture of a strip."""

    picture: Picture
    caption: str = ""  # below the picture
    mark: str = ""  # its frame, a key of `FRAMES`
    label: str = ""  # above the picture


def strips(rows: Sequence[Sequence[Tile]], headings: Sequence[str] = (), lines: int = 2) -> Figure:
    """Rows of pictures, one row below the other, each below its heading.

    A picture that is lacking or cannot be opened becomes an empty tile that says so.

    Args:
        headings: one per row, or none at all.
        lines: of a caption, at most; what is longer is cut.

    Raises:
        DataError: no tile, or a number of headings that does not fit.
        SettingsError: a mark that is no frame.
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
    fig = plt.figure(figsize=(width, height), layout="none")
    top = height
    for r, row in enumerate(rows):
        if headings:
            fig.text(0.07 / width, (top - 0.2) / height, headings[r], fontsize=9.5, fontweight="bold", va="center")
        top -= heading + above
        for c, tile in enumerate(row):
            left = (c * _STEP + (_STEP - _SIDE) / 2) / width
            ax = fig.add_axes((left, (top - _SIDE) / height, _SIDE / width, _SIDE / height))
            show_picture(ax, tile.picture)
            _frame(ax, tile.mark)
            if tile.label:
                ax.annotate(tile.label, (0.5, 1), xytext=(0, 4), textcoords="offset points",
                            xycoords="axes fraction", ha="center", va="bottom", fontsize=7.5)  # fmt: skip
            ax.annotate(captions[r][c], (0.5, 0), xytext=(0, -4), textcoords="offset points",
                        xycoords="axes fraction", ha="center", va="top", fontsize=7, linespacing=1.15)  # fmt: skip
        top -= _SIDE + below
    plt.close(fig)
    return fig


def picture_grid(
    catalogue: Catalogue, items: Sequence[int], captions: Sequence[str] | None = None, columns: int = 6, lines: int = 2
) -> Figure:
    """Pictures of `items` (numbers 1..N) in reading order, `columns` in a row, each above its caption (the title).

    Raises:
        DataError: no items, or a number of captions that does not fit.
    """
    captions = [catalogue.item(int(k)).title for k in items] if captions is None else list(captions)
    if len(captions) != len(items):
        raise DataError(f"{len(captions)} captions do not fit {len(items)} pictures: give one each, or none")
    tiles = [Tile(catalogue.item(int(k)).picture, caption) for k, caption in zip(items, captions, strict=True)]
    return strips([tiles[start : start + columns] for start in range(0, len(tiles), columns)], lines=lines)


def product_card(picture: Picture, title: str, text: str) -> Figure:
    """One item as a shop would show it: the picture, the title, the text (cut to what fits)."""
    fig = plt.figure(figsize=(6.4, 2.2), layout="none")
    ax = fig.add_axes((0.01, 0.04, 0.32, 0.92))
    show_picture(ax, picture)
    _frame(ax, "")
    fig.text(0.36, 0.93, textwrap.fill(title, 48), fontsize=11.5, fontweight="bold", va="top")
    lines = textwrap.wrap(text, 66) or ["(no text)"]
    room = 9 - 2 * (len(textwrap.wrap(title, 48)) - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], lines[room - 1][:60] + " …"]
    fig.text(0.36, 0.76 - 0.09 * max(0, len(textwrap.wrap(title, 48)) - 1), "\n".join(lines), fontsize=9,
             va="top", linespacing=1.35)  # fmt: skip
    plt.close(fig)
    return fig


def time_lines(
    times: Sequence[np.ndarray], parts: Mapping[str, Sequence[np.ndarray]], cuts: Mapping[str, Sequence[float]],
    unit: str = "days",
) -> Figure:  # fmt: skip
    """The same events once per way of splitting them, side by side; one line per user, oldest event at the left.

    Args:
        times: per user (n,), in `unit`s.
        parts: split -> per user (n,) of "train", "valid" or "test".
        cuts: split -> moments at which a dotted line is drawn.
    """
    names = ("train", "valid", "test")
    styles = dict(
        zip(names, ((look(7).colour, "o", 22), (look(1).colour, "s", 46), (look(0).colour, "^", 60)), strict=True)
    )  # colour, marker, size
    fig, axes = plt.subplots(1, len(parts), figsize=(7.4, 0.26 * len(times) + 1.3), sharey=True, squeeze=False)
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
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    plt.close(fig)
    return fig


def long_tail(counts: np.ndarray, shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Left: how often each item occurs, most popular first. Right: who the items, events, ... belong to.

    Args:
        counts: (n,) events of each item; items without any are not drawn at the left (there is no log of 0).
        shares: what is divided -> group -> its share, 0..1.
    """
    counts = np.sort(np.asarray(counts))[::-1]
    counts = counts[counts > 0]
    if not len(counts):
        raise DataError("no item has an event: there is no popularity to draw")
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.9), width_ratios=(1, 1.15))
    left.loglog(np.arange(1, len(counts) + 1), counts, color=look(0).colour, lw=2)
    left.set_xlabel("item, by rank of popularity")
    left.set_ylabel("events in training")
    bottom = np.zeros(len(shares))
    groups = list(dict.fromkeys(group for row in shares.values() for group in row))
    for i, group in enumerate(groups):
        width = np.array([row.get(group, 0.0) for row in shares.values()])
        style = look(i)
        bars = right.barh(list(shares), width, left=bottom, height=0.62, color=style.colour, hatch=style.hatch,
                          edgecolor="white", label=group)  # fmt: skip
        texts = [f"{w:.0%}" if w >= 0.06 else "" for w in width]
        right.bar_label(bars, texts, label_type="center", fontsize=9,
                        bbox=dict(facecolor="white", edgecolor="none", pad=1.2, alpha=0.85))  # fmt: skip
        bottom += width
    right.invert_yaxis()
    right.set_xlim(0, 1)
    right.xaxis.set_major_formatter(PercentFormatter(1.0))
    right.grid(axis="y", visible=False)
    right.legend(ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    plt.close(fig)
    return fig


def learning_curve(loss: Sequence[float], valid: Sequence[float], best: int, metric: str = "NDCG@10") -> Figure:
    """Training loss and validation measure, one point per epoch; `best` is the epoch (from 0) whose weights stay."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.8))
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
    plt.close(fig)
    return fig


def sampled_curves(
    negatives: Sequence[int], curves: Mapping[str, Sequence[float]], full: Mapping[str, float], k: int
) -> Figure:
    """HR@k against the number of sampled negatives, a line per model; at the right end, the full ranking.

    Args:
        negatives: how many were sampled, ascending; curves: model -> HR@k for each; full: model -> HR@k on all items.
    """
    fig, ax = plt.subplots()
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
    plt.close(fig)
    return fig


def show_picture(ax: Axes, picture: Picture) -> None:
    """Draw a picture that fills the axes, or an empty tile that says why there is none."""
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
    """At most `lines` lines of a width that fits below a picture."""
    return "\n".join(textwrap.wrap(caption, 17, max_lines=lines, placeholder=" …"))
