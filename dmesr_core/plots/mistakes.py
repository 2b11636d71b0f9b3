"""One test case as a row of pictures: the last purchases, what came next, what models recommend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.plots.data import Tile

Labelled = tuple[int, str]  # item number, text above its picture


def case_tiles(
    catalogue: Catalogue, history: np.ndarray, target: int, recommended: Mapping[str, np.ndarray],
    caption: Callable[[int], str],
) -> list[Tile]:  # fmt: skip
    """The tiles of a case, for `plots.data.picture_rows`.

    Args:
        history: item numbers, oldest first; the last three are shown.
        recommended: label of a model -> its first items; the target among them gets a frame of its own.
        caption: item number -> text below the picture.
    """

    bought = [(int(k), "" if i else "bought") for i, k in enumerate(history[-3:])]
    places = [(int(k), f"{label} {i}") for label, items in recommended.items() for i, k in enumerate(items, start=1)]
    return labelled_tiles(catalogue, bought, (target, "came next"), places, caption)


def labelled_tiles(
    catalogue: Catalogue, history: Iterable[Labelled], target: Labelled, recommended: Iterable[Labelled],
    caption: Callable[[int], str],
) -> list[Tile]:  # fmt: skip
    """As `case_tiles`, with the text above each picture given."""

    def tile(item: int, label: str, mark: str = "") -> Tile:
        return Tile(catalogue.item(int(item)).picture, caption(int(item)), mark, label)

    tiles = [tile(*each) for each in history]
    tiles.append(tile(*target, "answer"))
    return tiles + [tile(item, label, "hit" if item == target[0] else "guess") for item, label in recommended]
