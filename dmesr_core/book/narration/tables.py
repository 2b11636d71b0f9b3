"""Tables of tables: keys of two levels as one text, as the chapters' files of numbers hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def joined_keys(table: Mapping[Any, Mapping[Any, Any]], between: str = "|") -> dict[str, Any]:
    """From {"plain": {"head": 1}} to {"plain|head": 1}."""
    return {f"{outer}{between}{inner}": value for outer, row in table.items() for inner, value in row.items()}


def known(**values: Any) -> dict[str, Any]:
    """Those of the values that are neither None nor an empty table, by name."""
    return {name: value for name, value in values.items() if value is not None and value != {}}
