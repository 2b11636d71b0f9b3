"""The command `dmesr`: make the book, extract features of one's own catalogue, or run an experiment."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmesr_core import __version__
from dmesr_core.errors import BookError, DataError, SettingsError

if TYPE_CHECKING:  # so that the help does not load torch
    from dmesr_core.experiments.grid import Grid
    from dmesr_core.experiments.records import RunRecord


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the exit status: 0 done, 1 something failed (said on stderr), 2 the command line is wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except (DataError, SettingsError, BookError) as error:
        print(f"dmesr: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dmesr_core"):
            raise
        print(f"dmesr: {error}: install the book's tools, pip install 'dmesr-core[book]'", file=sys.stderr)
        return 1
    except OSError as error:  # a folder where a file should be, no right to write, a full disk
        print(f"dmesr: {f'{error.filename}: {error.strerror}' if error.filename else error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dmesr: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _book(options: argparse.Namespace) -> None:
    from dmesr_core.book.notebooks import read_value
    from dmesr_core.book.render import render
    from dmesr_core.book.runner import RunSettings, run_book

    more: dict[str, Any] = {}
    for pair in options.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set takes name=value, got {pair!r}")
        more[name] = read_value(value)
    usual = {key: getattr(options, key) for key in ("profile", "data", "data_dir", "mllm", "seed")}
    settings = RunSettings(Path(options.root), more=more, cell_timeout=options.cell_timeout, **usual)
    run_book(settings, options.only, say=_say)
    if options.only or options.no_render:
        _say(f"executed: {settings.executed}")
        return
    page, made = render(settings)
    _say(f"pages {'made' if made else 'up to date'}: open {page}")


def _extract(options: argparse.Namespace) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    from dmesr_core.data.catalogue import read_catalogue
    from dmesr_core.features.extract import extract_features

    catalogue = read_catalogue(options.folder)
    out = Path(options.out or options.folder)
    out.mkdir(parents=True, exist_ok=True)
    features = extract_features(catalogue, options.mllm)
    arrays = {key: getattr(features, key) for key in ("coarse_picture", "coarse_text", "fine", "fine_mask")}
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, out / "features.safetensors")
    _write_descriptions(out / "descriptions.csv", catalogue.ids, features)
    report = {key: value for key, value in features.report.items() if isinstance(value, (int, float)) and value}
    _say(", ".join(f"{key} {value:.4g}" for key, value in report.items()))
    for item, view, reason in features.report["fallbacks"][:20]:
        _say(f"item {item}, {view}: {reason}")
    _say(f"written: {out / 'features.safetensors'}, {out / 'descriptions.csv'}")


def _write_descriptions(file: Path, ids: tuple[str, ...], features: Any) -> None:
    import csv

    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("id", "picture", "text"))
        rows.writerows(zip(ids, features.descriptions_picture[1:], features.descriptions_text[1:], strict=True))


def _experiment(options: argparse.Namespace) -> None:
    from dmesr_core.experiments import grids
    from dmesr_core.experiments.grid import jobs
    from dmesr_core.experiments.records import read_records
    from dmesr_core.experiments.sweep import results_file, run_grid

    if options.list or not options.grid:
        for grid in grids.GRIDS.values():
            runs = sum(len(some) for part in grids.whole(grid) for some in jobs(part).values())
            _say(f"{grid.name:<26} {runs:>4} runs  {grid.title}")
        return
    parts = grids.whole(grids.get(options.grid, options.profile), options.profile)
    if options.out and len(parts) > 1:
        raise SettingsError(f"{options.grid} writes a file for each of its {len(parts)} parts: run one part with --out")
    written = options.profile != "smoke" or bool(options.out)
    files = {part.name: Path(options.out) if options.out else results_file(part.name) for part in parts}
    there: list[RunRecord] = []
    for file in files.values() if written else ():  # what is wrong with a file is said now, not after the trainings
        _check_writable(file)
        there += read_records(file) if file.is_file() else []
    records, failures = run_grid(
        options.grid, options.profile, options.data_dir or None, workers=options.workers, train=not options.stored,
        only=options.only, kept=there if options.add else (),
    )  # fmt: skip
    for part in parts:
        if not written:
            _say(f"{part.name}: {len(records[part.name])} records; those of profile smoke are written with --out only")
            continue
        _merge(part, records[part.name], there, files[part.name], options.replace and not failures)
    for failure in failures:
        print(f"failed: {failure.what}: {failure.error}", file=sys.stderr)
    if failures:
        raise DataError(f"{len(failures)} trainings failed; the others are kept, the same command tries these again")


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
    _say(
        f"{part.name}: {merged.added} added, {merged.replaced} replaced, {merged.kept} kept, {merged.dropped} dropped; "
        f"{file} has records of {len(wanted & merged.jobs)} of the {len(wanted)} trainings of the grid"
    )
    if others := len(merged.jobs - wanted):
        _say(f"{part.name}: not of the grid as it is now: {others}; --add --replace would drop these")


def _check_writable(file: Path) -> None:
    if file.is_dir():
        raise SettingsError(f"{file} is a folder: name the file in it that the records go to")
    if not file.parent.is_dir():
        raise SettingsError(f"{file}: there is no folder {file.parent}: make it, or name another file")
    try:
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise SettingsError(f"{file}: nothing can be written there ({error.strerror}); choose with --out") from None


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("dmesr", description=__doc__)
    parser.add_argument("--version", action="version", version=f"dmesr {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    book = verbs.add_parser("book", help="run the chapters that need it, then make the pages")
    book.set_defaults(do=_book)
    book.add_argument("--root", default=".", help="folder of the book, with _toc.yml (default: here)")
    book.add_argument("--profile", default="cpu", help="smoke, cpu or gpu (default: %(default)s)")
    book.add_argument("--data", default="bazaar", help="bazaar, movielens or folder (default: %(default)s)")
    book.add_argument("--data-dir", default="", help="folder of the data, for all but the bazaar")
    book.add_argument("--mllm", default="tiny", help="tiny, a hub name, or a folder (default: %(default)s)")
    book.add_argument("--seed", default=0, type=int, help="of everything (default: %(default)s)")
    book.add_argument("--only", nargs="+", default=[], metavar="CHAPTER", help="these chapters, as 03; no pages")
    book.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a further parameter")
    book.add_argument("--no-render", action="store_true", help="run the chapters, make no pages")
    book.add_argument("--cell-timeout", type=int, default=None, metavar="SECONDS", help="limit of one cell")

    extract = verbs.add_parser("extract", help="features of a catalogue: a folder with items.csv and pictures/")
    extract.set_defaults(do=_extract)
    extract.add_argument("folder", help="folder of the catalogue")
    extract.add_argument("--mllm", default="tiny", help="tiny, a hub name, or a folder (default: %(default)s)")
    extract.add_argument("--out", default="", help="where the features go (default: into the catalogue's folder)")

    experiment = verbs.add_parser("experiment", help="run a named experiment, or what is left of it")
    experiment.set_defaults(do=_experiment)
    experiment.add_argument("grid", nargs="?", default="", help="its name; without one, all are listed")
    experiment.add_argument("--list", action="store_true", help="list all experiments")
    experiment.add_argument("--profile", default="cpu", help="smoke: a tiny run on tiny data (default: %(default)s)")
    experiment.add_argument(
        "--data-dir", default="", help="folder of the data set, for all but the bazaar (default: below DMESR_DATA)"
    )
    experiment.add_argument("--workers", type=int, default=None, help="trainings side by side (default: one per core)")
    experiment.add_argument(
        "--out", default="", metavar="FILE",
        help="where the records go (default: into the package); a record takes the place of one of the same training, "
        "all other records of FILE stay",
    )  # fmt: skip
    experiment.add_argument(
        "--only", nargs="+", default=[], metavar="NAME",
        help="only these backbones, or variants; where both are named, these variants on these backbones",
    )  # fmt: skip
    experiment.add_argument(
        "--add", action="store_true", help="train only what FILE has no record of, whatever code made the records"
    )
    experiment.add_argument(
        "--stored", action="store_true", help="train nothing: write the records that are in the cache"
    )  # fmt: skip
    experiment.add_argument(
        "--replace", action="store_true",
        help="drop all records of FILE but those of this run (with --add: but those that it asks for), if none fails",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
