"""Checks of a chapter's notebook: its parameters before it runs, and its cells and outputs after."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from dmesr_core.errors import BookError, SettingsError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # IPython colours its tracebacks
# A warning of Python as it prints them, "file.py:3: UserWarning: ...". What the package logs about a user's data (rows
# that were dropped, texts that were cut) is no warning, whatever words are in it.
_WARNING = re.compile(r"^(?:.*\.py|<[^>\n]*>|\S+):\d+: \w*Warning: .*$", re.MULTILINE)


def parameters(nb: NotebookNode, chapter: str) -> dict[str, Any]:
    """The chapter's parameters and their values, read from its cell tagged `parameters` without running it.

    Raises:
        SettingsError: no such cell, several, or one that holds more than `name = literal` lines.
    """
    cells = [c for c in nb.cells if c.cell_type == "code" and "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise SettingsError(f"{chapter}: one code cell must be tagged `parameters`, found {len(cells)}")
    values: dict[str, Any] = {}
    for statement in ast.parse(cells[0].source).body:
        line = f"{chapter}: line {statement.lineno} of the parameters cell"
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            raise SettingsError(f"{line} is not `name = value`: put everything else in the next cell")
        try:
            values[statement.targets[0].id] = ast.literal_eval(statement.value)
        except ValueError:
            raise SettingsError(f"{line} is not a literal: put derived values in the next cell") from None
    return values


def check_parameters(given: Mapping[str, Any], known: Mapping[str, Any], chapter: str) -> None:
    """Compare `given` parameters with the `known` ones of a chapter.

    Raises:
        SettingsError: a name that is unknown, or a value of another type.
    """
    for name, value in given.items():
        if name not in known:
            raise SettingsError(f"{chapter} has no parameter {name!r}: it has {', '.join(known)}")
        wanted = type(known[name])
        fits = type(value) is wanted or (wanted is float and type(value) is int)
        if known[name] is not None and not fits:
            raise SettingsError(
                f"{chapter}: parameter {name!r} must be {wanted.__name__}, as {known[name]!r}; got {value!r}"
            )


def read_value(text: str) -> Any:
    """A parameter's value from the command line: a Python literal (`1e-3` is a number), else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text, text)


def runs_last(path: Path) -> bool:
    """Whether the notebook asks to run after all others, with the metadata `{"dmesr": {"runs": "last"}}`."""
    metadata = json.loads(path.read_text(encoding="utf-8")).get("metadata", {})
    return bool(metadata.get("dmesr", {}).get("runs") == "last")


def check_executed(nb: NotebookNode, chapter: str) -> None:
    """Check that every code cell ran to its end, in order, without an error, a warning or a widget.

    A cell tagged `raises-exception` may show its error. Papermill itself accepts an early `sys.exit(0)`.

    Raises:
        BookError: names the first cell that fails the check.
    """
    count = 0
    for number, cell in _code_cells(nb):
        where = _where(chapter, number, cell)
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                how = "left early" if output.ename == "SystemExit" else "failed"
                trace = _COLOURS.sub("", "\n".join(output.traceback[-3:]))
                raise BookError(f"{where} {how}: {output.ename}: {output.evalue}\n{trace}")
            if output.get("name") == "stderr" and (warning := _WARNING.search(output.text)):
                raise BookError(f"{where} warned: {warning[0].strip()}")
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                raise BookError(f"{where} shows a widget, which a page cannot: use plain tqdm")
        count += 1
        if cell.execution_count != count:
            raise BookError(f"{where} did not run")


def last_started(nb: NotebookNode, chapter: str) -> str:
    """Description of the last cell that was started, for errors that no cell reported (a dead kernel, a timeout)."""
    # Papermill records the start of a cell before it asks the kernel, which may die without setting execution_count.
    begun = [(number, cell) for number, cell in _code_cells(nb) if cell.metadata.get("papermill", {}).get("start_time")]
    return _where(chapter, *begun[-1]) if begun else f"{chapter}, before its first cell"


def _where(chapter: str, number: int, cell: NotebookNode) -> str:
    return f"{chapter}, cell {number} ({first_line(cell.source)})"


def first_line(source: str, length: int = 60) -> str:
    """The first line of a cell that is not blank, cut to `length` characters."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return lines[0][:length] if lines else "empty"


def _code_cells(nb: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Code cells that are not empty (Jupyter skips those), with their number in the notebook before it was prepared."""
    number = 0
    for cell in nb.cells:
        number += "injected-parameters" not in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and cell.source.strip():
            yield number, cell
