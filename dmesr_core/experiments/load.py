"""The material of a grid: its splits, features and facts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from dmesr_core import files, profiles
from dmesr_core.data.bazaar.world import make_world
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.movielens import load_movielens
from dmesr_core.data.sequence_file import load_user_lines
from dmesr_core.data.sequences import Split
from dmesr_core.errors import SettingsError
from dmesr_core.experiments.grid import Data, Grid, jobs
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.variants import needs_of
from dmesr_core.features.extract import Features, extract
from dmesr_core.features.mllm import MLLM
from dmesr_core.features.store import FeatureStore
from dmesr_core.features.text_encoder import TextEncoder
from dmesr_core.features.tiny_mllm import checkpoint_folder

DATA = "DMESR_DATA"  # environment variable: a folder that holds the folders of `_FOLDERS`


_BAZAARS = {"bazaar": 1_200, "bazaar-sparse": 4_800}  # data -> items; 3,000 shoppers each


_SHOPPERS = 3_000


_FOLDERS = {"movielens": "movielens_posters", "beauty": "sequences", "toys": "sequences"}


_FILES = {"beauty": "Beauty.txt", "toys": "Toys_and_Games.txt"}


def materials(grid: Grid, data_dir: str | Path | None = None) -> dict[Data, Material]:
    """For each data of the grid its split, and the features and facts that its jobs need.

    Raises:
        SettingsError: data that lies in a folder, and none was given. DataError: a folder that lacks something.
    """
    found: dict[Data, Material] = {}
    kept: dict[str, tuple[Interactions, Features | None, np.ndarray | None]] = {}  # shares of one data set share these
    asked = jobs(grid)
    for data in asked:
        if data.name not in kept:
            same = (job for other, some in asked.items() if other.name == data.name for job in some)
            kept[data.name] = _load(grid, data.name, data_dir, {need for job in same for need in needs_of(job.variant)})
        log, features, facts = kept[data.name]
        split = log.leave_one_out() if data.split == "leave-one-out" else log.global_time()
        found[data] = Material(subsample_training(split, data.share), features, facts, data.name, data.share)
    return found


def _load(
    grid: Grid, name: str, data_dir: str | Path | None, needs: set[str]
) -> tuple[Interactions, Features | None, np.ndarray | None]:
    """The log, and the features and facts if they are among the `needs`."""
    catalogue, facts = None, None
    if grid.mini or name in _BAZAARS:
        size = profiles.get("smoke")
        n_items, n_shoppers = (size.n_items, size.n_shoppers) if grid.mini else (_BAZAARS[name], _SHOPPERS)
        world = make_world(n_items, n_shoppers, 0, files.cache_dir() / "bazaar" / f"{n_items}-items-seed-0")
        catalogue, log, facts = world.catalogue, world.interactions, world.fact_vectors()
    elif name == "movielens":
        catalogue, log = load_movielens(_folder(grid, name, data_dir))
    else:
        log = load_user_lines(_folder(grid, name, data_dir) / _FILES[name])
    features = None
    if "features" in needs:
        if catalogue is None:
            raise SettingsError(f"grid {grid.name!r}: {name!r} has neither pictures nor texts")
        store = FeatureStore(files.cache_dir() / "features")
        features = extract(catalogue, MLLM.load(checkpoint_folder()), TextEncoder.load(), store)
    return log, features, facts if "facts" in needs else None


def subsample_training(split: Split, share: float, seed: int = 0) -> Split:
    """The same questions, but only a `share` of the training sequences; a smaller share is part of a larger one."""
    if not 0 < share <= 1:
        raise SettingsError(f"a share lies above 0 and is at most 1, got {share}")
    if share == 1:
        return split
    order = np.random.default_rng(seed).permutation(len(split.train))
    train = split.train.take(np.sort(order[: max(1, round(share * len(order)))])).packed()
    return replace(split, train=train, train_counts=np.bincount(train.items, minlength=split.n_items + 1))


def _folder(grid: Grid, name: str, data_dir: str | Path | None) -> Path:
    if data_dir:
        return Path(data_dir)
    if os.environ.get(DATA):
        return Path(os.environ[DATA]) / _FOLDERS[name]
    raise SettingsError(
        f"grid {grid.name!r} needs the data set {name!r}: pass its folder with --data-dir, or set {DATA} to the "
        f"folder that holds {_FOLDERS[name]}/"
    )


def reads_folder(grid: Grid) -> bool:
    """Whether any data of the grid lies in a folder; the Bazaar is drawn."""
    return not grid.mini and any(data.name in _FOLDERS for data in jobs(grid))
