"""The experiments of the book by name: which data, backbones, variants, trainings and seeds are combined.

A grid is a few blocks; a block is every combination of what it lists. `dmesr experiment NAME` runs one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dmesr_core import paths, profiles
from dmesr_core.backbones import BackboneSettings
from dmesr_core.bazaar.tiny_mllm import checkpoint_folder
from dmesr_core.bazaar.world import make_world
from dmesr_core.errors import SettingsError
from dmesr_core.features import Features, FeatureStore, extract
from dmesr_core.interactions import Interactions, Split
from dmesr_core.mllm import MLLM
from dmesr_core.sources.movielens import load_movielens
from dmesr_core.sources.user_lines import load_user_lines
from dmesr_core.text import TextEncoder
from dmesr_core.train import TrainSettings
from dmesr_core.variants import VARIANTS, Material, Variant, needs_of

DATA = "DMESR_DATA"  # environment variable: a folder that holds the folders of `_FOLDERS`
_BAZAARS = {"bazaar": 1_200, "bazaar-sparse": 4_800}  # data -> items; 3,000 shoppers each
_SHOPPERS = 3_000
_FOLDERS = {"movielens": "movielens_posters", "beauty": "sequences", "toys": "sequences"}
_FILES = {"beauty": "Beauty.txt", "toys": "Toys_and_Games.txt"}


@dataclass(frozen=True)
class Data:
    """What is learned from and asked about."""

    name: str  # bazaar | bazaar-sparse | movielens | beauty | toys
    split: str = "leave-one-out"  # or global-time
    share: float = 1.0  # of the training sequences


@dataclass(frozen=True)
class Job:
    """One training: a variant by the name it has in the table, and its settings (the seed is in `train`)."""

    name: str
    variant: Variant
    backbone: BackboneSettings
    train: TrainSettings
    grid: str = ""  # the experiment that asks for it

    def __str__(self) -> str:
        return f"{self.name} on {self.backbone.name}, seed {self.train.seed}"


@dataclass(frozen=True)
class Block:
    """Every combination of what is listed; popularity, which learns nothing, comes once per data."""

    data: tuple[Data, ...]
    variants: dict[str, Variant]
    backbones: tuple[str, ...] = ("sasrec",)
    trains: tuple[dict[str, Any], ...] = ({},)  # what differs from `TrainSettings`
    sizes: dict[str, Any] = field(default_factory=dict)  # what differs from `BackboneSettings`
    seeds: int = 5  # trainings of each, with seeds 0, 1, ...


@dataclass(frozen=True)
class Grid:
    """A named experiment."""

    name: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[str, ...] = ()  # other grids that make up this one
    epochs: int = field(default_factory=lambda: profiles.get("cpu").max_epochs)  # at most; training may stop early
    mini: bool = False  # all data are stood in for by the smallest Bazaar: for tests


def _rows(*names: str) -> dict[str, Variant]:
    return {name: VARIANTS[name] for name in names}


def _dmesr(**changes: Any) -> dict[str, Variant]:
    """A row for each value: `_dmesr(alpha=(0, 1))` gives alpha=0 and alpha=1."""
    return {f"{key}={value}": Variant("dmesr", {key: value}) for key, values in changes.items() for value in values}


# BERT4Rec predicts few positions at a time, and for some epochs learns nothing that shows: it gets twice the epochs, is
# not stopped early, and the weight decay that suits the others is too much for it.
_PATIENT = ("bert4rec",)
_THREE = ("sasrec", "gru4rec", "bert4rec")
_STEADY = ("sasrec", "gru4rec")
_LEARNED = _rows("id_only", "id_unit", "raw", "llm_esr", "llm_emb", "dmesr", "dmesr_unit")
_COMPARED = _rows("popularity") | _LEARNED
# Some of these stand still for a while before they learn: none is stopped early.
_LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": "ce"},
    {"loss": "sampled", "negatives": 64}, {"loss": "sampled", "negatives": 512},
    {"loss": "gbce", "negatives": 64}, {"loss": "gbce", "negatives": 256},
    {"loss": "bce", "negatives": 1}, {"loss": "bce", "negatives": 64},
)  # fmt: skip
_LOSSES = tuple(loss | {"patience": 1_000} for loss in _LOSSES)


def _three(name: str, title: str, data: Data) -> Grid:
    return Grid(f"three_backbones_{name}", title, (Block((data,), _COMPARED, _THREE),))


def _quality(name: str, title: str) -> Grid:
    long = {"batch_size": 256, "patience": 1_000}
    plain = Block((Data(name),), _rows("id_only", "id_unit"), trains=(long,), sizes={"layers": 2}, seeds=3)
    # Nobody reviews a thing twice: a model that is told so needs half of the epochs, and gets further.
    once = replace(
        plain, variants={"id_once": VARIANTS["id_only"]}, trains=(long | {"not_again": 0.1, "epochs": 30},),
        sizes={"layers": 2, "head": True},
    )  # fmt: skip
    # Twice as wide it would learn histories by heart: more is taken away, and the mean of its late weights is kept.
    wide = replace(
        once, variants={"id_wide": VARIANTS["id_only"]},
        trains=(once.trains[0] | {"item_dropout": 0.2, "averaging": 0.996},),
        sizes=once.sizes | {"width": 128, "dropout": 0.4},
    )  # fmt: skip
    return Grid(f"quality_{name}", f"how good SASRec by ID gets on {title}", (plain, once, wide), epochs=60)


def _fewer(share: float) -> Block:
    """A share of the shoppers of the Bazaar. Their epochs are shorter, so there are more: as many steps as with all."""
    epochs, patience = profiles.get("cpu").max_epochs, TrainSettings.patience
    longer = {"epochs": round(epochs / share), "patience": round(patience / share)}
    rows = _rows("popularity", "id_only", "id_unit", "dmesr", "dmesr_unit", "fact_oracle")
    return Block((Data("bazaar", share=share),), rows, trains=(longer,), seeds=3)


_ALL = (
    Grid(
        "three_backbones",
        "three backbones, seven ways to know an item, four data sets",
        parts=tuple(f"three_backbones_{name}" for name in ("bazaar", "sparse", "movielens", "time")),
    ),
    _three("bazaar", "the Bazaar, leave-one-out", Data("bazaar")),
    _three("sparse", "four times as many products for as many shoppers, leave-one-out", Data("bazaar-sparse")),
    _three("movielens", "films with posters, leave-one-out", Data("movielens")),
    _three("time", "the Bazaar, split at one moment in time", Data("bazaar", "global-time")),
    Grid(
        "care",
        "whether the opponents had what they need: other weight decays, twice the epochs",
        (
            Block(
                (Data("bazaar"),),
                _rows("id_only", "id_unit", "dmesr", "dmesr_unit"),
                _STEADY,
                trains=tuple({"weight_decay": decay} for decay in (0.5, 1.0, 2.0, 4.0)),
                seeds=1,
            ),
            Block((Data("bazaar"),), _LEARNED, _STEADY, trains=({"epochs": 50, "patience": 12},), seeds=3),
        ),
    ),
    Grid(
        "ablations",
        "what carries DMESR's gain: parts, settings, amount of data (SASRec)",
        (
            Block((Data("bazaar"),), VARIANTS, seeds=3),
            Block(
                (Data("bazaar"),),
                # What DMESR is by default (`dmesr`), and alpha 0 (`no_alignment`), is among the variants already.
                _dmesr(
                    alpha=(0.01, 0.2, 1.0),
                    temperature=(0.05, 0.1, 0.5),
                    fine_tokens=(4, 12, 40),
                    items_per_step=(32, 512, None),
                ),
                seeds=3,
            ),
            *(_fewer(share) for share in (0.125, 0.25, 0.5)),
        ),
    ),
    Grid(
        "losses", "four losses (SASRec by ID)", (Block((Data("bazaar"),), _rows("id_only"), trains=_LOSSES, seeds=3),)
    ),
    _quality("beauty", "Amazon Beauty"),
    _quality("toys", "Amazon Toys"),
    Grid(
        "losses_beauty",
        "four losses on a catalogue ten times as large (SASRec by ID)",
        (Block((Data("beauty"),), _rows("id_only"), trains=_LOSSES, seeds=1),),
    ),
)
GRIDS: dict[str, Grid] = {grid.name: grid for grid in _ALL}


def get(name: str, profile: str = "cpu") -> Grid:
    """The grid called `name`; in profile `smoke` with the smallest Bazaar, two epochs and at most two seeds.

    Raises:
        SettingsError: an unknown name.
    """
    if name not in GRIDS:
        raise SettingsError(f"unknown grid {name!r}: choose one of {', '.join(GRIDS)}")
    grid = GRIDS[name]
    if profiles.get(profile).name != "smoke":
        return grid
    blocks = tuple(replace(block, seeds=2 if block.seeds > 3 else 1) for block in grid.blocks)
    return replace(grid, blocks=blocks, epochs=profiles.get("smoke").max_epochs, mini=True)


def whole(grid: Grid, profile: str = "cpu") -> list[Grid]:
    """The grids that have jobs of their own: the parts of this one, or itself."""
    return [get(part, profile) for part in grid.parts] or [grid]


def jobs(grid: Grid) -> dict[Data, list[Job]]:
    """What a grid has to train on each of its data: seed by seed, within a seed the longest trainings first.

    So an unfinished grid has few seeds of everything rather than everything of a few.

    Raises:
        SettingsError: a setting that `TrainSettings` or `BackboneSettings` does not have.
    """
    known = {f.name for f in fields(TrainSettings)}
    known_sizes = {f.name for f in fields(BackboneSettings)}
    found: dict[Data, list[Job]] = {}
    for block in grid.blocks:
        if unknown := set(block.sizes) - known_sizes:
            raise SettingsError(f"grid {grid.name!r}: a backbone has no setting {', '.join(sorted(unknown))}")
        for data in block.data:
            combined = product(block.variants.items(), block.backbones, block.trains, range(block.seeds))
            for (name, variant), backbone, changes, seed in combined:
                if unknown := set(changes) - known:
                    raise SettingsError(f"grid {grid.name!r}: training has no setting {', '.join(sorted(unknown))}")
                patient = backbone in _PATIENT and not grid.mini
                epochs = grid.epochs * (2 if patient else 1)
                own = {"patience": epochs, "weight_decay": 0.5} if patient else {}
                last = {"epochs": epochs} if grid.mini else {}  # a tiny run is short whatever a block asks for
                train = TrainSettings(**({"epochs": epochs, "seed": seed} | own | changes | last))
                job = Job(name, variant, BackboneSettings(backbone, **block.sizes), train, grid.name)
                once = found.setdefault(data, [])
                if variant.kind != "popularity" or all(other.name != name for other in once):
                    once.append(job)
    return {data: sorted(some, key=lambda job: (job.train.seed, -_weight(job))) for data, some in found.items()}


def _weight(job: Job) -> float:
    """About how long a training takes, compared with others; what is not known here counts as the shortest."""
    kinds = {"popularity": 0.0, "id": 1.0, "facts": 1.1, "raw": 1.2, "llm_emb": 1.3, "dmesr": 2.0, "llm_esr": 2.5}
    backbones = {"sasrec": 1.0, "gru4rec": 1.2, "bert4rec": 5.0}
    return kinds.get(job.variant.kind, 1.0) * backbones.get(job.backbone.name, 1.0)


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
        found[data] = Material(fewer_shoppers(split, data.share), features, facts, data.name, data.share)
    return found


def _load(
    grid: Grid, name: str, data_dir: str | Path | None, needs: set[str]
) -> tuple[Interactions, Features | None, np.ndarray | None]:
    """The log, and the features and facts if they are among the `needs`."""
    catalogue, facts = None, None
    if grid.mini or name in _BAZAARS:
        size = profiles.get("smoke")
        n_items, n_shoppers = (size.n_items, size.n_shoppers) if grid.mini else (_BAZAARS[name], _SHOPPERS)
        world = make_world(n_items, n_shoppers, 0, paths.cache_dir() / "bazaar" / f"{n_items}-items-seed-0")
        catalogue, log, facts = world.catalogue, world.interactions, world.fact_vectors()
    elif name == "movielens":
        catalogue, log = load_movielens(_folder(grid, name, data_dir))
    else:
        log = load_user_lines(_folder(grid, name, data_dir) / _FILES[name])
    features = None
    if "features" in needs:
        if catalogue is None:
            raise SettingsError(f"grid {grid.name!r}: {name!r} has neither pictures nor texts")
        store = FeatureStore(paths.cache_dir() / "features")
        features = extract(catalogue, MLLM.load(checkpoint_folder()), TextEncoder.load(), store)
    return log, features, facts if "facts" in needs else None


def fewer_shoppers(split: Split, share: float, seed: int = 0) -> Split:
    """The same questions, but only a `share` of the training sequences; a smaller share is part of a larger one."""
    if not 0 < share <= 1:
        raise SettingsError(f"a share lies above 0 and is at most 1, got {share}")
    if share == 1:
        return split
    order = np.random.default_rng(seed).permutation(len(split.train))
    train = split.train.take(np.sort(order[: max(1, round(share * len(order)))]))
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
