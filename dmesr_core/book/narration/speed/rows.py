"""Rows of benchmark files: selection, numbers taken from them, medians and ranges.

A row is one measurement: a dictionary as `benchmarks/peers.json` and `benchmarks/model.json` hold them. A spread is
the median and the range of a number over repeated measurements: `{"median", "low", "high", "turns"}`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Spread = Mapping[str, Any]


def select(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows in which every named field has the given value."""
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def value(row: Row, key: str) -> Any:
    """The field `key` of a row, None where it is missing. A dot goes one level down: "quality.ndcg@10"."""
    found: Any = row
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def median_of(rows: Iterable[Row], key: str) -> float | None:
    """Median of a field over the rows that have it; None where no row has it."""
    numbers = [number for row in rows if (number := value(row, key)) is not None]
    return statistics.median(numbers) if numbers else None


def spread_of(numbers: Sequence[float], center: float | None = None) -> dict[str, float]:
    """Range of the numbers around their median, or around another `center`."""
    median = statistics.median(numbers) if center is None else center
    return {"median": median, "low": min(numbers), "high": max(numbers), "turns": len(numbers)}


def learning_rate(row: Row) -> float:
    """The learning rate of a run. Settings of our own (`--ours`) apply in quality runs, not in speed runs."""
    own = row.get("train_settings", {}) if row["phase"] != "speed" else {}
    return own["learning_rate"] if "learning_rate" in own else row["learning_rate"]


def product_share(row: Row) -> float | None:
    """Share of the machine's square matrix product that a training run reaches; None where a number is missing.

    Operations of an epoch: 3 products (scores and the gradients of both factors) x 2 (multiply, add) x targets x items
    of the softmax x width. The rest of the work counts as none, so the true share is higher.
    """
    keys = ("targets_per_epoch", "softmax_items", "width", "seconds_per_epoch")
    if not all(row.get(key) for key in keys):
        return None
    targets, items, width, seconds = (row[key] for key in keys)
    return 6 * targets * items * width / seconds / 1e9 / statistics.mean((row["gflops_before"], row["gflops_after"]))
