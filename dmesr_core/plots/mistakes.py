"""One test case as a row of pictures: the last purchases, what came next, what models recommend."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.plots.data import Tile

Labelled = tuple[int, str]  # item number, text above its picture


def labelled_tiles(
    catalogue: Catalogue, history: Iterable[Labelled], target: Labelled, recommended: Iterable[Labelled],
    caption: Callable[[int], str],
) -> list[Tile]:  # fmt: skip
    """The tiles of a case, for `plots.data.picture_rows`.

    Args:
        history, target, recommended: items, each with the text above its picture; the target among the recommended
            items gets a frame of its own.
        caption: item number -> text below the picture.
    """

    def tile(item: int, label: str, mark: str = "") -> Tile:
        return Tile(catalogue.item(int(item)).picture, caption(int(item)), mark, label)

    tiles = [tile(*each) for each in history]
    tiles.append(tile(*target, "answer"))
    return tiles + [tile(item, label, "hit" if item == target[0] else "guess") for item, label in recommended]
