"""Runs the chapters of the book with papermill: strictly, and only those whose inputs have changed.

Papermill alone accepts much: an unknown parameter, a missing `parameters` cell, a `sys.exit(0)` in the middle. Here
each of these is an error (see `notebooks`). A chapter whose inputs are those of its last run is skipped (see `stamps`).

A notebook with the metadata `{"dmesr": {"runs": "last"}}` runs after all others, wherever it stands in the table of
contents. Only such a notebook may read the run records of the others: these are then final, so that it need not run
again next time.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from dmesr_core import files, profiles, provenance
from dmesr_core.book import stamps
from dmesr_core.book.chapter import NUMBERS_FILE, RECORDS, check_settings
from dmesr_core.book.contents import chapters, choose
from dmesr_core.book.notebooks import check_executed, check_parameters, last_started, parameters, runs_last
from dmesr_core.errors import BookError, SettingsError

STAMP = ".stamp.json"  # ending of a chapter's stamp

# No progress bars, telemetry or advice about forks; the same hash order in every run.
_KERNEL_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm in other libraries looks for widgets
}


@dataclass(frozen=True)
class RunSettings:
    """Which book is run, with which parameters."""

    root: Path  # folder with _toc.yml
    profile: str = "cpu"  # smoke, cpu or gpu
    data: str = "bazaar"  # bazaar, movielens or folder
    data_dir: str = ""  # folder of the data; "" for the Bazaar
    mllm: str = "tiny"  # "tiny", a hub name, or a folder
    seed: int = 0  # of everything
    more: Mapping[str, Any] = field(default_factory=dict)  # further parameters, of the chapters that are run
    cell_timeout: int | None = None  # seconds per cell; None: no limit

    def __post_init__(self) -> None:
        if self.profile not in profiles.PROFILES:  # "" is none, though `profiles.get` has a default
            raise SettingsError(f"unknown profile {self.profile!r}: choose one of {', '.join(profiles.PROFILES)}")
        check_settings(self.data, self.data_dir, self.mllm, self.seed)
        for name in ("profile", "data", "data_dir", "mllm", "seed"):
            if name in self.more:
                raise SettingsError(f"{name} is a setting of its own: --{name.replace('_', '-')}, not --set")
        if self.cell_timeout is not None and self.cell_timeout < 1:
            raise SettingsError(f"cell_timeout must be at least 1 second, or None; got {self.cell_timeout!r}")

    @property
    def variant(self) -> str:
        """Name of the results' folder: the profile, then each parameter that differs from its default."""
        parts = [self.profile]
        parts += [self.data] if self.data != "bazaar" else []
        parts += [re.sub(r"[^\w.-]+", "-", self.mllm).strip("-")] if self.mllm != "tiny" else []
        parts += [f"seed-{self.seed}"] if self.seed else []
        return "-".join(parts)

    @property
    def build(self) -> Path:
        """Folder of everything that the book's commands make."""
        return self.root.resolve() / "_build"

    @property
    def executed(self) -> Path:
        """Folder of executed chapters, their numbers and their stamps."""
        return self.build / "executed" / self.variant

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that every chapter is run with."""
        # Chapters run in a folder of their own.
        data_dir = str(Path(self.data_dir).resolve()) if self.data_dir else ""
        mllm = str(Path(self.mllm).resolve()) if self.mllm != "tiny" and Path(self.mllm).is_dir() else self.mllm
        common = {"profile": self.profile, "data": self.data, "data_dir": data_dir, "mllm": mllm}
        return {**common, "seed": self.seed, **self.more}


def run_book(settings: RunSettings, wanted: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Run the chapters whose inputs changed, in the order of the contents; return how many ran.

    Args:
        settings: the book and its parameters.
        wanted: names of chapters, or their beginnings; all chapters when empty.
        say: receives each line of progress.

    Raises:
        SettingsError, DataError: before anything runs, when a chapter's parameters cell or a parameter is wrong, or
            the model cannot be had.
        BookError: at the first chapter that fails. Chapters that ran before it are kept and not run again.
    """
    chosen = choose(chapters(settings.root), wanted or [])
    for path in chosen:
        nb = nbformat.read(path, as_version=4)
        check_parameters(settings.parameters, parameters(nb, path.stem), path.stem)
    if settings.mllm != "tiny":
        from dmesr_core.features.mllm import MLLM  # here, because it loads torch

        MLLM.load(settings.mllm)
    chosen.sort(key=runs_last)
    ran = 0
    for number, path in enumerate(chosen, 1):
        place = f"[{number}/{len(chosen)}] {path.stem}"
        reason = stale(path, settings)
        if not reason:
            say(f"{place}: up to date")
            continue
        say(f"{place}: running ({reason})")
        seconds = run_chapter(path, settings)
        say(f"{place}: done in {seconds:.0f} s")
        ran += 1
    return ran


def stale(path: Path, settings: RunSettings) -> str:
    """Why the chapter must run, or "" (see `stamps.why_stale`)."""
    made = [settings.executed / f"{path.stem}{end}" for end in (".ipynb", ".json")]
    stamp = settings.executed / f"{path.stem}{STAMP}"
    return stamps.why_stale(stamp, chapter_inputs(path, settings), made, stamps.package_hashes())


