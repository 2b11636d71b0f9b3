"""The file of rows: what stays in it when something is measured again, and what takes its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import report


def read(path: Path) -> list[dict]:
    """The rows of a file; none if there is no file. Older files say machine, date and threads once for all rows."""
    content = json.loads(path.read_text()) if path.exists() else {"rows": []}
    of_all = {key: content[key] for key in ("machine", "date", "threads") if key in content}
    return [of_all | row for row in content["rows"]]


def write(rows: Sequence[dict], path: Path) -> None:
    """Rows and ratios, replaced as a whole: an interruption leaves the file of the run before."""
    content = {"benchmark": "peers", "ratios": report.ratios(rows), "rows": list(rows)}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)


def merged(before: Sequence[dict], rows: Sequence[dict], wanted: Iterable[tuple[str, str, str]]) -> list[dict]:
    """What the file holds next: `before`, with `rows` in the place of those of the same cell, peer and turn.

    Args:
        wanted: the cell (data, model, phase) of each run that was asked for, whether it is done or not.
    """
    cells = {tuple(cell): group for *cell, group in report.grouped(before)}
    number = Counter(wanted)
    for *cell, new in report.grouped(rows):
        cells[*cell,] = _swapped(cells.get((*cell,), []), new, len(new) >= number[*cell,])
    return [row for group in cells.values() for row in group]


def _swapped(old: Sequence[dict], new: Sequence[dict], complete: bool) -> Sequence[dict]:
    """The rows of one cell. Speeds of another state of code or machine wait, and then all turns of a peer change."""
    if new[0]["phase"] == "speed":
        strange = [row for row in old if report.state(row) != report.state(new[0])]
        if strange and not complete:
            return old
        peers = {row["peer"] for row in new}
        old = [row for row in old if row not in strange or row["peer"] not in peers]
    taken = {(row["peer"], row["turn"]) for row in new}
    return [row for row in old if (row["peer"], row["turn"]) not in taken] + list(new)
