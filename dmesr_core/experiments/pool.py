"""Trainings in parallel processes: one thread each, failures isolated, and no process left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dmesr_core.experiments.grid import Job
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.run import describe, run_job, stored_record
from dmesr_core.provenance import code_hash, commit

Numbered = tuple[int, Job, Material]


@dataclass(frozen=True)
class Failure:
    """A training that failed."""

    what: str  # the training
    error: str


Outcome = tuple[int, RunRecord | Failure]


def run_jobs(
    jobs: Sequence[tuple[Job, Material]],
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    train: bool = True,
) -> list[RunRecord | Failure | None]:
    """Run every job on its material, one thread each, so that results do not depend on how many run in parallel.

    Args:
        folder: where records are kept.
        workers: processes side by side; None: one per CPU core that is ours, or one in all on a GPU.
        train: if False, only records that are there already are given, None for the others.

    Returns:
        A record per job, or why there is none: one failure does not end the others, nor does the death of a process.
        Its job is tried once more.
    """
    done: list[RunRecord | Failure | None] = [stored_record(job, material, folder) for job, material in jobs]
    todo = [i for i, record in enumerate(done) if record is None]
    if not todo or not train:
        return done
    if workers is None:
        workers = 1 if torch.cuda.is_available() else available_cores()
    bar = tqdm(total=len(todo), desc="trainings", disable=None if progress else True, mininterval=1.0, leave=False)
    outcomes = _here_and_now if workers <= 1 or len(todo) == 1 else _in_workers
    with bar:
        for i, outcome in outcomes([(i, *jobs[i]) for i in todo], folder, min(workers, len(todo))):
            done[i] = outcome
            bar.update()
            bar.set_postfix_str(describe(*jobs[i]))
    return done


def available_cores() -> int:
    """CPU cores that this process may use: in a container or under `taskset` fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _here_and_now(jobs: list[Numbered], folder: str | Path | None, workers: int) -> Iterator[Outcome]:
    """The outcome of each numbered job, one after the other, in this process."""
    before, code_commit = torch.get_num_threads(), commit()
    torch.set_num_threads(1)
    try:
        for i, job, material in jobs:
            yield i, _attempt(job, material, folder, code_commit)
    finally:
        torch.set_num_threads(before)


def _in_workers(jobs: list[Numbered], folder: str | Path | None, workers: int) -> Iterator[Outcome]:
    """The outcome of each numbered job as it comes, from parallel processes.

    When one process dies, the pool loses the others. Their jobs are tried again with one process fewer, because too
    little memory is the likely cause; a job is given up when its own process has died twice.
    """
    deaths: Counter[int] = Counter()
    left = {i: (job, material) for i, job, material in jobs}
    while left:
        fallen = yield from _until_one_dies(left, folder, min(workers, len(left)))
        if not left:
            return
        deaths.update(fallen)
        # A single process that dies before it takes a job would die again.
        hopeless = [i for i in left if deaths[i] >= 2 or (workers == 1 and not fallen)]
        for i in hopeless:
            yield i, Failure(describe(*left.pop(i)), "its process died; was there too little memory?")
        workers = max(1, workers - 1)
        if left:
            tqdm.write(f"the process of a training died: {workers} at a time from here on", file=sys.stderr)


def _until_one_dies(
    left: dict[int, tuple[Job, Material]], folder: str | Path | None, workers: int
) -> Generator[Outcome, None, list[int]]:
    """Outcomes of the jobs in `left`, each removed from it when it comes, until all are done or a process dies.

    Data are sent once, at the start of a process; a job is then a few settings. All processes start with the first
    jobs and keep the code of that time, so files may change while an experiment runs.

    Returns:
        The jobs whose process died.
    """
    materials = list({id(material): material for _, material in left.values()}.values())
    place = {id(material): k for k, material in enumerate(materials)}
    context = multiprocessing.get_context("spawn")
    at_work = context.RawArray("l", max(left) + 1)  # job number -> id of the process that took it, 0 before
    start = (materials, folder, commit(), code_hash(), at_work)
    pool = ProcessPoolExecutor(workers, context, _start_worker, start)
    futures: dict[Future[RunRecord | Failure], int] = {}
    others, processes = set(multiprocessing.active_children()), set[Any]()
    try:
        with suppress(BrokenProcessPool):  # a process can die during submission; its futures raise, too
            for i, (job, material) in left.items():
                futures[pool.submit(_work, i, job, place[id(material)])] = i
                # Submitting starts a process where none is idle. Ended ones are no longer listed, so look each time.
                processes.update(set(multiprocessing.active_children()) - others)
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenProcessPool:
                continue
            del left[futures[future]]
            yield futures[future], outcome
    finally:
        running = not all(future.done() for future in futures)
        pool.shutdown(wait=not running, cancel_futures=True)
        if running:  # interrupted: do not wait for unfinished trainings
            for process in processes:
                process.terminate()
    # When one process dies, the pool terminates the others with SIGTERM: their jobs are not to blame.
    dead = {process.pid for process in processes if process.exitcode != -signal.SIGTERM}
    return [i for i in left if at_work[i] in dead] or [i for i in left if at_work[i]]


_held: dict[str, Any] = {}  # what a worker process received at its start


def _start_worker(
    materials: list[Material], folder: str | Path | None, code_commit: str | None, code: str, at_work: Any
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process decides when this one ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _held.update(
        materials=materials, folder=folder, code_commit=code_commit, same_code=code == code_hash(), at_work=at_work
    )  # fmt: skip


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(number: int, job: Job, place: int) -> RunRecord | Failure:
    material = _held["materials"][place]
    _held["at_work"][number] = os.getpid()
    if not _held["same_code"]:
        return Failure(describe(job, material), "the code changed after this command began: start it again")
    return _attempt(job, material, _held["folder"], _held["code_commit"])


def _attempt(job: Job, material: Material, folder: str | Path | None, code_commit: str | None) -> RunRecord | Failure:
    try:
        return run_job(job, material, folder, code_commit)
    except Exception as error:  # any kind: one failure must not lose the other records
        return Failure(describe(job, material), f"{type(error).__name__}: {error}")
