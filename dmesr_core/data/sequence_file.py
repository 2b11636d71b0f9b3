"""A sequence file: one line per user, `user item item ...`, a common format of the Amazon reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError

_FORM = "wanted one user per line, `user item item ...`, all as whole numbers, separated by spaces"
_MOST_ITEMS = 100_000_000  # tables of items have a row for each number up to the largest


def load_sequence_file(file: Path) -> Interactions:
    """The log in a file of lines `user item item ...`: users and items as numbers (items 1..N), oldest item first.

    Such a file knows no times: the events of a user happen at 0, 1, 2, ..., and none is tied.

    Raises:
        DataError: the file does not exist, has no users, or has a line of another form.
    """
    if not file.is_file():
        raise DataError(f"{file}: {'this is a folder' if file.is_dir() else 'there is no such file'}; {_FORM}")
    line_of: dict[int, int] = {}
    histories: list[list[int]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            user, *history = map(int, line.split())
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {str(error)[:100]}; {_FORM}") from None
        if not history:
            raise DataError(f"{file}, line {number}: user {user} has no items; {_FORM}")
        if min(history) < 1:
            raise DataError(f"{file}, line {number}: item {min(history)}; items are numbered from 1")
        if max(history) > _MOST_ITEMS:
            raise DataError(
                f"{file}, line {number}: item {str(max(history))[:30]}; items are numbered from 1 without gaps, "
                f"and at most {_MOST_ITEMS:,} can be read"
            )
        if user in line_of:  # the order of the two lines in time is unknown
            raise DataError(f"{file}, line {number}: user {user} is in line {line_of[user]} already; {_FORM}")
        line_of[user] = number
        histories.append(history)
    if not histories:
        raise DataError(f"{file}: no user is in it; {_FORM}")
    lengths = [len(history) for history in histories]
    items = np.concatenate(histories)
    times = np.concatenate([np.arange(length) for length in lengths])
    return Interactions.from_columns(np.repeat(list(line_of), lengths), items, times, int(items.max()))
