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

SPLITS = ("leave-one-out", "global-time")


@dataclass(frozen=True)
class Data:
    """A data set, how it is split, and how much of its training part is used."""

    name: str  # bazaar | bazaar-sparse | movielens | beauty | toys
    split: str = "leave-one-out"  # or global-time
    share: float = 1.0  # of the training sequences

    def __post_init__(self) -> None:
        """Raises SettingsError: names the field and the values it may have."""
        if self.split not in SPLITS:
            raise SettingsError(f"unknown split {self.split!r}: choose one of {', '.join(SPLITS)}")
        if not 0 < self.share <= 1:
            raise SettingsError(f"share must be above 0 and at most 1, got {self.share!r}")


@dataclass(frozen=True)
class Job:
    """One training: a variant with its name in tables, and its settings (the seed is in `train`)."""

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
    """Every combination of what is listed; popularity, which is not trained, occurs once per data set."""

    data: tuple[Data, ...]
    variants: dict[str, Variant]
    backbones: tuple[str, ...] = ("sasrec",)
    trains: tuple[dict[str, Any], ...] = ({},)  # changes of `TrainSettings`
    sizes: dict[str, Any] = field(default_factory=dict)  # changes of `BackboneSettings`
    seeds: int = 5  # trainings of each combination, with seeds 0, 1, ...
    ema_decay: float = 0.0  # of `training.callbacks.EMA`; 0: none


@dataclass(frozen=True)
class Grid:
    """A named experiment."""

    name: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[str, ...] = ()  # other grids that make up this one
    epochs: int = field(default_factory=lambda: profiles.get("cpu").max_epochs)  # at most; training may stop early
    mini: bool = False  # the smallest Bazaar takes the place of all data: for tests


# BERT4Rec predicts few positions per step and hardly improves in its first epochs: it gets twice the epochs, no early
# stopping, and less weight decay (chosen on validation cases).
_PATIENT = ("bert4rec",)


def jobs(grid: Grid) -> dict[Data, list[Job]]:
    """The jobs of a grid for each of its data sets, ordered by seed, and within a seed by expected duration.

    An unfinished grid then has some seeds of all variants, rather than all seeds of some variants.

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
                last = {"epochs": epochs} if grid.mini else {}  # whatever the block asks for
                train = TrainSettings(**({"epochs": epochs, "seed": seed} | own | changes | last))
                job = Job(name, variant, BackboneSettings(backbone, **block.sizes), train, grid.name, block.ema_decay)
                once = found.setdefault(data, [])
                again = [other for other in once if other.name == name]  # another block asked for it, too
                if job not in again and not (variant.kind == "popularity" and again):
                    once.append(job)
    return {data: sorted(some, key=lambda job: (job.train.seed, -_weight(job))) for data, some in found.items()}


def _weight(job: Job) -> float:
    """Relative duration of a training, roughly; kinds and backbones that are not listed count as the shortest."""
    kinds = {"popularity": 0.0, "id": 1.0, "facts": 1.1, "raw": 1.2, "llm_emb": 1.3, "dmesr": 2.0, "llm_esr": 2.5}
    backbones = {"sasrec": 1.0, "gru4rec": 1.2, "bert4rec": 5.0}
    return kinds.get(job.variant.kind, 1.0) * backbones.get(job.backbone.name, 1.0)
