"""Benchmark numbers as text: medians with their range, lists of names, machines, tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from dmesr_core.book.narration.speed.rows import Row, Spread

MISSING = "(not measured yet)"


def with_range(spread: Spread | None, fmt: str = ".1f") -> str:
    """A median and its range: "16.1 (14.2 to 16.2)"; the median alone if there was one turn."""
    if spread is None:
        return MISSING
    if spread["turns"] == 1:
        return format(spread["median"], fmt)
    median, low, high = (format(spread[key], fmt) for key in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def with_mean(numbers: Sequence[float]) -> str:
    """A mean and its range: "0.0856 (0.0847–0.0865)"; the number alone if there is one."""
    if len(numbers) == 1:
        return f"{numbers[0]:.4f}"
    return f"{statistics.mean(numbers):.4f} ({min(numbers):.4f}–{max(numbers):.4f})"


def unique(words: Iterable[object]) -> str:
    """Each word once, in order of appearance, with commas between them."""
    return ", ".join(dict.fromkeys(str(word) for word in words))


def one_of(numbers: Iterable[object]) -> str:
    """Different values with "or" between them: "1 or 2"."""
    return " or ".join(str(number) for number in numbers)


def runs_each(runs: int) -> str:
    """How many runs every contender had."""
    return "one run each" if runs == 1 else f"{runs} runs each"


def threads(row: Row) -> str:
    """"1 thread", "2 threads"."""
    return f"{row['threads']} thread" + "s" * (row["threads"] > 1)


def measured_on(rows: Sequence[Row]) -> str:
    """Machines, numbers of threads and months of the rows."""
    if not rows:
        return "no machine yet"
    machines = unique("{cpu} with {cores} cores".format(**row["machine"]) for row in rows)
    counts = one_of(sorted({row["threads"] for row in rows}))
    months = sorted({row["date"][:7] for row in rows})
    when = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    return f"{machines}, with {counts} thread{'s' * (counts != '1')}, {when}"


def table(lines: Sequence[Mapping[str, Any]]) -> Styler:
    """A table for the page, without row numbers."""
    return pd.DataFrame(lines).style.hide(axis="index")
