"""How `model_parts.py` measures: time in alternating turns, ratios within turns, memory, speed of the machine."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import torch

from dmesr_core.book.narration.speed.rows import spread_of
from dmesr_core.provenance import PeakMemory


def alternate(works: dict[str, Callable[[], object]], turns: int, device: str = "cpu") -> dict[str, list[float]]:
    """Seconds of each of `works` in each turn. Each turn begins with another one; one more turn warms up before."""
    names, seconds = list(works), {name: [] for name in works}
    for turn in range(-1, turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took = timed(works[name], device)
            if turn >= 0:
                seconds[name].append(took)
    return seconds


def timed(work: Callable[[], object], device: str = "cpu") -> float:
    """Seconds that `work` takes, until the device has finished it."""
    began = now(device)
    work()
    return now(device) - began


def now(device: str) -> float:
    """Seconds on a clock with an arbitrary zero, read when the device has finished its work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def paired(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Median and range of the ratios within turns."""
    return spread_of([a / b for a, b in zip(above, below, strict=True)])


def extra_megabytes(work: Callable[[], object], device: str) -> float | None:
    """Peak memory during `work`, minus the memory in use before it; None where the system cannot tell."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # give freed memory back to the system: reusing it would not show as growth
    peak = PeakMemory()
    before = peak.megabytes()
    work()
    after = peak.megabytes()
    return None if before is None or after is None else after - before


def square_flops(device: str = "cpu", precision: str = "no", times: int = 20) -> float:
    """Operations per second of a product of two square matrices (median)."""
    size = 1024 if device == "cpu" else 8192
    a = torch.randn(size, size, device=device)
    a = a.bfloat16() if precision == "bf16" else a
    a @ a
    return 2 * size**3 / statistics.median(timed(lambda: a @ a, device) for _ in range(times))
