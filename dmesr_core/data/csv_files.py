"""Reading CSV files: every cell as text, every error with file and row.

Rows are numbered from 1 without the header, so row 1 is the first item or event; blank lines are not counted.
"""

from __future__ import annotations

import csv
import logging
import math
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from dmesr_core.errors import DataError

_log = logging.getLogger(__name__)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_BOM = "\ufeff"  # byte order mark: invisible; where files were joined, it also stands in the middle
_LONGEST_CELL = 2**31 - 1  # the csv module's default refuses cells of more than 131,072 characters


class _Header(NamedTuple):
    names: list[str]  # without surrounding spaces; an unnamed column is ""
    separator: str

    @property
    def width(self) -> int:
        """Cells that each row needs: empty names at the end of a header are not counted."""
        return max((k for k, name in enumerate(self.names, start=1) if name), default=0)


class _Span(NamedTuple):
    row: int
    start: int  # its first line, from 1
    end: int  # the line after its last one


def read_table(path: str | Path, required: Iterable[str], hint: str = "") -> pd.DataFrame:
    """Read a UTF-8 CSV file with a header; all cells are strings, an empty cell is "".

    No types are guessed: "NA", "nan" and "007" stay as they are (a film may be called "NaN"). Cells may also be
    separated by semicolons, tabs or pipes: by what the header shows, which is then said (`logging`).

    Args:
        path: the file.
        required: names of the columns that must exist; all others are read too.
        hint: a sentence added to the message about a missing file or column.

    Raises:
        DataError: missing or unreadable file, not UTF-8, missing or doubled columns, a header that is repeated further
            down, rows with too few or too many cells, a quote that is not closed.
    """
    path, required = Path(path), list(required)
    short: list[int] | None = None
    try:
        header = _read_header(path, required)
        _check_columns(path, header, required, hint)
        if _holds_quotes(path):  # pandas reads on to the next quote, wherever it stands, and says nothing
            short = _check_rows(path, header)
        table = _parse(path, header)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file. {hint}".rstrip()) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: {_not_utf8(path)}; save the file as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    # pandas fills short rows with empty cells without a warning, so a truncated file would pass.
    if short is None and len(table) and (table.iloc[:, -1] == "").any():
        short = _check_rows(path, header)
    if short:
        raise DataError(
            f"{path}: {name_rows(short)} {'has' if len(short) == 1 else 'have'} fewer cells than the header "
            f"({header.width}); was the file cut off?"
        )
    first, *others = table.columns.tolist()
    maybe = rows_where(table.iloc[:, 0].isin([first, _BOM + first])).tolist()
    if again := [row for row in maybe if [cell.strip() for cell in table.iloc[row - 1].tolist()[1:]] == others]:
        raise DataError(f"{path}: {name_rows(again)}: the header again; were files joined? Delete the row")
    if header.separator != ",":
        _log.warning("%s: cells are separated by %s, and read so", path, _SEPARATORS[header.separator])
    return table


def clean_id(value: object) -> str:
    """An id as a string without surrounding spaces; "" for a missing id (empty, None or NaN).

    Whole numbers stored as floats (5.0) are written as whole numbers. Byte order marks and null bytes are dropped.
    """
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    if _BOM in text or "\0" in text:
        text = text.replace(_BOM, "").replace("\0", "")
    text = text.strip()
    return "" if text.lower() == "nan" else text  # a missing number that was converted to text


def name_rows(rows: Iterable[int], limit: int = 5) -> str:
    """Rows in words: "row 3", or "rows 3, 7, 9, 12, 15 and 40 more"; `rows` are numbered from 1."""
    rows = [int(row) for row in rows]
    text = ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows[:limit]))
    return text + (f" and {len(rows) - limit:,} more" if len(rows) > limit else "")


def rows_where(mask: np.ndarray | pd.Series) -> np.ndarray:
    """Row numbers, from 1, where the boolean array `mask` (n,) is true."""
    return np.flatnonzero(np.asarray(mask)) + 1


