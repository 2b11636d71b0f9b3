"""Grids: every combination of data, backbones, variants, settings and seeds, as jobs in the order of work."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any

from dmesr_core import profiles
from dmesr_core.errors import SettingsError
from dmesr_core.experiments.variants import Variant
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.training.settings import TrainSettings


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
    ema_decay: float = 0.0  # of `training.callbacks.EMA`; 0: none

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
    ema_decay: float = 0.0  # of `training.callbacks.EMA`; 0: none


@dataclass(frozen=True)
class Grid:
    """A named experiment."""

    name: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[str, ...] = ()  # other grids that make up this one
    epochs: int = field(default_factory=lambda: profiles.get("cpu").max_epochs)  # at most; training may stop early
    mini: bool = False  # all data are stood in for by the smallest Bazaar: for tests


# BERT4Rec predicts few positions at a time, and for some epochs learns nothing that shows: it gets twice the epochs, is
# not stopped early, and the weight decay that suits the others is too much for it.
_PATIENT = ("bert4rec",)


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
                job = Job(name, variant, BackboneSettings(backbone, **block.sizes), train, grid.name, block.ema_decay)
                once = found.setdefault(data, [])
                if variant.kind != "popularity" or all(other.name != name for other in once):
                    once.append(job)
    return {data: sorted(some, key=lambda job: (job.train.seed, -_weight(job))) for data, some in found.items()}


def _weight(job: Job) -> float:
    """About how long a training takes, compared with others; what is not known here counts as the shortest."""
    kinds = {"popularity": 0.0, "id": 1.0, "facts": 1.1, "raw": 1.2, "llm_emb": 1.3, "dmesr": 2.0, "llm_esr": 2.5}
    backbones = {"sasrec": 1.0, "gru4rec": 1.2, "bert4rec": 5.0}
    return kinds.get(job.variant.kind, 1.0) * backbones.get(job.backbone.name, 1.0)
