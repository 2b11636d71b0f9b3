"""Trainings side by side: one thread each, one failure alone, and no process left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dmesr_core.grids import Job
from dmesr_core.provenance import code_hash, commit
from dmesr_core.rows import Row
from dmesr_core.trainings import called, run_job, stored_row
from dmesr_core.variants import Material

Numbered = tuple[int, Job, Material]


@dataclass(frozen=True)
class Failure:
    """A run that came to nothing."""

    what: str  # which one
    error: str  # why


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
    done: list[Row | Failure | None] = [stored_row(job, material, folder) for job, material in jobs]
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
            bar.set_postfix_str(called(*jobs[i]))
    return done


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
                yield i, Failure(called(job, material), "its process died; was there too little memory?")
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
        return Failure(called(job, material), "the code changed after this command began: start it again")
    return _attempt(job, material, _held["folder"], _held["made_in"])


def _attempt(job: Job, material: Material, folder: str | Path | None, made_in: str | None) -> Row | Failure:
    try:
        return run_job(job, material, folder, made_in)
    except Exception as error:  # whatever it is: the other rows must not be lost with this one
        return Failure(called(job, material), f"{type(error).__name__}: {error}")
