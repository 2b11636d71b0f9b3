"""One test case as a row of pictures: the last purchases, what came next, what models recommend."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.plots.data import Tile


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

    def tile(item: int, mark: str = "", label: str = "") -> Tile:
        return Tile(catalogue.item(item).picture, caption(item), mark, label)

    tiles = [tile(int(k), label="" if i else "bought") for i, k in enumerate(history[-3:])]
    tiles.append(tile(target, "answer", "came next"))
    for label, items in recommended.items():
        tiles += [tile(int(k), "hit" if k == target else "guess", f"{label} {i}") for i, k in enumerate(items, start=1)]
    return tiles
