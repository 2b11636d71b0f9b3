"""How long trainings on different amounts of data may take, and how many of them ended at that limit."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from dmesr_core.experiments.records import RunRecord


class TrainingLength(NamedTuple):
    """Trainings on one amount of data."""

    max_steps: int  # of the training that may take most
    at_limit: int  # trainings whose last possible epoch was the best
    trainings: int


def training_lengths(records: Iterable[RunRecord], variants: Collection[str]) -> dict[int, TrainingLength]:
    """Training sequences -> how long the trainings of these variants may be, the smallest amount first."""
    by_amount: dict[int, list[RunRecord]] = {}
    for record in records:
        if record.report and record.get("variant") in variants:
            by_amount.setdefault(record.sizes["train_sequences"], []).append(record)
    return {amount: _length(by_amount[amount]) for amount in sorted(by_amount)}


def equally_long(lengths: Mapping[int, TrainingLength]) -> bool:
    """Whether trainings on all amounts may take as many steps, within 5%."""
    steps = [length.max_steps for length in lengths.values()]
    return max(steps) <= 1.05 * min(steps)


def _length(records: list[RunRecord]) -> TrainingLength:
    steps = [r.train["epochs"] * math.ceil(r.sizes["train_sequences"] / r.train["batch_size"]) for r in records]
    at_limit = sum(r.report["best_epoch"] + 1 == r.train["epochs"] for r in records)
    return TrainingLength(max(steps), at_limit, len(records))
