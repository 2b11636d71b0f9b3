"""Grids of the book on data of one's own: the same variants, fewer seeds, as many epochs as the profile allows.

No records of such trainings come with the package, so a chapter trains them when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split
from dmesr_core.errors import DataError
from dmesr_core.experiments.grid import Grid, Job, jobs
from dmesr_core.experiments.load import subsample_training
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.pool import run_jobs
from dmesr_core.experiments.records import RunRecord
from dmesr_core.features.item_features import Features
from dmesr_core.profiles import Profile
from dmesr_core.training.settings import TrainSettings

Budget = Callable[[TrainSettings], TrainSettings]  # settings of a job in the book -> settings here


def default_settings(epochs: int) -> Budget:
    """Default settings for every job, with this many epochs; only the seed of the job is kept."""
    return lambda train: TrainSettings(epochs=epochs, seed=train.seed)


def scaled_epochs(grid: Grid, epochs: int) -> Budget:
    """The settings of the job, with its epochs scaled as if `epochs` had been the maximum of the grid; at least 1."""
    return lambda train: replace(train, epochs=max(1, round(train.epochs * epochs / grid.epochs)))


def jobs_on(
    grid: Grid, split: Split, features: Features, name: str, budget: Budget, n_seeds: int = 1
) -> list[tuple[Job, Material]]:
    """The jobs of a grid with another split and its features in the place of the data that the grid names.

    Variants that need true facts are left out: only the Bazaar has them.

    Args:
        split: a share of its training sequences is used where the grid asks for a share.
        name: what the data set is called in the records.
        budget: settings of each training, see `default_settings` and `scaled_epochs`.
        n_seeds: only the first seeds of the grid, 0 to `n_seeds` - 1.
    """
    work: list[tuple[Job, Material]] = []
    for data, some in jobs(grid).items():
        material = Material(subsample_training(split, data.share), features, name=name, share=data.share)
        work += [
            (replace(job, train=budget(job.train)), material)
            for job in some
            if job.train.seed < n_seeds and job.variant.kind != "facts"
        ]
    return work


def jobs_on_both_splits(
    grid: Grid, log: Interactions, features: Features, name: str, profile: Profile
) -> list[tuple[Job, Material]]:
    """The jobs of a grid on a log: leave-one-out with the seeds of an ablation, then split by time with one seed.

    All have the default settings, with the epochs of the profile.
    """
    budget = default_settings(profile.max_epochs)
    return [
        *jobs_on(grid, log.leave_one_out(), features, name, budget, profile.ablation_seeds),
        *jobs_on(grid, log.global_time(), features, name, budget),
    ]


def train(
    work: Sequence[tuple[Job, Material]], folder: str | Path | None = None, workers: int | None = None
) -> list[RunRecord]:
    """A record per job, in order; from `folder` where the same code trained it before.

    Args:
        workers: processes side by side, as in `run_jobs`.

    Raises:
        DataError: a training failed; the message names it and says why.
    """
    outcomes = run_jobs(work, folder, workers, progress=False)
    records = [outcome for outcome in outcomes if isinstance(outcome, RunRecord)]
    if len(records) < len(outcomes):
        failed = next(outcome for outcome in outcomes if outcome and not isinstance(outcome, RunRecord))
        raise DataError(f"{failed.what}: {failed.error}")
    return records
