"""Measuring: turns alternate, ratios are paired within turns, memory counts what `work` holds."""

from __future__ import annotations

import pytest
import torch

from benchmarks import measuring


def test_works_alternate_and_the_turn_for_warm_up_does_not_count(monkeypatch):
    calls, now = [], [0.0]
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])

    def work(name, seconds):
        def run():
            calls.append(name)
            now[0] += 100 * seconds if len(calls) <= 2 else seconds

        return run

    seconds = measuring.alternate({"a": work("a", 1), "b": work("b", 3)}, turns=3)
    assert seconds == {"a": [1, 1, 1], "b": [3, 3, 3]}
    assert calls == ["b", "a", "a", "b", "b", "a", "a", "b"]


def test_ratios_are_taken_within_a_turn():
    found = measuring.paired([2.0, 30.0, 8.0], [1.0, 10.0, 2.0])
    assert found == {"median": 3.0, "low": 2.0, "high": 4.0, "turns": 3}


def test_memory_counts_what_work_holds_at_its_peak():
    found = measuring.extra_megabytes(lambda: torch.ones(20 * 2**20), "cpu")
    assert found is None or 60 < found < 120  # 84 MB


def test_the_speed_of_the_machine_is_operations_over_the_median_time(monkeypatch):
    times = iter([0.5, 1.0, 4.0])
    monkeypatch.setattr(measuring, "timed", lambda work, device: next(times))
    assert measuring.square_flops(times=3) == pytest.approx(2 * 1024**3)
