"""The file benchmarks/peers.json: reading, writing, and which of its rows new measurements replace."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from dmesr_core.files import write_atomically

from . import report


def read(path: Path) -> list[dict]:
    """The rows of a file; none if there is no file. Older files name machine, date and threads once for all rows."""
    content = json.loads(path.read_text()) if path.exists() else {"rows": []}
    shared = {key: content[key] for key in ("machine", "date", "threads") if key in content}
    return [shared | row for row in content["rows"]]


def write(rows: Sequence[dict], path: Path) -> None:
    """Write rows and their ratios."""
    content = {"benchmark": "peers", "ratios": report.ratios(rows), "rows": list(rows)}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def merged(before: Sequence[dict], rows: Sequence[dict], wanted: Iterable[tuple[str, str, str]]) -> list[dict]:
    """The rows `before`, where `rows` replace those of the same cell (data, model, phase), peer and turn.

    Args:
        wanted: the cell of each run that was asked for, done or not.
    """
    cells = {tuple(cell): group for *cell, group in report.grouped(before)}
    number = Counter(wanted)
    for *cell, new in report.grouped(rows):
        cells[*cell,] = _swapped(cells.get((*cell,), []), new, len(new) >= number[*cell,])
    return [row for group in cells.values() for row in group]


def _swapped(old: Sequence[dict], new: Sequence[dict], complete: bool) -> Sequence[dict]:
    """The rows of one cell. Speeds of another state of code or machine replace all turns of a peer, when complete."""
    if new[0]["phase"] == "speed":
        outdated = [row for row in old if report.state(row) != report.state(new[0])]
        if outdated and not complete:
            return old
        peers = {row["peer"] for row in new}
        old = [row for row in old if row not in outdated or row["peer"] not in peers]
    replaced = {(row["peer"], row["turn"]) for row in new}
    return [row for row in old if (row["peer"], row["turn"]) not in replaced] + list(new)
