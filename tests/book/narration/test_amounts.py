"""Curves over the amount of data in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.small_differences import BETTER, WORSE

from dmesr_core.book.narration import amounts
from dmesr_core.evaluation.learning_curves import CurvePair
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments.training_lengths import TrainingLength

AMOUNTS = np.array([375, 3000])


def pair(ours=(0.2, 0.3), theirs=(0.1, 0.2), noise=0.0) -> CurvePair:
    """Curves whose resamples go up and down together with the first amount of the first model."""
    ours, theirs = np.array(ours), np.array(theirs)
    draws = np.repeat(ours[:, None], 5, 1)
    draws[0] *= 1 + noise * np.linspace(-1, 1, 5)
    return CurvePair(AMOUNTS, ours, theirs, draws, np.repeat(theirs[:, None], 5, 1))


def test_the_table_has_a_column_per_amount():
    lengths = {375: TrainingLength(1000, 2, 12), 3000: TrainingLength(1020, 0, 6)}
    one = Result("a", {"ndcg@10": np.array([0.2, 0.4])}, "p")
    gains = {"plain": {375: BETTER, 3000: WORSE}, "unit": {375: WORSE, 3000: BETTER}}
    models = {"dmesr": "DMESR", "fact_oracle": "fact oracle"}
    results = {375: {"dmesr": one}, 3000: {"dmesr": one, "fact_oracle": one}}
    table = amounts.table(results, models, gains, {"plain": pair(), "unit": pair()}, lengths)
    assert list(table.columns) == ["375 shoppers", "3,000 shoppers"]
    assert table.loc["fact oracle"].tolist() == ["", "0.3000"]
    assert table.loc["DMESR − ID only"].tolist() == ["+0.0200 [+0.0100, +0.0300]", "-0.0200 [-0.0300, -0.0100]"]
    assert table.loc["DMESR / ID only", "375 shoppers"] == "2.00 [2.00, 2.00]"
    assert table["375 shoppers"].tolist()[-2:] == ["1,000", "2 of 12"]
    assert amounts.ratios({"plain": pair()})["plain"]["3000"] == pytest.approx((1.5, 1.5, 1.5))


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
    ("found", "words"),
    [
        (pair((0.2, 0.3), (0.1, 0.3)), "is larger with the fewest shoppers than with all (2.00 [2.00, 2.00])"),
        (pair((0.1, 0.1), (0.1, 0.2)), "than with all, but even there not shown to be a lead (2.00 [2.00, 2.00])"),
        (pair((0.2, 0.3), (0.2, 0.1)), "is smaller with the fewest shoppers than with all (0.33 [0.33, 0.33])"),
        (pair(noise=0.9), "is not shown to be larger or smaller with the fewest shoppers (1.33"),
    ],
)
def test_whether_the_lead_is_larger_where_data_is_scarce(found, words):
    text = amounts.story({"plain": found, "unit": pair()}, equally_long=True)
    assert words in text.split(";")[0] and "one length on both sides it is larger" in text
    assert words in amounts.story({"plain": pair(), "unit": found}, True).split(";")[1]
    assert text.endswith(".") and "shorter" not in text
    assert amounts.story({"plain": found, "unit": pair()}, equally_long=False) == (
        f"{text} But trainings on fewer shoppers are shorter here: this cannot be told apart."
    )


def test_the_first_ratio_divided_by_the_last():
    assert amounts.few_over_all(pair()) == pytest.approx((4 / 3,) * 3)
