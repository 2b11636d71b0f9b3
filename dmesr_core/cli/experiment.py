"""`dmesr experiment`: run a named experiment of the book, or what is left of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmesr_core.cli.output import check_file, say
from dmesr_core.cli.parsing import add_verb
from dmesr_core.errors import DataError, SettingsError

if TYPE_CHECKING:  # so that the help does not load torch
    from dmesr_core.experiments.grid import Grid
    from dmesr_core.experiments.records import RunRecord


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "experiment", "run a named experiment of the book, or what is left of it", _run,
        "dmesr experiment --list", "trainings that ended are kept; the same command goes on from here",
    )  # fmt: skip
    parser.add_argument("grid", nargs="?", default="", help="its name; without one, all are listed")
    parser.add_argument("--list", action="store_true", help="list all experiments, with the hours that they took")
    parser.add_argument(
        "--check", action="store_true",
        help="train nothing: say which records are there, and which are by the present code",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help="with --check: an error unless all are there, and by the present code"
    )
    parser.add_argument("--profile", default="cpu", help="smoke: a tiny run on tiny data (default: %(default)s)")
    parser.add_argument(
        "--data-dir", default="", help="folder of the data set, for all but the bazaar (default: below DMESR_DATA)"
    )
    parser.add_argument("--workers", type=int, default=None, help="trainings side by side (default: one per core)")
    parser.add_argument(
        "--out", default="", metavar="FILE",
        help="where the records go (default: into the package); a record takes the place of one of the same training, "
        "all other records of FILE stay",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME",
        help="only these backbones, or variants; where both are named, these variants on these backbones "
        "(default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--add", action="store_true", help="train only what FILE has no record of, whatever code made the records"
    )
    parser.add_argument(
        "--stored", action="store_true", help="train nothing: write the records that are in the cache"
    )  # fmt: skip
    parser.add_argument(
        "--replace", action="store_true",
        help="drop all records of FILE but those of this run (with --add: but those that it asks for), if none fails",
    )  # fmt: skip


def _run(options: argparse.Namespace) -> None:
    from dmesr_core.experiments import grids
    from dmesr_core.experiments.grid import jobs
    from dmesr_core.experiments.records import read_records
    from dmesr_core.experiments.sweep import results_file, run_grid

    if options.strict and not options.check:
        raise SettingsError("--strict belongs to --check: dmesr experiment --check --strict")
    if options.check:
        _check(options)
        return
    if options.list or not options.grid:
        for grid in grids.GRIDS.values():
            parts = grids.whole(grid)
            runs = sum(len(some) for part in parts for some in jobs(part).values())
            took = hours([results_file(part.name) for part in parts])
            say(f"{grid.name:<26} {runs:>4} runs  {f'{took:.1f} h' if took else 'none stored':>11}  {grid.title}")
        return
    parts = grids.whole(grids.get(options.grid, options.profile), options.profile)
    if options.out and len(parts) > 1:
        raise SettingsError(f"{options.grid} writes a file for each of its {len(parts)} parts: run one part with --out")
    written = options.profile != "smoke" or bool(options.out)
    files = {part.name: Path(options.out) if options.out else results_file(part.name) for part in parts}
    there: list[RunRecord] = []
    for file in files.values() if written else ():  # what is wrong with a file is said now, not after the trainings
        check_file(file, "--out")
        there += read_records(file) if file.is_file() else []
    records, failures = run_grid(
        options.grid, options.profile, options.data_dir or None, workers=options.workers, train=not options.stored,
        only=options.only, kept=there if options.add else (),
    )  # fmt: skip
    for part in parts:
        if not written:
            say(f"{part.name}: {len(records[part.name])} records; those of profile smoke are written with --out only")
            continue
        _merge(part, records[part.name], there, files[part.name], options.replace and not failures)
    for failure in failures:
        print(f"failed: {failure.what}: {failure.error}", file=sys.stderr)
    if failures:
        raise DataError(f"{len(failures)} trainings failed; the others are kept, the same command tries these again")


def _check(options: argparse.Namespace) -> None:
    """Say how fresh the records of a grid are, or those of all grids."""
    from dmesr_core.experiments import grids
    from dmesr_core.experiments.freshness import of_file
    from dmesr_core.experiments.sweep import results_file

    asked = [options.grid] if options.grid else [name for name, grid in grids.GRIDS.items() if not grid.parts]
    parts = [part for name in asked for part in grids.whole(grids.get(name, options.profile), options.profile)]
    if options.out and len(parts) > 1:
        raise SettingsError("--out names one file: name one grid without parts beside it")
    found = {part.name: of_file(part, options.out or results_file(part.name)) for part in parts}
    for name, state in found.items():
        say(f"{name}: {state}")
    present, wanted = sum(f.present for f in found.values()), sum(f.wanted for f in found.values())
    say(f"in all: {present} of {wanted} trainings by the present code ({present / wanted:.0%})")
    stale = [name for name, state in found.items() if not state.whole]
    if options.strict and stale:
        raise DataError(
            "not all records are by the present code, and of the experiments as they are now: "
            f"dmesr experiment {stale[0]} --replace makes those anew, and drops all others"
        )


def hours(files: Iterable[Path]) -> float:
    """How long the stored trainings of these files took, one after the other; files that do not exist count as 0."""
    lines = (line for file in files if file.is_file() for line in file.read_text(encoding="utf-8").splitlines())
    return sum(json.loads(line)["report"].get("seconds", 0.0) for line in lines) / 3600


def _merge(part: Grid, records: list[RunRecord], there: list[RunRecord], file: Path, replace: bool) -> None:
    """Merge the records of a run into their file; `there` are those that the file had before the run."""
    from dmesr_core.experiments.grid import jobs
    from dmesr_core.experiments.run import identity, identity_of
    from dmesr_core.experiments.sweep import merge_records

    stay = {identity_of(record) for record in records} if replace and records else None  # an empty run drops nothing
    # Those that were there are left alone: another command may have replaced them meanwhile.
    made = [record for record in records if record not in there]
    merged = merge_records(made, file, stay)
    wanted = {identity(job, data) for data, some in jobs(part).items() for job in some}
    say(
        f"{part.name}: {merged.added} added, {merged.replaced} replaced, {merged.kept} kept, {merged.dropped} dropped; "
        f"{file} has records of {len(wanted & merged.jobs)} of the {len(wanted)} trainings of the grid"
    )
    if others := len(merged.jobs - wanted):
        say(f"{part.name}: not of the grid as it is now: {others}; --add --replace would drop these")
