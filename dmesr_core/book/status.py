"""Tables of the status page: how this copy of the book was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dmesr_core import provenance
from dmesr_core.book import stamps
from dmesr_core.experiments.records import read_records
from dmesr_core.experiments.tables import hours

ChapterRun = Mapping[str, Any]  # what the runner wrote about the run of one chapter

read_files: set[Path] = set()  # files that the tables depend on, for the chapter's stamp


def chapters_table(runs: Sequence[ChapterRun]) -> pd.DataFrame:
    """One row per chapter: when it ran, for how long, and at which commit."""
    return pd.DataFrame(
        {
            "chapter": [run["chapter"] for run in runs],
            "time (min:s)": [_minutes_and_seconds(run["seconds"]) for run in runs],
            "code cells": [run["cells"] for run in runs],
            "run at (UTC)": [run["started"][:16].replace("T", " ") for run in runs],
            "commit": [provenance.short_commit(run["commit"]) for run in runs],
        }
    )


def versions_table(runs: Sequence[ChapterRun]) -> pd.DataFrame:
    """One row per library: the versions of this process and of the chapters' runs, each once."""
    seen: dict[str, list[str]] = {}
    for versions in [provenance.versions(stamps.LIBRARIES), *(run["versions"] for run in runs)]:
        for name, version in versions.items():
            seen.setdefault(name, []).append(version)
    return pd.DataFrame(
        {"package": list(seen), "version": [", ".join(dict.fromkeys(versions)) for versions in seen.values()]}
    )


def stored_rows_table(folder: Path) -> pd.DataFrame:
    """One row per file of stored trainings in `folder`: their number, cost and origin.

    "present code" is the share of rows whose hash of the code is that of this process.
    """
    read_files.update(provenance.code_files())
    table = {}
    for file in sorted(folder.glob("*.jsonl")):
        rows = read_records(file)
        table[file.stem] = {
            "rows": len(rows),
            "hours of training": f"{hours(rows):.1f}",
            "states of the code": len({row.code for row in rows}),
            "present code": f"{sum(row.made_by_this_code for row in rows) / len(rows):.0%}",
            "commits": len({str(row.commit) for row in rows}),
            "device": ", ".join(sorted({row.device for row in rows})),
            "torch": ", ".join(sorted({row.versions["torch"] for row in rows})),
        }
    return pd.DataFrame(table).T


def _minutes_and_seconds(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
