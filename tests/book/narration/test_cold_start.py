"""A cold start in words."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import cold_start

RANKS = {"popularity": np.full(4, 95.5), "DMESR": np.array([1.0, 10, 40, 101])}


def test_it_is_said_which_items_are_new():
    assert cold_start.newcomers(226, 1200, 216, held_back=False) == (
        "Here 226 of the 1,200 items are in no training sequence: who learns from these has never seen "
        "them sold. 216 test cases ask for one of them."
    )


def test_where_nothing_came_after_training_it_is_said_that_items_are_held_back():
    text = cold_start.newcomers(6, 120, 1, held_back=True)
    assert text.startswith("In this data no test case asks for an item that came after training. So some are held back")
    assert "(6 of 120 items)" in text and text.endswith("first purchase is latest. 1 test case asks for them.")


def test_the_recommendations_of_one_shopper_are_counted():
    new = {"b", "d"}
    assert cold_start.one_shopper(["a", "b", "d"], new, "d", 3.0) == (
        "Of the 3 recommendations afterwards 2 are new. The item that was bought next is among them."
    )
    assert cold_start.one_shopper(["a", "b"], new, "d", 1100.5) == (
        "Of the 2 recommendations afterwards one is new. The item that was bought next is not among them: it stands at "
        "rank 1,100."
    )
    assert "none is new" in cold_start.one_shopper(["a"], new, "d", 9)


def test_ranks_are_told_with_their_chance_and_what_is_among_the_first_ten():
    assert cold_start.ranks(RANKS, 120, chance=50.5) == (
        "With DMESR the median rank is 25 of 120, and half of the cases lie between 8 and 55; chance would give 50. "
        "Among the first ten stand, of 4: popularity 0, DMESR 2; by chance it would be 0.4."
    )


@pytest.mark.parametrize(
    ("change", "share", "words"),
    [
        (BETTER, "52% of the other items", "it knows something about items that nobody has bought"),
        (WORSE, "48% of the other items", "it puts items that nobody has bought below the others"),
        (UNDECIDED, "51% of the other items", "it is not shown that it knows anything"),
    ],
)
def test_the_verdict_on_chance(change, share, words):
    text = cold_start.against_chance(change)
    assert share in text and f"So {words}" in text
    assert f"(95% interval {0.5 + change.low:.0%} to {0.5 + change.high:.0%})" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (BETTER, "On average, DMESR puts a new item higher than the raw vectors do (+2.0% of the catalogue, 95%"),
        (WORSE, "On average, DMESR puts a new item lower than the raw vectors do (-2.0% of the catalogue, 95%"),
        (UNDECIDED, "On average, DMESR and the raw vectors are not told apart (+1.0% of the catalogue, 95%"),
    ],
)
def test_the_verdict_on_the_mean_place_beside_raw_vectors(change, words):
    assert cold_start.against_plain(change, UNDECIDED).startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (BETTER, "it finds more of them (+2.0% of the cases, 95% interval +1.0% to +3.0%)."),
        (WORSE, "it finds fewer of them (-2.0% of the cases, 95% interval -3.0% to -1.0%)."),
        (UNDECIDED, "it is not shown to find more or fewer (+1.0% of the cases, 95% interval -1.0% to +3.0%)."),
    ],
)
def test_the_verdict_on_the_first_ten_beside_raw_vectors(change, words):
    text = cold_start.against_plain(BETTER, change)
    assert text.endswith(words) and text.startswith("On average, DMESR puts a new item higher")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (BETTER, " DMESR ranks such items higher than chance does. "),
        (WORSE, " DMESR ranks such items lower than chance does. "),
        (UNDECIDED, " It is not shown that DMESR ranks such items better than chance does. "),
    ],
)
def test_the_summary_has_the_verdict_and_the_first_ten(change, words):
    text = cold_start.summary(change, RANKS)
    assert text.endswith(f"{words}Of 4 purchases of them, so many are among the first ten: 2 by DMESR.")


def test_the_summary_names_the_others_where_they_are_known():
    ranks = {"raw vectors": np.array([1.0, 2, 3, 50]), **RANKS, "ceiling": np.full(4, 1.0)}
    text = cold_start.summary(BETTER, ranks)
    assert text.endswith("among the first ten: 3 by raw vectors, 2 by DMESR, 4 by ceiling.")
