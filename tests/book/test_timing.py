"""Times of short computations."""

from __future__ import annotations

import itertools

from dmesr_core.book import timing


def test_calls_take_turns_and_the_shortest_run_counts(monkeypatch):
    durations = {"slow": iter([5.0, 3.0, 4.0]), "fast": iter([1.0, 2.0, 9.0])}
    now, order = 0.0, []

    def call(name):
        nonlocal now
        order.append(name)
        now += next(durations[name])

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    found = timing.shortest_times({name: lambda name=name: call(name) for name in durations}, repeats=3)
    assert found == {"slow": 3.0, "fast": 1.0}
    assert order == list(itertools.islice(itertools.cycle(durations), 6))
