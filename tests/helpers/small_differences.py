"""Differences with made-up intervals, one per verdict."""

from __future__ import annotations

from dmesr_core.evaluation.bootstrap import Paired

BETTER = Paired(0.02, 0.01, 0.03, 0.001)
WORSE = Paired(-0.02, -0.03, -0.01, 0.001)
UNDECIDED = Paired(0.01, -0.01, 0.03, 0.4)


def scaled(change: Paired, factor: float) -> Paired:
    """The same verdict with a difference and an interval `factor` times as large."""
    return Paired(change.diff * factor, change.low * factor, change.high * factor, change.p)
