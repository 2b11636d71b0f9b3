"""Many trainings, fairly compared: the same data, budget and seeds for every variant; each done once, then remembered.

A run is one variant with one seed. Its `Row` is kept on disk under a hash of all that made it, so a command or a
chapter that was interrupted goes on where it stopped, and what another one has trained is not trained again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dmesr_core import grids, paths, profiles
from dmesr_core.backbones import BackboneSettings
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluate import (
    full_words,
    groups,
    measured,
    model_scorer,
    popularity_scorer,
    rank_cases,
    rank_in_sample,
    sample_words,
)
from dmesr_core.grids import Grid, Job
from dmesr_core.provenance import PeakMemory, code_hash, commit, versions
from dmesr_core.ranking import DEFAULTS, Ranks, Scorer
from dmesr_core.rows import Row, complete, pack_kinds, pack_ranks, pack_units, read_rows, sizes_of, table, write_rows
from dmesr_core.sequences import Split
from dmesr_core.statistics import Result, stack
from dmesr_core.train import TrainSettings, fit
from dmesr_core.variants import VARIANTS, Material, Variant, build

__all__ = [
    "VARIANTS", "Failure", "Material", "Row", "Variant", "build", "compare_variants", "complete", "load_or_run",
    "read_rows", "results_file", "run", "run_grid", "run_jobs", "table", "test_ranks", "write_rows",
]  # fmt: skip

NEGATIVES, SAMPLE_SEED = 100, 0  # of the sampled protocol
RESULTS = Path(__file__).resolve().parent / "results"  # rows that come with the package


@dataclass(frozen=True)
class Failure:
    """A run that came to nothing."""

    what: str  # which one
    error: str  # why


def test_ranks(scorer: Scorer, split: Split) -> dict[str, tuple[Ranks, str]]:
    """Ranks of the test cases, and what was ranked in words, under three protocols.

    full: among all items, those of the history left out; unmasked: among all items; sampled: among 100 random items
    that are not in the history. The first is the book's; the other two are what many papers print.
    """
    n, unmasked = split.n_items, replace(DEFAULTS, mask_seen=False)
    sample, short = rank_in_sample(scorer, split.test, n, NEGATIVES, SAMPLE_SEED)
    return {
        "full": (rank_cases(scorer, split.test, n), full_words(n)),
        "unmasked": (rank_cases(scorer, split.test, n, unmasked), full_words(n, unmasked)),
        "sampled": (sample, sample_words(n, NEGATIVES, SAMPLE_SEED, short)),
    }


def run(
    name: str,
    variant: Variant,
    material: Material,
    backbone: BackboneSettings,
    train: TrainSettings,
    folder: str | Path | None,
) -> Row:
    """Train and test one variant with the seed of `train`; from `folder` where the same code did it before.

    `name` is what the variant is called in a table.
    """
    return _run(Job(name, variant, backbone, train), material, folder, commit())


def _run(job: Job, material: Material, folder: str | Path | None, made_in: str | None) -> Row:
    """As `run`; `made_in` is the commit of the code that runs."""
    stored = _stored(job, material, folder)
    if stored is not None:
        return stored
    memory, split, seed = PeakMemory(), material.split, job.train.seed
    report: dict[str, Any] = {}
    if job.variant.kind == "popularity":
        scorer, parameters = popularity_scorer(split.train_counts), 0
    else:
        model = build(job.variant, material, job.backbone, seed)
        report = asdict(fit(model, split, job.train, progress=False))
        scorer, parameters = model_scorer(model, split.n_items), sum(p.numel() for p in model.parameters())
    ranks = test_ranks(scorer, split)
    results = {
        protocol: measured(job.name, r, split.test, words, f"{split.name} test")
        for protocol, (r, words) in ranks.items()
    }
    row = Row(
        **_names(job, material), split=split.name, backbone=asdict(job.backbone), train=asdict(job.train), seed=seed,
        key=_key(job, material), code=code_hash(), fingerprint=material.fingerprint, sizes=sizes_of(split),
        protocols={protocol: result.protocol for protocol, result in results.items()},
        cases=len(split.test), metrics={protocol: result.mean() for protocol, result in results.items()},
        ranks={protocol: pack_ranks(r) for protocol, (r, _) in ranks.items()},
        units=pack_units(split.test.users), kinds=pack_kinds(groups(split, split.test)),
        report=report, parameters=parameters, peak_memory_mb=memory.megabytes(), threads=torch.get_num_threads(),
        device="cuda" if torch.cuda.is_available() else "cpu", versions=versions(), commit=made_in,
    )  # fmt: skip
    line = row.to_json()
    if folder is not None:
        file = _file(job, material, folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.tmp")
        part.write_text(line, encoding="utf-8")
        part.replace(file)  # a row is there whole or not at all
    return Row.from_json(line)  # so that a row is the same whether it was trained or read


def run_jobs(
    jobs: Sequence[tuple[Job, Material]],
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    train: bool = True,
) -> list[Row | Failure | None]:
    """Every job on its material, with one thread each, so that a row does not depend on how many run at once.

    Args:
        folder: where rows are kept.
        workers: processes side by side; None: one per CPU core, or one in all on a GPU.
        train: if False, only rows that are there already are given, None for the others.

    Returns:
        A row per job, or why there is none: one failure does not end the others.
    """
    done: list[Row | Failure | None] = [_stored(job, material, folder) for job, material in jobs]
    todo = [i for i, row in enumerate(done) if row is None]
    if not todo or not train:
        return done
    if workers is None:
        workers = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    bar = tqdm(total=len(todo), desc="trainings", disable=not progress, mininterval=1.0, leave=False)
    outcomes = _here_and_now if workers <= 1 or len(todo) == 1 else _in_workers
    with bar:
        for i, outcome in outcomes([(i, *jobs[i]) for i in todo], folder, min(workers, len(todo))):
            done[i] = outcome
            bar.update()
            bar.set_postfix_str(_called(*jobs[i]))
    return done


Numbered = tuple[int, Job, Material]


def _here_and_now(jobs: list[Numbered], folder: str | Path | None, workers: int) -> Iterator[tuple[int, Row | Failure]]:
    """The outcome of each numbered job, one after the other, in this process."""
    before, made_in = torch.get_num_threads(), commit()
    torch.set_num_threads(1)
    try:
        for i, job, material in jobs:
            yield i, _attempt(job, material, folder, made_in)
    finally:
        torch.set_num_threads(before)


def _in_workers(jobs: list[Numbered], folder: str | Path | None, workers: int) -> Iterator[tuple[int, Row | Failure]]:
    """The outcome of each numbered job as it comes, from processes side by side.

    All data travel once, with the start of a process; a job is then a few settings. All processes start at once and
    hold the code as it is at that time, so files may change while an experiment runs.
    """
    materials = list({id(material): material for _, _, material in jobs}.values())
    place = {id(material): k for k, material in enumerate(materials)}
    start = (materials, folder, commit(), code_hash())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, start)
    futures = {pool.submit(_work, job, place[id(material)]): (i, job, material) for i, job, material in jobs}
    try:
        for future in as_completed(futures):
            i, job, material = futures[future]
            try:
                yield i, future.result()
            except BrokenProcessPool:
                yield i, Failure(_called(job, material), "its process died; was there too little memory?")
    finally:
        running = not all(future.done() for future in futures)
        pool.shutdown(wait=not running, cancel_futures=True)
        if running:  # interrupted: what is half trained is lost, and nobody waits for it
            for process in multiprocessing.active_children():
                process.terminate()


_held: dict[str, Any] = {}  # what a worker process got at its start


def _start_worker(materials: list[Material], folder: str | Path | None, made_in: str | None, code: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process decides when it ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _held.update(materials=materials, folder=folder, made_in=made_in, same_code=code == code_hash())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job, place: int) -> Row | Failure:
    material = _held["materials"][place]
    if not _held["same_code"]:
        return Failure(_called(job, material), "the code changed after this command began: start it again")
    return _attempt(job, material, _held["folder"], _held["made_in"])


def _attempt(job: Job, material: Material, folder: str | Path | None, made_in: str | None) -> Row | Failure:
    try:
        return _run(job, material, folder, made_in)
    except Exception as error:  # whatever it is: the other rows must not be lost with this one
        return Failure(_called(job, material), f"{type(error).__name__}: {error}")


def run_grid(
    grid: str | Grid,
    profile: str = "cpu",
    data_dir: str | Path | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    train: bool = True,
) -> tuple[dict[str, list[Row]], list[Failure]]:
    """Run a grid, or what is left of it.

    Args:
        data_dir: folder of the data set, for grids that need one.
        folder: where rows are kept, by default `experiments` in the cache folder.
        train: if False, nothing is trained: the rows that are there already are given.

    Returns:
        Rows by grid (a grid of several parts gives those of each part), and what failed.

    Raises:
        SettingsError: an unknown grid, or data that is needed and was not named.
    """
    grid = grids.get(grid, profile) if isinstance(grid, str) else grid
    work: list[tuple[Job, Material]] = []
    for part in grids.whole(grid, profile):
        material = grids.materials(part, data_dir)
        work += [(job, material[data]) for data, some in grids.jobs(part).items() for job in some]
    work.sort(key=lambda pair: pair[0].train.seed)  # seed by seed, whatever the data
    outcomes = run_jobs(work, folder or paths.cache_dir() / "experiments", workers, progress, train)
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


def _called(job: Job, material: Material) -> str:
    share = "" if material.share == 1 else f", {material.share:.3g} of the shoppers"
    return f"{material.name}, {material.split.name}{share}: {job}"


def _names(job: Job, material: Material) -> dict[str, Any]:
    """The fields of a row that say what it is called; they have no part in what it came to."""
    variant = {"name": job.name, **asdict(job.variant)}
    return {"grid": job.grid, "data": material.name, "share": material.share, "variant": variant}


def _key(job: Job, material: Material) -> str:
    """Hash of all that decides a result, but for the code."""
    settings = [] if job.variant.kind == "popularity" else [asdict(job.backbone), asdict(job.train), torch.__version__]
    parts = [asdict(job.variant), material.known_to(job.variant), settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _file(job: Job, material: Material, folder: str | Path) -> Path:
    return Path(folder) / f"{_key(job, material)}-{code_hash()}.json"


def _stored(job: Job, material: Material, folder: str | Path | None) -> Row | None:
    """The row of a job under the names that it has now, if it was made before."""
    if folder is None or not _file(job, material, folder).exists():
        return None
    row = Row.from_json(_file(job, material, folder).read_text(encoding="utf-8"))
    return replace(row, **json.loads(json.dumps(_names(job, material))))
