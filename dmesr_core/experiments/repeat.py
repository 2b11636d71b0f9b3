"""Stored records, trained again: does the same come out?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dmesr_core.errors import DataError
from dmesr_core.experiments import grids, load, own_data
from dmesr_core.experiments.grid import Job, jobs
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.records import RunRecord

Work = Sequence[tuple[Job, Material]]


def grid_work(grid: str, profile: str) -> list[tuple[Job, Material]]:
    """The jobs of a grid with their material."""
    chosen = grids.get(grid, profile)
    materials = load.materials(chosen)
    return [(job, materials[data]) for data, some in jobs(chosen).items() for job in some]


def pick(records: Iterable[RunRecord], wanted: Iterable[tuple[str, str]], seed: int = 0) -> list[RunRecord]:
    """The records of these backbones and variants with one seed, in the order wanted; what is missing is left out."""
    of_seed = [record for record in records if record.seed == seed]
    return [r for backbone, variant in wanted for r in of_seed if _names(r) == (backbone, variant)]


def train_again(stored: Iterable[RunRecord], work: Work) -> list[RunRecord]:
    """A new record for each stored one: really trained, nothing is read from a folder.

    Raises:
        DataError: a record that no job made, or a training that failed.
    """
    return [record for old in stored for record in own_data.train([_job_of(old, work)])]  # one at a time, for the clock


def same_ranks(old: RunRecord, new: RunRecord) -> float:
    """The share of test cases whose target has the same rank, with as many ties, in both records."""
    a, b = old.ranks_of("full"), new.ranks_of("full")
    return float(((a.greater == b.greater) & (a.n_ties == b.n_ties)).mean())


def _job_of(record: RunRecord, work: Work) -> tuple[Job, Material]:
    for job, material in work:
        if (job.backbone.name, job.name, job.train.seed, material.split.name) == (
            *_names(record), record.seed, record.split,
        ):  # fmt: skip
            return job, material
    raise DataError(f"no job makes {' and '.join(_names(record))} with seed {record.seed}, split {record.split}")


def _names(record: RunRecord) -> tuple[str, str]:
    return record.get("backbone"), record.get("variant")
