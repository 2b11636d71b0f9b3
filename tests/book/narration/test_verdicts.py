"""Verdicts: better, worse and undecided, and how a difference reads."""

from __future__ import annotations

import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration.verdicts import by_verdict, choose, listed, verdict, with_interval
from dmesr_core.evaluation.bootstrap import Paired


@pytest.mark.parametrize(
    ("change", "wanted"),
    [(BETTER, "better"), (WORSE, "worse"), (UNDECIDED, "undecided"), (Paired(0, 0, 0, 1), "undecided")],
)
def test_an_interval_that_excludes_zero_decides(change, wanted):
    assert verdict(change) == wanted
    assert choose(change, "better", "worse", "undecided") == wanted


def test_keys_keep_their_order_within_a_verdict():
    changes = {"a": UNDECIDED, "b": BETTER, "c": WORSE, "d": BETTER}
    assert by_verdict(changes) == {"better": ["b", "d"], "worse": ["c"], "undecided": ["a"]}


def test_numbers_as_text():
    assert with_interval(BETTER) == "+0.0200 [+0.0100, +0.0300]"
    assert with_interval(WORSE, "+.2f") == "-0.02 [-0.03, -0.01]"
    assert listed(["x", "y"]) == "x, y"
    assert listed([]) == "none"
