"""Where data comes from. Each source gives a catalogue and the log of who bought what, when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dmesr_core import files, profiles
from dmesr_core.data.bazaar.world import World, make_world
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.folder import load_folder
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.movielens import load_movielens
from dmesr_core.errors import SettingsError

SOURCES = ("bazaar", "movielens", "folder")


@dataclass(frozen=True)
class Dataset:
    """A catalogue and its log, with the world behind it where there is one."""

    name: str
    catalogue: Catalogue
    interactions: Interactions
    world: World | None = None  # Bazaar only


def load(
    data: str = "bazaar", profile: str | None = None, seed: int = 0, data_dir: str | Path | None = None
) -> Dataset:
    """The data set called `data`, at the size of `profile` (the Bazaar) or as it is in `data_dir` (all others).

    Raises:
        SettingsError: for an unknown name, or a source that needs `data_dir` and got none.
    """
    if data not in SOURCES:
        raise SettingsError(f"unknown data {data!r}: choose one of {', '.join(SOURCES)}")
    if data == "bazaar":
        size = profiles.get(profile)
        folder = files.cache_dir() / "bazaar" / f"{size.n_items}-items-seed-{seed}"
        world = make_world(size.n_items, size.n_shoppers, seed, folder)
        return Dataset("bazaar", world.catalogue, world.interactions, world)
    if not data_dir:
        raise SettingsError(f"data {data!r} needs data_dir, the folder that holds it")
    if data == "movielens":
        return Dataset(data, *load_movielens(data_dir))
    return Dataset(data, *load_folder(data_dir))
