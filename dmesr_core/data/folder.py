"""A folder of one's own data: `items.csv`, `pictures/` and `interactions.csv`."""

from __future__ import annotations

from pathlib import Path

from dmesr_core.data.catalogue import Catalogue, read_catalogue
from dmesr_core.data.checks import check_whole
from dmesr_core.data.interactions import Interactions, check_on_unknown, keep_core, read_interactions
from dmesr_core.errors import DataError


def load_folder(folder: str | Path, k_core: int = 0, on_unknown: str = "error") -> tuple[Catalogue, Interactions]:
    """Read a catalogue and its log from `folder`.

    - `items.csv`: columns id, title, text and optionally picture (see `read_catalogue`);
    - `pictures/`: the files named in `picture`, or `<id>.jpg`, `.png`, ...; an item may have none;
    - `interactions.csv`: columns user, item (an id of `items.csv`), time (a number or an ISO date).

    Args:
        k_core: drop users and items with fewer events; 0 keeps everything, also items without events.
        on_unknown: "error", or "drop" events whose item is not in `items.csv`.

    Raises:
        DataError: invalid data; names the file, the row or the id.
        SettingsError: `k_core` below 0 or no whole number, another value of `on_unknown`.
    """
    check_whole("k_core", k_core, 0)
    check_on_unknown(on_unknown)
    folder = Path(folder)
    if not folder.is_dir():
        found = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DataError(f"{folder}: {found}; it should hold items.csv, interactions.csv and pictures/")
    if not (folder / "items.csv").exists() and (folder / "ratings.csv").exists():
        raise DataError(
            f"{folder}: there is no items.csv, but a ratings.csv as MovieLens has it: "
            f'load_dataset("movielens", {str(folder)!r})'
        )
    catalogue = read_catalogue(folder)
    interactions = read_interactions(folder / "interactions.csv", catalogue, on_unknown=on_unknown)
    return keep_core(catalogue, interactions, k_core) if k_core > 0 else (catalogue, interactions)
