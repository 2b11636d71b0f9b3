"""The example shop with titles, pictures and facts of a test's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dmesr_core.data.csv_files import read_table
from dmesr_core.data.example_shop import write_example


def write_shop(
    folder: Path, n_items: int, n_shoppers: int,
    titles: Sequence[str] = (), pictures: Sequence[bytes] = (), facts: Mapping[str, Sequence[str]] | None = None,
) -> Path:  # fmt: skip
    """Write items.csv, interactions.csv and pictures/ to `folder`.

    Args:
        titles, pictures: of the first items, in place of those of the Bazaar.
        facts: name -> one value per item, for the columns `fact:<name>`.
    """
    write_example(folder, n_items, n_shoppers)
    table = read_table(folder / "items.csv", ("id", "title", "text"))
    table["title"] = [*titles, *table["title"][len(titles) :]]
    for name, values in (facts or {}).items():
        table[f"fact:{name}"] = list(values)
    table.to_csv(folder / "items.csv", index=False)
    for id, content in zip(table["id"], pictures, strict=False):
        (folder / "pictures" / f"{id}.png").write_bytes(content)
    return folder
