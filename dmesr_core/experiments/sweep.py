"""Grids and comparisons of many trainings: the same data, budget and seeds for every variant.

Each training is done once: its `RunRecord` is stored under a hash of settings and data, so that an interrupted command
or chapter continues where it stopped, and uses what others have trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dmesr_core import files, profiles
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.results import Result, stack
from dmesr_core.experiments import grids, load
from dmesr_core.experiments.grid import Data, Grid, Job, jobs
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.pool import Failure, run_jobs
from dmesr_core.experiments.records import RunRecord, read_records, write_records
from dmesr_core.experiments.run import identity, identity_of
from dmesr_core.experiments.variants import VARIANTS
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.training.settings import TrainSettings

RESULTS = Path(__file__).resolve().parent.parent / "results"  # records that come with the package


def run_grid(
    grid: str | Grid,
    profile: str = "cpu",
    data_dir: str | Path | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    train: bool = True,
    only: Collection[str] = (),
    kept: Iterable[RunRecord] = (),
) -> tuple[dict[str, list[RunRecord]], list[Failure]]:
    """Run a grid, or the part of it that has not run yet.

    Args:
        data_dir: folder of the data set, for grids that need one; the others refuse it.
        folder: where records are kept, by default `experiments` in the cache folder.
        train: if False, nothing is trained: the records that are there already are given.
        only: names of backbones (all their trainings), of variants (all of theirs), or of both (these variants on
            these backbones).
        kept: records that stand, whatever code made them: their jobs are not trained again, if the cases are the same.

    Returns:
        Records by grid (a grid of several parts gives those of each part), with those of `kept` that it asks for, and
        what failed.

    Raises:
        SettingsError: an unknown grid, a name in `only` that nothing has, data that is needed and was not named, or a
            folder for a grid that reads none.
    """
    grid = grids.get(grid, profile) if isinstance(grid, str) else grid
    parts = grids.whole(grid, profile)
    if data_dir and not any(map(load.reads_folder, parts)):
        why = "in this profile a tiny Bazaar stands in for all data" if grid.mini else "all its data is the Bazaar"
        raise SettingsError(f"grid {grid.name!r} reads no folder ({why}): leave out {str(data_dir)!r}")
    asked = _asked(grid, parts, only)
    have = {identity_of(record): record for record in kept}
    work: list[tuple[Job, Material]] = []
    stay: list[RunRecord] = []
    for part in parts:
        if not asked[part.name]:
            continue
        material = load.materials(part, data_dir)
        for data, job in asked[part.name]:
            standing = have.get(identity(job, data))
            if standing is not None and standing.fingerprint == material[data].fingerprint:
                stay.append(standing)
            else:
                work.append((job, material[data]))
    work.sort(key=lambda pair: pair[0].train.seed)  # seed by seed over all data sets
    outcomes = [*stay, *run_jobs(work, folder or files.cache_dir() / "experiments", workers, progress, train)]
    records: dict[str, list[RunRecord]] = {part.name: [] for part in parts}
    for record in outcomes:
        if isinstance(record, RunRecord):
            records[record.grid].append(record)
    return records, [failure for failure in outcomes if isinstance(failure, Failure)]


def _asked(grid: Grid, parts: Sequence[Grid], only: Collection[str]) -> dict[str, list[tuple[Data, Job]]]:
    """The jobs of each part that `only` selects, see `run_grid`; each name must select something."""
    found = {part.name: [(data, job) for data, some in jobs(part).items() for job in some] for part in parts}
    every = [job for some in found.values() for _, job in some]
    variants = dict.fromkeys(job.name for job in every)
    backbones = dict.fromkeys(job.backbone.name for job in every)
    if unknown := [name for name in only if name not in variants and name not in backbones]:
        choices = f"choose from the backbones {', '.join(backbones)} and the variants {', '.join(variants)}"
        raise SettingsError(f"grid {grid.name!r} has nothing called {', '.join(map(repr, unknown))}: {choices}")
    named = backbones.keys() & set(only) or backbones, variants.keys() & set(only) or variants
    left = {
        name: [(data, job) for data, job in some if job.backbone.name in named[0] and job.name in named[1]]
        for name, some in found.items()
    }
    met = {name for some in left.values() for _, job in some for name in (job.name, job.backbone.name)}
    if without := [name for name in only if name not in met]:
        raise SettingsError(
            f"grid {grid.name!r} combines {', '.join(map(repr, without))} with none of the other names in "
            f"{' '.join(only)}: ask for them one after the other"
        )
    return left


@dataclass(frozen=True)
class Merged:
    """How a merge changed a file of records."""

    added: int
    replaced: int  # by another record of the same job
    kept: int
    dropped: int
    jobs: frozenset[str]  # identities of all jobs with a record in the file now, see `run.identity`


def merge_records(records: Iterable[RunRecord], file: str | Path, stay: Collection[str] | None = None) -> Merged:
    """Merge records into the present content of a file; a record replaces another one of the same job only.

    Args:
        stay: identities of the jobs whose records may stay, all others are dropped; None: nothing is dropped.
    """
    file = Path(file)
    old = [(identity_of(record), record) for record in (read_records(file) if file.is_file() else [])]
    new = {identity_of(record): record for record in records}
    rest = [(job, record) for job, record in old if job not in new]
    kept = [record for job, record in rest if stay is None or job in stay]
    there = {job: record.to_json() for job, record in old}
    same = sum(there.get(job) == record.to_json() for job, record in new.items())
    added, dropped = len(new.keys() - there.keys()), len(rest) - len(kept)
    replaced = len(new) - added - same
    if added or replaced or dropped:
        write_records([*kept, *new.values()], file)
    jobs = frozenset(identity_of(record) for record in [*kept, *new.values()])
    return Merged(added, replaced, len(kept) + same, dropped, jobs)


def made_by(records: Iterable[RunRecord]) -> str:
    """Which state of the code made the records: words that continue "trainings, made".

    Raises:
        DataError: no records.
    """
    records = list(records)
    if not records:
        raise DataError("there are no records to say anything about")
    present, states = sum(record.made_by_this_code for record in records), len({record.code for record in records})
    if present == len(records):
        return "by the code that you have before you"
    if not present:
        return "by earlier states of this code" if states > 1 else "by an earlier state of this code"
    percent = min(99, max(1, round(100 * present / len(records))))  # 0% and 100% would be wrong
    return f"by {states} states of this code, {percent}% by the present one"


def load_or_run(grid: str, profile: str = "cpu", progress: bool = False) -> list[RunRecord]:
    """The records of a grid: those that come with the package; in profile `smoke` those of a tiny grid, run now.

    Raises:
        DataError: no records come with the package, or a run of the tiny grid failed.
    """
    if profiles.get(profile).name != "smoke":
        return [record for part in grids.whole(grids.get(grid)) for record in read_records(results_file(part.name))]
    records, failures = run_grid(grid, profile, workers=1, progress=progress)
    if failures:
        raise DataError(f"{failures[0].what}: {failures[0].error}")
    return [record for some in records.values() for record in some]


def results_file(grid: str) -> Path:
    """The file in the package that holds the records of a grid."""
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
) -> tuple[dict[str, Result], dict[str, list[RunRecord]]]:
    """Train and test every variant with every seed.

    Args:
        names: of records of `VARIANTS`.
        workers: as in `run_jobs`.

    Returns:
        variant -> metrics (seeds, cases), variant -> its records, one per seed.

    Raises:
        SettingsError: an unknown variant. DataError: a run that failed.
    """
    names, seeds = list(names), list(seeds)
    if unknown := [n for n in names if n not in VARIANTS]:
        raise SettingsError(f"unknown variants {unknown}: choose from {', '.join(VARIANTS)}")
    backbone, train = backbone or BackboneSettings(), train or TrainSettings()
    jobs = [(Job(n, VARIANTS[n], backbone, replace(train, seed=s)), material) for n in names for s in seeds]
    records: dict[str, list[RunRecord]] = {name: [] for name in names}
    for (job, _), record in zip(jobs, run_jobs(jobs, folder, workers, progress), strict=True):
        if not isinstance(record, RunRecord):
            raise DataError(f"{record.what}: {record.error}" if record else f"{job} was not trained")
        records[job.name].append(record)
    return {name: stack([record.result() for record in some], name) for name, some in records.items()}, records
