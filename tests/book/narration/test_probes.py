"""The change of a probe's accuracy in words: it rises, falls, or neither is shown."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.book.narration.probes import accuracy_change, each_fact

ALL, HALF, NONE = np.ones(40, bool), np.arange(40) % 2 == 0, np.zeros(40, bool)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (HALF, ALL, "rises (50.0% to 100.0%)"),
        (HALF, NONE, "falls (50.0% to 0.0%)"),
        (HALF, HALF, "does not change beyond noise (50.0% to 50.0%)"),
        (HALF, ~HALF, "does not change beyond noise (50.0% to 50.0%)"),
    ],
)
def test_the_paired_interval_decides(before, after, wanted):
    assert accuracy_change(before, after, 200, 0) == wanted


def test_only_the_first_facts_are_told():
    told = each_fact(list("abcdef"), lambda fact: (f"rises {fact}", "falls"), at_most=2)
    assert told == (
        "The fact 'a' rises a in the picture view and falls in the text view. "
        "The fact 'b' rises b in the picture view and falls in the text view."
    )