def shown(value: object, length: int = 60) -> str:
    """A value as a message shows it: as quoted text, cut to its start."""
    text = str(value)
    return repr(text if len(text) <= length else text[:length] + "…")


def _names(names: Iterable[str], limit: int = 30) -> str:
    names = list(names)
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(shown(name) for name in names[:limit]) + more


def _read_header(path: Path, required: list[str]) -> _Header:
    """Names of the columns, split by the sign that gives most of the `required` ones, else most columns."""
    headers, open_quote = [], False
    for sign in _SEPARATORS:  # commas come first, so they win where nothing else is better
        with path.open(encoding="utf-8-sig", newline="") as file:
            try:
                first = next((row for row in csv.reader(file, delimiter=sign, strict=True) if not _is_blank(row)), None)
            except csv.Error:
                open_quote = True
                continue
        if first is None:
            raise DataError(f"{path}: the file is empty; it needs a header with {_names(required)}")
        headers.append(_Header([name.replace(_BOM, "").strip() for name in first], sign))
    header = max(headers, key=lambda h: (len(set(required) & set(h.names)), len(h.names)), default=None)
    if header is None or (open_quote and not set(required) & set(header.names)):
        raise DataError(f"{path}: the header holds a quote that is not closed, or text after a closing quote")
    if any("\0" in name for name in header.names):
        raise DataError(f"{path}: the header holds null bytes: is this a text file in UTF-16? Save it as UTF-8")
    return header


def _check_columns(path: Path, header: _Header, required: list[str], hint: str) -> None:
    """DataError if a column is missing or there twice.

    Names of columns that are needed are compared as a reader sees them: without upper and lower case, wide letters and
    signs that are not shown, and without the ".1" that pandas adds to a doubled name. Which of the two is meant is for
    the owner of the file to say.
    """
    names = header.names
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    for wanted in required:
        alike = [name for name in names if _as_seen(re.sub(r"\.\d+$", "", name)) == _as_seen(wanted)]
        twice += [wanted] if wanted in alike and len(alike) > 1 and wanted not in twice else []
    if twice:
        raise DataError(
            f"{path}: the column {shown(twice[0])} is there twice; found {_names(names)}. "
            "Rename or delete one of the two"
        )
    missing = [name for name in required if name not in names]
    if missing:
        other = _SEPARATORS[header.separator]
        raise DataError(
            f"{path}: lacks the column{'s' * (len(missing) > 1)} {_names(missing)}; "
            f"found {_names(names)}{f' (separated by {other})' if other != 'commas' else ''}, "
            f"wanted {_names(required)}. {hint}".rstrip()
        )


