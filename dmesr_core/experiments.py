"""Many trainings, fairly compared: the same data, budget and seeds for every variant; each done once, then remembered.

A run is one variant with one seed. Its `Row` is kept on disk under a hash of all that made it, so a command or a
chapter that was interrupted goes on where it stopped, and what another one has trained is not trained again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from dmesr_core import grids, paths, profiles
from dmesr_core.backbones import BackboneSettings
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.grids import Grid, Job
from dmesr_core.rows import Row, complete, read_rows, table, write_rows
from dmesr_core.statistics import Result, stack
from dmesr_core.train import TrainSettings
from dmesr_core.trainings import key_of, run
from dmesr_core.variants import VARIANTS, Material, Variant, build
from dmesr_core.workers import Failure, run_jobs

__all__ = [
    "VARIANTS", "Failure", "Material", "Row", "Variant", "build", "compare_variants", "complete", "load_or_run",
    "read_rows", "results_file", "run", "run_grid", "run_jobs", "table", "write_rows",
]  # fmt: skip

RESULTS = Path(__file__).resolve().parent / "results"  # rows that come with the package


def run_grid(
    grid: str | Grid,
    profile: str = "cpu",
    data_dir: str | Path | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    train: bool = True,
    only: Collection[str] = (),
    kept: Iterable[Row] = (),
) -> tuple[dict[str, list[Row]], list[Failure]]:
    """Run a grid, or what is left of it.

    Args:
        data_dir: folder of the data set, for grids that need one.
        folder: where rows are kept, by default `experiments` in the cache folder.
        train: if False, nothing is trained: the rows that are there already are given.
        only: names of backbones and variants; all others are left out.
        kept: rows that stand, whatever code made them: what they are of is not trained again.

    Returns:
        Rows by grid (a grid of several parts gives those of each part), and what failed.

    Raises:
        SettingsError: an unknown grid, or data that is needed and was not named.
    """
    grid = grids.get(grid, profile) if isinstance(grid, str) else grid
    have = {(row.grid, row.data, row.share, row.get("variant"), row.key): row for row in kept}
    work: list[tuple[Job, Material]] = []
    stay: list[Row] = []
    for part in grids.whole(grid, profile):
        material = grids.materials(part, data_dir)
        for job, on in ((job, material[data]) for data, some in grids.jobs(part).items() for job in some):
            standing = have.get((part.name, on.name, on.share, job.name, key_of(job, on)))
            if standing is not None:
                stay.append(standing)
            elif not only or {job.name, job.backbone.name} & set(only):
                work.append((job, on))
    work.sort(key=lambda pair: pair[0].train.seed)  # seed by seed, whatever the data
    outcomes = [*stay, *run_jobs(work, folder or paths.cache_dir() / "experiments", workers, progress, train)]
    rows: dict[str, list[Row]] = {part.name: [] for part in grids.whole(grid, profile)}
    for row in outcomes:
        if isinstance(row, Row):
            rows[row.grid].append(row)
    return rows, [failure for failure in outcomes if isinstance(failure, Failure)]


def load_or_run(grid: str, profile: str = "cpu", progress: bool = False) -> list[Row]:
    """The rows of a grid for a chapter: those that come with the package, or in profile `smoke` a tiny grid, run now.

    Raises:
        DataError: no rows come with the package, or a run of the tiny grid failed.
    """
    if profiles.get(profile).name != "smoke":
        return [row for part in grids.whole(grids.get(grid)) for row in read_rows(results_file(part.name))]
    rows, failures = run_grid(grid, profile, workers=1, progress=progress)
    if failures:
        raise DataError(f"{failures[0].what}: {failures[0].error}")
    return [row for some in rows.values() for row in some]


def results_file(grid: str) -> Path:
    """Where the rows of a grid lie in the package."""
    return RESULTS / f"{grid}.jsonl"


def compare_variants(
    names: Iterable[str],
    material: Material,
    seeds: Iterable[int],
    backbone: BackboneSettings | None = None,
    train: TrainSettings | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[dict[str, Result], dict[str, list[Row]]]:
    """Every variant with every seed.

    Args:
        names: of rows of `VARIANTS`.
        workers: as in `run_jobs`.

    Returns:
        variant -> metrics (seeds, cases), variant -> its rows, one per seed.

    Raises:
        SettingsError: an unknown variant. DataError: a run that failed.
    """
    names, seeds = list(names), list(seeds)
    if unknown := [n for n in names if n not in VARIANTS]:
        raise SettingsError(f"unknown variants {unknown}: choose from {', '.join(VARIANTS)}")
    backbone, train = backbone or BackboneSettings(), train or TrainSettings()
    jobs = [(Job(n, VARIANTS[n], backbone, replace(train, seed=s)), material) for n in names for s in seeds]
    rows: dict[str, list[Row]] = {name: [] for name in names}
    for (job, _), row in zip(jobs, run_jobs(jobs, folder, workers, progress), strict=True):
        if not isinstance(row, Row):
            raise DataError(f"{row.what}: {row.error}" if row else f"{job} was not trained")
        rows[job.name].append(row)
    return {name: stack([row.result() for row in some], name) for name, some in rows.items()}, rows
