"""The material of a grid: its splits, features and facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dmesr_core.data.datasets import Dataset, dataset_spec, load_dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split
from dmesr_core.errors import SettingsError
from dmesr_core.experiments.grid import Data, Grid, jobs
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.variants import needs_of
from dmesr_core.features.extract import extract_features
from dmesr_core.features.item_features import Features


def materials(grid: Grid, data_dir: str | Path | None = None) -> dict[Data, Material]:
    """For each data set of the grid its split, and the features and facts that its jobs need.

    Raises:
        SettingsError: a data set that is read from a folder, and none was given. DataError: a folder that lacks
            something.
    """
    found: dict[Data, Material] = {}
    loaded: dict[str, Loaded] = {}  # by name of the data set
    asked = jobs(grid)
    for data in asked:
        if data.name not in loaded:
            same = (job for other, some in asked.items() if other.name == data.name for job in some)
            needs = {need for job in same for need in needs_of(job.variant)}
            loaded[data.name] = _load(grid, data.name, data_dir, needs)
        log, features, facts, fact_views = loaded[data.name]
        split = log.leave_one_out() if data.split == "leave-one-out" else log.global_time()
        split = subsample_training(split, data.share)
        found[data] = Material(split, features, facts, data.name, data.share, fact_views)
    return found


# The log, and the features and facts if they are needed; columns of the facts that can be seen or read.
Loaded = tuple[Interactions, Features | None, np.ndarray | None, tuple[tuple[int, ...], ...]]


def _load(grid: Grid, name: str, data_dir: str | Path | None, needs: set[str]) -> Loaded:
    try:
        dataset = dataset_of(grid, name, data_dir)
        catalogue = dataset.require_catalogue() if "features" in needs else None
    except SettingsError as error:
        raise SettingsError(f"grid {grid.name!r}: {error}") from None
    features = None
    if catalogue is not None:
        features = extract_features(catalogue)
    if dataset.world is None or "facts" not in needs:
        return dataset.interactions, features, None, ()
    return dataset.interactions, features, dataset.world.fact_vectors(), dataset.world.facts.columns_by_view()


def dataset_of(grid: Grid, name: str, data_dir: str | Path | None) -> Dataset:
    """The data set; for a mini grid the smallest Bazaar in place of every data set."""
    if grid.mini:
        return load_dataset("bazaar", profile="smoke")
    return load_dataset(name, data_dir if dataset_spec(name).needs_folder else None, profile="cpu")


def subsample_training(split: Split, share: float, seed: int = 0) -> Split:
    """The same cases with a random `share` of the training sequences; a smaller share is a subset of a larger one."""
    if not 0 < share <= 1:
        raise SettingsError(f"share must be above 0 and at most 1, got {share}")
    if share == 1:
        return split
    order = np.random.default_rng(seed).permutation(len(split.train))
    train = split.train.take(np.sort(order[: max(1, round(share * len(order)))])).packed()
    return replace(split, train=train, train_counts=np.bincount(train.items, minlength=split.n_items + 1))


def reads_folder(grid: Grid) -> bool:
    """Whether any data set of the grid is read from a folder; the Bazaar is generated."""
    return not grid.mini and any(dataset_spec(data.name).needs_folder for data in jobs(grid))
