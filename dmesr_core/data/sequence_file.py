"""A sequence file: one line per user, `user item item ...`, a common format of the Amazon reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError

_FORM = "wanted one user per line, `user item item ...`, all as whole numbers"


def load_sequence_file(file: Path) -> Interactions:
    """The log of a file of lines `user item item ...`: items as numbers 1..N, in the order of time.

    Raises:
        DataError: no such file, no user in it, or a line that is not of this form.
    """
    if not file.is_file():
        raise DataError(f"{file}: there is no such file; {_FORM}")
    line_of: dict[int, int] = {}
    histories: list[list[int]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            user, *items = map(int, line.split())
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}; {_FORM}") from None
        if not items:
            raise DataError(f"{file}, line {number}: user {user} has no items; {_FORM}")
        if min(items) < 1:
            raise DataError(f"{file}, line {number}: item {min(items)}; items are numbered from 1")
        if user in line_of:  # which of the two came first, nobody could tell
            raise DataError(f"{file}, line {number}: user {user} is in line {line_of[user]} already; {_FORM}")
        line_of[user] = number
        histories.append(items)
    if not histories:
        raise DataError(f"{file}: no user is in it; {_FORM}")
    lengths = [len(items) for items in histories]
    every = np.concatenate(histories)
    times = np.concatenate([np.arange(length) for length in lengths])
    return Interactions.from_columns(np.repeat(list(line_of), lengths), every, times, int(every.max()))