def run_chapter(path: Path, settings: RunSettings) -> float:
    """Run one chapter in its own kernel, check it, and write notebook, numbers and stamp; return the seconds.

    Raises:
        BookError: the chapter failed; the partly executed notebook is kept as `*.failed.ipynb`.
    """
    name, folder = path.stem, settings.executed
    target, numbers, stamp = (folder / f"{name}{end}" for end in (".ipynb", ".json", STAMP))
    failed, report = folder / f"{name}.failed.ipynb", folder / f"{name}.kernel.tmp"
    work = settings.build / "work" / settings.variant
    for made in (folder, work):
        made.mkdir(parents=True, exist_ok=True)
    for old in (target, numbers, stamp, failed, report):
        old.unlink(missing_ok=True)

    # Before the run, so that an edit while it runs counts.
    inputs, package = chapter_inputs(path, settings), stamps.package_hashes()
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    nb = _execute(path, failed, report, numbers, work, settings)
    check_executed(nb, name)
    if not numbers.is_file():
        raise BookError(f"{name} wrote no numbers: its last cell must call finish()")
    kernel = json.loads(report.read_text(encoding="utf-8"))
    _check_kernel(kernel, path)
    report.unlink()
    failed.unlink()

    _tidy(nb)
    nbformat.write(nb, target)
    seconds = time.monotonic() - clock
    record = {
        "chapter": name,
        "started": started,
        "seconds": round(seconds, 1),
        "cells": sum(cell.cell_type == "code" for cell in nb.cells),
        "commit": provenance.commit(settings.root, ["."]),
        "device": kernel["device"],
        "versions": kernel["versions"],
        "inputs": inputs,
        "modules": stamps.used(kernel["loaded"], package),
        "read": kernel["read"],
        "outputs": {file.name: files.file_hash(file) for file in (target, numbers)},
    }
    files.write_json(stamp, record)
    return seconds


def _check_kernel(kernel: Mapping[str, Any], path: Path) -> None:
    """The kernel used this package, and read other chapters' records only if it runs last."""
    if Path(kernel["package"]) != stamps.PACKAGE:
        raise BookError(f"{path.stem} imported dmesr_core from {kernel['package']}, not from {stamps.PACKAGE}")
    records = [Path(file).name for file in kernel["read"] if file.endswith(STAMP)]
    if records and not runs_last(path):
        raise BookError(
            f"{path.stem} reads the run records of other chapters ({records[0]}), which may still change: "
            'add {"dmesr": {"runs": "last"}} to the metadata of the notebook'
        )


def chapter_inputs(path: Path, settings: RunSettings) -> dict[str, Any]:
    """What a run depends on besides the package: name, as in "... changed" -> value or hash."""
    facts: dict[str, Any] = {f"parameter {key}": value for key, value in settings.parameters.items()}
    facts["the notebook"] = files.file_hash(path)
    facts["the lock file"] = files.file_hash(settings.root / "requirements.lock")
    for key, value in (("the data folder", settings.data_dir), ("the model folder", settings.mllm)):
        if value and Path(value).is_dir():
            facts[key] = files.folder_hash(Path(value))
    return facts


def _execute(path: Path, output: Path, report: Path, numbers: Path, work: Path, settings: RunSettings) -> Any:
    """Execute a notebook, with an added last cell that reports on the kernel; return it as executed.

    Raises:
        BookError: a cell failed or took too long, or the kernel died.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import remove_error_markers

    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    ending = f"from dmesr_core.book.stamps import report_kernel\nreport_kernel({str(report)!r})"
    nb.cells.append(nbformat.v4.new_code_cell(ending, metadata={"tags": ["runner"]}))
    prepared = work / f"{path.stem}.prepared.ipynb"
    nbformat.write(nb, prepared)
    others = [each.stem for each in chapters(settings.root) if each != path and not runs_last(each)]
    environment = {
        **_KERNEL_ENVIRONMENT,
        "DMESR_PROFILE": settings.profile,
        "DMESR_CACHE": str(files.cache_dir()),  # also where the environment names it from the working folder
        NUMBERS_FILE: str(numbers),
        RECORDS: os.pathsep.join(str(settings.executed / f"{each}{STAMP}") for each in others),
    }
    problem: Exception | None = None
    try:
        with _environment(environment):
            papermill.execute_notebook(
                _literal(prepared),
                _literal(output),
                parameters=settings.parameters,
                kernel_name="python3",
                cwd=str(work),
                progress_bar=os.isatty(2),
                execution_timeout=settings.cell_timeout,
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only, not how a kernel is reached
            )
    except Exception as error:  # a failing cell, a dead kernel or a timeout
        problem = error
    finally:
        prepared.unlink()
    nb = remove_error_markers(nbformat.read(output, as_version=4)) if output.is_file() else nb
    if problem is not None:
        if isinstance(problem, PapermillExecutionError):
            check_executed(nb, path.stem)  # says which cell failed, and how
        what = {
            "DeadKernelError": "the kernel died; was there enough memory?",
            "CellTimeoutError": f"took longer than {settings.cell_timeout} s",
        }.get(type(problem).__name__, f"{type(problem).__name__}: {problem}")
        raise BookError(f"{last_started(nb, path.stem)}: {what}") from problem
    return nb


def _tidy(nb: Any) -> None:
    """Remove the added last cell and papermill's metadata from an executed notebook."""
    nb.cells = [cell for cell in nb.cells if "runner" not in cell.metadata.get("tags", [])]
    nb.metadata.pop("papermill", None)
    for cell in nb.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("remove-cell")


def _literal(path: Path) -> str:
    """A path for papermill, which treats `{...}` in it as a placeholder."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the kernels started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
