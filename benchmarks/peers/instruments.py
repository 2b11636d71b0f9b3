"""Instruments: the clock of training, the shared ranking, peak memory and the speed of the machine.

Runs inside each framework's own environment, so it imports nothing but numpy and torch.
"""

from __future__ import annotations

import math
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from .common import Peer, RunSettings


class TimeUp(Exception):
    """Ends a training loop that offers no other way to stop it."""


class Clock:
    """Measures training from its first batch; speed is measured after the warm-up.

    A "step" is an optimizer step, or an epoch if the training loop reports epochs only.
    """

    def __init__(self, settings: RunSettings, warm_up: int | None = None, steps: int | None = None):
        self.limit, self.phase, self.threads = settings.seconds, settings.phase, settings.threads
        self.warm_up = settings.warm_up if warm_up is None else warm_up
        self.at_least = settings.steps if steps is None else steps
        self.began: float | None = None
        self.began_at = math.nan  # the same moment in seconds since 1970, comparable with other processes
        self.seen, self.elapsed = 0, 0.0
        self.marks: list[tuple[float, int, int]] = []  # (seconds, rows, targets) since the end of the warm-up
        self.rows = self.targets = 0

    def start(self) -> None:
        """Call before the first batch; later calls do nothing."""
        if self.began is None:
            torch.set_num_threads(self.threads)  # some frameworks change it
            self.began, self.began_at = time.perf_counter(), time.time()

    def step(self, rows: int, targets: int) -> bool:
        """Call after each step with its numbers of rows (histories) and predicted positions. Is the time up?"""
        assert self.began is not None
        self.elapsed = time.perf_counter() - self.began
        self.seen, self.rows, self.targets = self.seen + 1, self.rows + rows, self.targets + targets
        if self.seen >= self.warm_up:
            self.marks.append((self.elapsed, self.rows, self.targets))
        return self.is_up

    @property
    def is_up(self) -> bool:
        enough = self.phase != "speed" or len(self.marks) > self.at_least
        return enough and self.elapsed >= self.limit

    def speed(self) -> dict[str, float]:
        """Rows and targets per second, and seconds per step, after the warm-up."""
        if len(self.marks) < 2:
            return {}
        (t0, rows0, targets0), (t1, rows1, targets1) = self.marks[0], self.marks[-1]
        span = t1 - t0
        speed = {"rows_per_second": (rows1 - rows0) / span, "seconds_per_step": span / (len(self.marks) - 1)}
        if targets1 > targets0:  # else they were not counted
            speed["targets_per_second"] = (targets1 - targets0) / span
        return speed


@dataclass(frozen=True)
class Ranked:
    """Ranks of the targets of C cases, and the time to compute them."""

    greater: np.ndarray  # (C,) items that score higher than the target
    ties: np.ndarray  # (C,) items that score the same, the target included
    greater_masked: np.ndarray  # the same without the items of the history
    ties_masked: np.ndarray
    score_seconds: float
    count_seconds: float  # of the ranking without masking


def rank(peer: Peer, histories: list[np.ndarray], targets: np.ndarray, batch_size: int = 256) -> Ranked:
    """Rank each target among all items by the scores of `peer.score`: the same code for all frameworks.

    Items without a column rank below all others; a target without a column is the very last.
    """
    counts = np.zeros((4, len(targets)), np.int64)
    began = time.perf_counter()
    peer.prepare_scoring()
    scoring, counting = time.perf_counter() - began, 0.0
    columns = peer.columns
    for start in range(0, len(targets), batch_size):
        batch = histories[start : start + batch_size]
        began = time.perf_counter()
        with torch.no_grad():
            scores = peer.score(batch).numpy()  # (B, C)
        scored = time.perf_counter()
        wanted = columns[targets[start : start + batch_size]]  # (B,)
        bars = np.where(wanted >= 0, scores[np.arange(len(batch)), wanted], np.float32(-np.inf))
        for at, (row, bar) in enumerate(zip(scores, bars, strict=True), start=start):
            counts[0, at], counts[1, at] = np.count_nonzero(row > bar), np.count_nonzero(row == bar)
        scoring, counting = scoring + scored - began, counting + time.perf_counter() - scored
        for at, (row, bar, history) in enumerate(zip(scores, bars, batch, strict=True), start=start):
            seen = np.unique(history[history != targets[at]])
            seen = row[columns[seen][columns[seen] >= 0]]
            counts[2, at] = counts[0, at] - np.count_nonzero(seen > bar)
            counts[3, at] = counts[1, at] - np.count_nonzero(seen == bar)
    counts[1::2][:, columns[targets] < 0] = 1  # a target without a column ties with itself only
    return Ranked(*counts, scoring, counting)


def quality(greater: np.ndarray, ties: np.ndarray, k: int = 10) -> dict[str, float]:
    """Mean HR@k and NDCG@k; tied items are in random order, so each case counts by its expected value."""
    gain = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])  # sum of the gains of the first ranks
    first, last = np.minimum(greater, k), np.minimum(greater + ties, k)
    return {
        f"hr@{k}": float(((last - first) / ties).mean()),
        f"ndcg@{k}": float(((gain[last] - gain[first]) / ties).mean()),
    }


def square_gflops(size: int = 1024, seconds: float = 0.6) -> float:
    """Billions of floating-point operations per second of a product of two square matrices (median)."""
    a = torch.randn(size, size)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 5:
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * size**3 / float(np.median(times)) / 1e9


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would report the memory of the parent process if that was larger.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