def _as_seen(name: str) -> str:
    """The name without upper and lower case, wide letters, and signs that are not shown."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf").strip()


def _parse(path: Path, header: _Header) -> pd.DataFrame:
    """The table as pandas reads it, with clean names and without unnamed columns at the end."""
    try:
        with warnings.catch_warnings():  # pandas only warns when the first row is longer than the header
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path, sep=header.separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
            )
    except (pd.errors.ParserWarning, pd.errors.ParserError) as error:
        _check_rows(path, header)  # names the row; pandas only counts lines
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise DataError(f"{path}: not a proper CSV file: {reason}") from None
    table = table.iloc[:, : header.width]
    table.columns = pd.Index(
        [name or str(given) for name, given in zip(header.names, table.columns, strict=False)], dtype=object
    )
    return table


def _holds_quotes(path: Path) -> bool:
    """Whether there is any quote in the file, which UTF-8 writes as this one byte and uses it for nothing else."""
    with path.open("rb") as file:
        return any(b'"' in block for block in iter(lambda: file.read(1 << 20), b""))


def _check_rows(path: Path, header: _Header) -> list[int]:
    """Numbers of the rows with too few cells.

    A row whose quotes are proper, but each of whose lines looks like a row of its own, is said: a missing quote may
    have swallowed rows up to the next one.

    Raises:
        DataError: a row with too many cells; a quote that is not closed: after a closing one comes neither a separator
            nor the end of the line.
    """
    short: list[int] = []
    suspects: list[_Span] = []
    least, most, sign = header.width, len(header.names), header.separator
    row, start = -1, 1  # the header is row 0; `start` is the first line of the present row
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=sign, strict=True)
            for cells in reader:
                first, start = start, reader.line_num + 1
                if len(cells) < 2 and _is_blank(cells):
                    continue
                row += 1
                if len(cells) < least:
                    short.append(row)
                elif len(cells) > most:
                    raise DataError(
                        f"{path}: row {row} (line {first}) has more cells than the header ({len(cells)}, not "
                        f"{most}); quote cells that hold {_SEPARATORS[sign]}"
                    )
                elif start - first > 1 and "".join(cells).count(sign) == (start - first - 1) * (most - 1):
                    suspects.append(_Span(row, first, start))  # as many separators as so many rows would have
    except csv.Error:
        ((_, lines),) = _lines(path, [_Span(row + 1, start, reader.line_num + 1)])
        raise DataError(f"{path}: {_open_quote(row + 1, start, lines, header)}") from None
    finally:
        csv.field_size_limit(limit)
    if like_many := [span for span, lines in _lines(path, suspects) if _are_like_rows(lines, header)]:
        row, first, start = like_many[0]
        _log.warning(
            "%s: row %d is one row of %d lines (from line %d)%s, each of which looks like a row: is a quote (\") "
            "missing or too many there?", path, row, start - first, first,
            f", like {len(like_many) - 1:,} other rows" if len(like_many) > 1 else "",
        )  # fmt: skip
    return short


def _lines(path: Path, spans: list[_Span]) -> Iterator[tuple[_Span, list[str]]]:
    """The lines of each of some rows in the order of the file."""
    place = 1
    if spans:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for span in spans:
                yield span, list(islice(file, span.start - place, span.end - place))
                place = span.end


def _is_blank(cells: list[str]) -> bool:
    """Whether pandas skips this line."""
    return not cells or (len(cells) == 1 and not cells[0].strip(" \t"))


def _are_like_rows(lines: list[str], header: _Header) -> bool:
    """Whether each line has as many cells as the header, if quotes are not looked at; prose has spaces after commas."""
    rows = [line.rstrip("\r\n").split(header.separator) for line in lines]
    spaced = any(cell.startswith(" ") for cells in rows for cell in cells)
    return not spaced and all(len(cells) == len(header.names) > 1 for cells in rows)


def _open_quote(row: int, start: int, lines: list[str], header: _Header) -> str:
    """Which quote of the row that begins in the line `start` is not closed, and what follows the next quote."""
    sign, text = re.escape(header.separator), "".join(lines)
    whole = re.compile(rf'(?:"(?:[^"]|"")*"|[^"{sign}][^{sign}]*)?{sign}')
    end = cell = 0
    while found := whole.match(text, end):
        end, cell = found.end(), cell + 1
    name = shown(header.names[cell]) if cell < len(header.names) else f"number {cell + 1}"
    place = f"row {row} (line {start})" if row else f"the header (line {start})"
    closed = re.compile(r'"(?:[^"]|"")*"').match(text, end)
    last = start + len(lines) - 1
    follows = f"the next quote, in line {last}, is followed by {text[closed.end() :][:20].strip()!r}" if closed else (
        f"the file ends (line {last}) before it is closed"
    )  # fmt: skip
    return (
        f"{place}: the quote that opens the cell {name} ({text[end : end + 20].splitlines()[0]}) is not closed: "
        f'{follows}. Close it there, and write quotes within a cell doubled ("")'
    )


def _not_utf8(path: Path) -> str:
    """Names the line with the first byte that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number} holds the byte 0x{line[error.start]:02x}, which is not UTF-8"
    return "the file is not UTF-8"
