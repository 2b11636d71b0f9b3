"""Keys of two levels become one."""

from __future__ import annotations

from dmesr_core.book.narration.tables import joined_keys


def test_keys_of_two_levels_become_one_text():
    table = {"plain": {"head": 1, "cold": [2]}, "unit": {375: {"a": 3}}}
    assert joined_keys(table) == {"plain|head": 1, "plain|cold": [2], "unit|375": {"a": 3}}
    assert joined_keys({"x": {"y": 1}}, " over ") == {"x over y": 1}
