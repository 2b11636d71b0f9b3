"""Tables for notebooks show text of users as text."""

from __future__ import annotations

from dmesr_core.data.html_tables import cut, html_table


def test_cells_are_escaped():
    assert html_table("<i>", ("a&b",), [("<b>x</b>",), (3,)]) == (
        "<table><caption>&lt;i&gt;</caption><tr><th>a&amp;b</th></tr>"
        "<tr><td>&lt;b&gt;x&lt;/b&gt;</td></tr><tr><td>3</td></tr></table>"
    )


def test_cut():
    assert [cut(text, 5) for text in ("", "abcde", "abcdef", "a\n b", "ab   cdefg", " " * 99)] == [
        "", "abcde", "abcde…", "a b", "ab cd…", "…",
    ]  # fmt: skip
