"""Curves over the amount of data in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.small_differences import BETTER, WORSE

from dmesr_core.book.narration import amounts
from dmesr_core.evaluation.learning_curves import CurvePair
from dmesr_core.experiments.training_lengths import TrainingLength

LENGTHS = {375: TrainingLength(1000, 2, 12), 3000: TrainingLength(1020, 0, 6)}


def pair() -> CurvePair:
    ours, theirs = np.array([0.2, 0.3]), np.array([0.1, 0.2])
    return CurvePair(
        np.array([375, 3000]), ours, theirs, np.repeat(ours[:, None], 5, 1), np.repeat(theirs[:, None], 5, 1)
    )


def test_the_table_has_a_column_per_amount():
    table = amounts.table({"plain": pair(), "unit": pair()}, LENGTHS)
    assert list(table.columns) == ["375 shoppers", "3,000 shoppers"]
    assert table["375 shoppers"].tolist() == ["2.00 [2.00, 2.00]", "2.00 [2.00, 2.00]", "1,000", "2 of 12"]
    assert amounts.ratios({"plain": pair()})["plain"]["3000"] == pytest.approx((1.5, 1.5, 1.5))


def test_steps_that_are_equal_or_grow_with_the_data():
    assert amounts.steps(LENGTHS, True).startswith(
        "However few the shoppers, a training may take as many steps, about 1,020:"
    )
    text = amounts.steps(LENGTHS, False)
    assert "1,000 with 375, 1,020 with 3,000 shoppers" in text and "cannot tell the two apart" in text


def test_gains_with_each_amount():
    assert amounts.gains({375: BETTER, 3000: WORSE}) == (
        "+0.0200 [+0.0100, +0.0300] with 375, -0.0200 [-0.0300, -0.0100] with 3,000 shoppers"
    )


def test_amounts_outside_of_what_was_tried():
    assert amounts.shoppers((1200.4, 0.0, math.inf), 375, 3000) == ["1,200", "fewer than 375", "more than 3,000"]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ((1200.4, 900.0, 2000.0), "DMESR reaches with about 1,200 (interval: 900 to 2,000)."),
        ((0.0, 0.0, 0.0), "DMESR reaches with 375 or fewer (interval: fewer than 375)."),
        ((math.inf, 2900.0, math.inf), "DMESR does not reach with as many (interval: 2,900 to more than 3,000)."),
    ],
)
def test_what_the_data_is_worth(found, wanted):
    assert amounts.data_worth("plain", found, 375, 3000) == f"What ID only reaches with 3,000 shoppers, {wanted}"
    assert "with vectors of one length, reaches" in amounts.data_worth("unit", found, 375, 3000)


@pytest.mark.parametrize(
    ("few", "change", "answer", "words"),
    [
        ((1.5, 1.2, 1.9), (1.3, 1.1, 1.6), "yes", "larger where data is scarce"),
        ((0.9, 0.8, 1.1), (1.3, 1.1, 1.6), "not shown", "but even there not shown to be above one"),
        ((1.5, 1.2, 1.9), (0.8, 0.7, 0.9), "no", "smaller where data is scarce"),
        ((1.5, 1.2, 1.9), (1.1, 0.9, 1.3), "open", "not told apart from one"),
    ],
)
def test_whether_the_lead_is_larger_where_data_is_scarce(few, change, answer, words):
    found, text = amounts.lead(few, change, equally_long=True)
    assert found == answer and text.startswith(amounts.ratio(change)) and text.endswith(words)
    for part in amounts.lead(few, change, equally_long=False):
        assert part.endswith("(but trainings are not equally long)")
