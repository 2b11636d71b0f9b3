"""Time of short computations, for comparisons on a machine that also does other work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def shortest_times(calls: Mapping[str, Callable[[], object]], repeats: int = 30) -> dict[str, float]:
    """Seconds that each call takes, the shortest of `repeats` runs.

    The calls take turns, so that other load on the machine affects all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in seconds.items()}
