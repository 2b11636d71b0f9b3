"""An example shop: a folder of the form of one's own data, made of products and shoppers of the Bazaar."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from dmesr_core.data.bazaar.world import World, make_world
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import SettingsError
from dmesr_core.files import check_writable, write_atomically

ITEMS, LOG, PICTURES, LATER = "items.csv", "interactions.csv", "pictures", "later"


def write_example(
    folder: str | Path, items: int = 300, shoppers: int = 400, later: int = 0, seed: int = 0, progress: bool = False
) -> Path:
    """Write a small shop to `folder`, as `load_dataset(folder)` reads it: items.csv, pictures/ and interactions.csv.

    Args:
        folder: a new folder, or one that holds the same example.
        items: products in all.
        shoppers: people who buy; some may be left out, if they bought nothing but the later items.
        later: the products that were launched last, this many, are written to `folder`/later (items.csv and pictures/)
            and left out of the shop, with their events: items that come after a model was trained.
        seed: of products and purchases.
        progress: show a progress bar (on a terminal).

    Returns:
        The folder.

    Raises:
        SettingsError: a number out of range, or a folder that holds something else or cannot be written.
    """
    numbers = (("items", items, 20), ("shoppers", shoppers, 10), ("later", later, 0), ("seed", seed, 0))
    for name, value, least in numbers:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SettingsError(f"{name} must be a whole number of {least} or more, got {value!r}")
    if later > items // 2:
        raise SettingsError(f"later must be at most half of the items ({items // 2}), got {later}")
    folder = Path(folder)
    _check_folder(folder)
    with tempfile.TemporaryDirectory() as drawn:
        world = make_world(items, shoppers, seed, drawn, progress=progress)
        by_launch = np.argsort(world.process.launch_week, kind="stable") + 1
        held_back = set(by_launch[items - later :].tolist())
        shop = world.catalogue.subset(k for k in range(1, items + 1) if k not in held_back)
        parts, pictures = {ITEMS: _items(shop), LOG: _log(world, shop)}, {PICTURES: shop}
        if later:
            new = world.catalogue.subset(sorted(held_back))
            parts[f"{LATER}/{ITEMS}"], pictures[f"{LATER}/{PICTURES}"] = _items(new), new
        _check_content(folder, parts)
        check_writable(folder)
        for name, catalogue in pictures.items():
            _copy_pictures(catalogue, folder / name)
        for name, content in parts.items():
            write_atomically(folder / name, content)
    return folder


def _check_folder(folder: Path) -> None:
    """Whether `folder` is new, or may hold an example."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: this is a file; name a new folder")
    others = {file.name for file in folder.iterdir()} - {ITEMS, LOG, PICTURES, LATER} if folder.is_dir() else set()
    if others:
        raise SettingsError(f"{folder}: holds something else ({min(others)}); name a new folder for the example")


def _check_content(folder: Path, parts: dict[str, str]) -> None:
    """Whether the tables that are in `folder` are those that would be written."""
    for name in (ITEMS, LOG, f"{LATER}/{ITEMS}"):
        file = folder / name
        if file.exists() and (name not in parts or file.read_bytes() != parts[name].encode()):
            raise SettingsError(f"{file}: is of another shop, and would be lost; name a new folder for the example")


def _items(catalogue: Catalogue) -> str:
    table = pd.DataFrame({"id": catalogue.ids, "title": catalogue.titles, "text": catalogue.texts})
    return table.to_csv(index=False, lineterminator="\n")


def _log(world: World, shop: Catalogue) -> str:
    """The events of the shop's items, with ISO dates."""
    log, ids = world.interactions, np.array(world.catalogue.ids, dtype=object)
    table = pd.DataFrame(
        {"user": np.array(log.user_ids, dtype=object)[log.user], "item": ids[log.item - 1],
         "time": pd.to_datetime(log.time, unit="s").strftime("%Y-%m-%dT%H:%M:%S")}
    )  # fmt: skip
    return table[table["item"].isin(set(shop.ids))].to_csv(index=False, lineterminator="\n")


def _copy_pictures(catalogue: Catalogue, folder: Path) -> None:
    """Each picture under the id of its item."""
    folder.mkdir(parents=True, exist_ok=True)
    for id, path in zip(catalogue.ids, catalogue.pictures, strict=True):
        if path is not None:
            write_atomically(folder / f"{id}{path.suffix}", path.read_bytes())
