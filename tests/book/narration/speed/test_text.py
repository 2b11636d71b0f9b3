"""Benchmark numbers as text."""

from __future__ import annotations

import pytest
from helpers.speed_rows import peer_row, spread

from dmesr_core.book.narration.speed import text


def test_a_range_stands_behind_a_median_of_several_turns():
    assert text.with_range(spread(16.06, 14.21, 16.19)) == "16.1 (14.2 to 16.2)"
    assert text.with_range(spread(0.44, 0.37, 0.46), ".0%") == "44% (37% to 46%)"
    assert text.with_range(spread(2.3, 2.3, 2.3, turns=1)) == "2.3"
    assert text.with_range(None) == "(not measured yet)"


def test_a_range_stands_behind_a_mean_of_several_numbers():
    assert text.with_mean([0.08, 0.09, 0.1]) == "0.0900 (0.0800–0.1000)"
    assert text.with_mean([0.08]) == "0.0800"


def test_words_that_come_twice_are_said_once():
    assert text.unique(["b", "a", "b", 1]) == "b, a, 1"
    assert text.unique([]) == ""
    assert text.one_of([1, 2]) == "1 or 2"
    assert (text.runs_each(1), text.runs_each(3)) == ("one run each", "3 runs each")
    assert (text.threads({"threads": 1}), text.threads({"threads": 2})) == ("1 thread", "2 threads")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([{}], "Chip with 4 cores, with 2 threads, 2026-11"),
        ([{"threads": 1}], "Chip with 4 cores, with 1 thread, 2026-11"),
        ([{}, {"threads": 1, "date": "2027-01-02"}], "Chip with 4 cores, with 1 or 2 threads, 2026-11 to 2027-01"),
        (
            [{}, {"machine": {"cpu": "Other", "cores": 8}}],
            "Chip with 4 cores, Other with 8 cores, with 2 threads, 2026-11",
        ),
        ([], "no machine yet"),
    ],
)
def test_machines_threads_and_months_of_the_rows(changes, wanted):
    assert text.measured_on([peer_row("ours", **change) for change in changes]) == wanted


def test_a_table_shows_every_line_and_no_row_numbers():
    html = text.table([{"what": "a", "share": "1%"}, {"what": "b", "share": "2%"}]).to_html()
    assert all(word in html for word in ("what", "share", "1%", "2%"))
    assert "row_heading" not in html
    assert "<td" not in text.table([]).to_html()
