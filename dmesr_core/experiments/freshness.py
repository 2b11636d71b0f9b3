"""How many of the stored records of a grid are there, and made by the present code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dmesr_core.experiments.grid import Grid, jobs
from dmesr_core.experiments.records import RunRecord, read_records
from dmesr_core.experiments.run import identity, identity_of


@dataclass(frozen=True)
class Freshness:
    """The records of a grid, counted."""

    wanted: int  # trainings of the grid
    present: int  # of them with a record by the present code
    earlier: Counter[str]  # data set -> of them with a record by an earlier state of the code
    missing: Counter[str]  # data set -> of them without a record
    others: int  # records of no training of the grid as it is now

    @property
    def whole(self) -> bool:
        """Whether every training has a record by the present code, and nothing else is there."""
        return self.present == self.wanted and not self.others

    def __str__(self) -> str:
        parts = [f"{self.present} of {self.wanted} trainings by the present code ({self.present / self.wanted:.0%})"]
        for words, counts in (("by earlier states", self.earlier), ("without a record", self.missing)):
            if counts:
                where = ", ".join(f"{n} on {data}" for data, n in counts.items())
                parts.append(f"{words}: {where}")
        if self.others:
            parts.append(f"not of the grid as it is now: {self.others}")
        return "; ".join(parts)


def freshness(grid: Grid, records: Iterable[RunRecord]) -> Freshness:
    """Compare the records with the trainings of a grid that has no parts."""
    have = {identity_of(record): record for record in records}
    wanted = {identity(job, data): data.name for data, some in jobs(grid).items() for job in some}
    earlier = Counter(data for job, data in wanted.items() if job in have and not have[job].made_by_this_code)
    missing = Counter(data for job, data in wanted.items() if job not in have)
    present = len(wanted) - earlier.total() - missing.total()
    return Freshness(len(wanted), present, earlier, missing, len(have.keys() - wanted.keys()))


def of_file(grid: Grid, file: str | Path) -> Freshness:
    """`freshness` of the records of a file; all are missing where there is none.

    Raises:
        DataError: a line of the file is no record.
    """
    return freshness(grid, read_records(file) if Path(file).is_file() else ())
