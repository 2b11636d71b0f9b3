"""A folder of one's own data, as `load_dataset("folder", path)` reads it, made of a few products of the Bazaar."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmesr_core.data.bazaar.world import make_world


def write_shop(
    folder: Path, n_items: int, n_shoppers: int, drawn: Path,
    titles: Sequence[str] = (), pictures: Sequence[bytes] = (), facts: Mapping[str, Sequence[str]] | None = None,
) -> Path:  # fmt: skip
    """Write items.csv, interactions.csv and pictures/ to `folder`; pictures are drawn in the folder `drawn` first.

    Args:
        titles, pictures: of the first items, in place of those of the Bazaar.
        facts: name -> one value per item, for the columns `fact:<name>`.
    """
    world = make_world(n_items, n_shoppers, 0, drawn, progress=False)
    (folder / "pictures").mkdir(parents=True)
    facts = facts or {}
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("id", "title", "text", *(f"fact:{name}" for name in facts)))
        for k in range(n_items):
            item = world.catalogue.item(k + 1)
            title = titles[k] if k < len(titles) else item.title
            rows.writerow((item.id, title, item.text, *(values[k] for values in facts.values())))
            assert item.picture is not None
            content = pictures[k] if k < len(pictures) else item.picture.read_bytes()
            (folder / "pictures" / f"{item.id}{item.picture.suffix}").write_bytes(content)
    log, ids = world.interactions, world.catalogue.ids
    events = zip(log.user, log.item, log.time, strict=True)
    with (folder / "interactions.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("user", "item", "time"))
        rows.writerows((log.user_ids[user], ids[item - 1], time) for user, item, time in events)
    return folder
