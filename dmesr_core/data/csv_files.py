"""Reading CSV files: every cell as text, every error with file and row.

Rows are numbered from 1 without the header, so row 1 is the first item or event.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from dmesr_core.errors import DataError


def read_table(path: str | Path, required: Iterable[str], hint: str = "") -> pd.DataFrame:
    """Read a UTF-8, comma-separated file with a header; all cells are strings, an empty cell is "".

    No types are guessed: "NA", "nan" and "007" stay as they are (a film may be called "NaN").

    Args:
        path: the file.
        required: names of the columns that must exist; all others are read too.
        hint: a sentence added to the message about a missing file or column.

    Raises:
        DataError: missing or unreadable file, not UTF-8, missing columns, rows with too few or too many
            cells, a quoted cell without end.
    """
    path, required = Path(path), list(required)
    try:
        with warnings.catch_warnings():  # pandas only warns when the first row is longer than the header
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file. {hint}".rstrip()) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: {_not_utf8(path)}; save the file as UTF-8") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file is empty; it needs a header with {_names(required)}") from None
    except pd.errors.ParserWarning:
        raise DataError(f"{path}: row 1 has more cells than the header; quote cells that hold commas") from None
    except pd.errors.ParserError as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise DataError(
            f"{path}: not a proper CSV file: {reason} (is it cut off, or is a cell with a comma or a quote not quoted?)"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    table.columns = table.columns.str.strip()
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: lacks the column{'s' * (len(missing) > 1)} {_names(missing)}; "
            f"found {_names(table.columns)}, wanted {_names(required)}.{_other_separator(table)} {hint}".rstrip()
        )
    # pandas fills short rows with empty cells without a warning, so a truncated file would pass.
    if len(table) and (table.iloc[:, -1] == "").any():
        short = _short_rows(path, len(table.columns))
        if short:
            raise DataError(
                f"{path}: {name_rows(short)} {'has' if len(short) == 1 else 'have'} fewer cells than the header "
                f"({len(table.columns)}); was the file cut off?"
            )
    return table


def clean_id(value: object) -> str:
    """An id as a string without surrounding spaces; "" for a missing id (empty, None or NaN).

    Whole numbers stored as floats (5.0) are written as whole numbers.
    """
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text.lower() == "nan" else text  # a missing number that was converted to text


def name_rows(rows: Iterable[int], limit: int = 5) -> str:
    """Rows in words: "row 3", or "rows 3, 7, 9, 12, 15 and 40 more"; `rows` are numbered from 1."""
    rows = [int(row) for row in rows]
    text = ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows[:limit]))
    return text + (f" and {len(rows) - limit:,} more" if len(rows) > limit else "")


def rows_where(mask: np.ndarray) -> np.ndarray:
    """Row numbers, from 1, where the boolean array `mask` (n,) is true."""
    return np.flatnonzero(np.asarray(mask)) + 1


def _names(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names)


def _other_separator(table: pd.DataFrame) -> str:
    """A sentence about cells that are not separated by commas; "" if they seem to be."""
    found = [name for name, sign in (("semicolons", ";"), ("tabs", "\t")) if sign in table.columns[0]]
    return f" The cells are separated by {found[0]}: save the file with commas." if found else ""


def _not_utf8(path: Path) -> str:
    """Names the line with the first byte that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number} holds the byte 0x{line[error.start]:02x}, which is not UTF-8"
    return "the file is not UTF-8"


def _short_rows(path: Path, width: int) -> list[int]:
    """Numbers of the rows with fewer than `width` cells."""
    limit = csv.field_size_limit(2**31 - 1)  # the default refuses cells of more than 131,072 characters
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = (row for row in csv.reader(file) if row)  # pandas skips blank lines, too
            next(rows)
            return [number for number, row in enumerate(rows, start=1) if len(row) < width]
    finally:
        csv.field_size_limit(limit)
