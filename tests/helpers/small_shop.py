"""A folder of data in the format that the data source "folder" reads, with a few products of the Bazaar."""

from __future__ import annotations

import csv
from pathlib import Path

from dmesr_core.data.bazaar.world import make_world


def write_shop(folder: Path, n_items: int, n_shoppers: int, drawn: Path) -> Path:
    """Write items.csv, interactions.csv and pictures/ to `folder`; pictures are drawn in the folder `drawn` first."""
    world = make_world(n_items, n_shoppers, 0, drawn, progress=False)
    (folder / "pictures").mkdir(parents=True)
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("id", "title", "text"))
        for k in range(1, n_items + 1):
            item = world.catalogue.item(k)
            rows.writerow((item.id, item.title, item.text))
            assert item.picture is not None
            (folder / "pictures" / f"{item.id}{item.picture.suffix}").write_bytes(item.picture.read_bytes())
    log, ids = world.interactions, world.catalogue.ids
    events = zip(log.user, log.item, log.time, strict=True)
    with (folder / "interactions.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("user", "item", "time"))
        rows.writerows((log.user_ids[user], ids[item - 1], time) for user, item, time in events)
    return folder
