"""Keys of two levels become one."""

from __future__ import annotations

from dmesr_core.book.narration.tables import joined_keys, known


def test_keys_of_two_levels_become_one_text():
    table = {"plain": {"head": 1, "cold": [2]}, "unit": {375: {"a": 3}}}
    assert joined_keys(table) == {"plain|head": 1, "plain|cold": [2], "unit|375": {"a": 3}}
    assert joined_keys({"x": {"y": 1}}, " over ") == {"x over y": 1}


def test_what_is_not_known_is_left_out_and_zero_stays():
    assert known(a=None, b=0.0, c={}, d={"x": 1}) == {"b": 0.0, "d": {"x": 1}}
