"""What the verbs write: lines, tables as text, and tables as files; places are checked before the work."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dmesr_core.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd


def say(line: str) -> None:
    """A result, on stdout."""
    print(line, flush=True)


def note(line: str) -> None:
    """What somebody should know beside the result, on stderr."""
    print(f"dmesr: {line}", file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether somebody watches: progress goes to a terminal only, never into a log file."""
    return sys.stderr.isatty()


def progress(line: str) -> None:
    """Where the work is, on stderr."""
    if on_terminal():
        note(line)


def check_table_file(file: str, flag: str) -> None:
    """Whether a table can be written to `file`; "" is no file.

    Raises:
        SettingsError: neither .csv nor .parquet, Parquet without pyarrow, or a place where nothing can be written.
    """
    if not file:
        return
    path = Path(file)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise SettingsError(f"{flag} {file}: name a file that ends in .csv or .parquet")
    if path.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise SettingsError(f"{flag} {file}: Parquet needs a package: pip install pyarrow, or name a .csv file")
    check_file(path, flag)


def check_file(file: Path, flag: str) -> None:
    """Whether `file` can be written.

    Raises:
        SettingsError: a folder, or in a folder that does not exist or cannot be written in.
    """
    if file.is_dir():
        raise SettingsError(f"{flag}: {file} is a folder: name the file in it")
    if not file.parent.is_dir():
        raise SettingsError(f"{flag}: {file}: there is no folder {file.parent}: make it, or name another file")
    check_folder(file.parent, flag)


def check_folder(folder: Path, flag: str) -> None:
    """Whether files can be written in `folder`, which is made.

    Raises:
        SettingsError: it cannot be made, or nothing can be written in it.
    """
    from dmesr_core.files import check_writable

    try:
        check_writable(folder)
    except SettingsError as error:
        raise SettingsError(f"{flag}: {error}") from None


def write_table(table: pd.DataFrame, file: str) -> None:
    """Write a table as CSV or Parquet, whole or not at all; ids stay as they are written."""
    from dmesr_core.files import write_atomically

    path = Path(file)
    if path.suffix.lower() == ".parquet":
        stream = io.BytesIO()
        table.to_parquet(stream, engine="pyarrow", index=False)
        write_atomically(path, stream.getvalue())
    else:
        write_atomically(path, table.to_csv(index=False, lineterminator="\n"))


def as_text(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Rows as aligned columns; those called `right` are aligned there."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, header, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
