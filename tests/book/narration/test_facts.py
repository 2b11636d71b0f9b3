"""Facts in words: what is known, and what is used."""

from __future__ import annotations

import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE, scaled

from dmesr_core.book.narration import facts


def test_the_control_in_words():
    assert facts.control([-0.1, 0.0, 0.2]) == "between -0.10 and 0.20, on average +0.033"
    assert facts.control(None) == "(nothing to probe without known facts)"


def test_what_leaks():
    assert facts.leak({"colour": 0.5, "pattern": 0.25}) == "50% of the colour and 25% of the pattern"
    assert facts.leak(None) == facts.random_erasure(None, {}) == "(unknown here)"


def test_the_story_compares_with_both_baselines():
    gains = {
        "only in the picture": {"id_only": BETTER, "no_fusion": WORSE},
        "only in the words": {"id_only": UNDECIDED, "no_fusion": BETTER},
        "in both": {},
    }
    assert facts.story(gains) == (
        "A probe of DMESR knows this much more: against ID only it is right more often (+2.0 points [+1.0, +3.0]) on "
        "what must be seen and not told apart (+1.0 points [-1.0, +3.0]) on what must be read; against DMESR without "
        "fusion it is right less often (-2.0 points [-3.0, -1.0]) on what must be seen and right more often "
        "(+2.0 points [+1.0, +3.0]) on what must be read."
    )
    assert "this section needs the Bazaar" in facts.story(None)


@pytest.mark.parametrize(
    ("used", "unused", "more"),
    [
        ((0.5, 0.4), (0.8, 0.3), True),
        ((0.5, 0.4), (0.5, 0.32), False),
        ((0.5, 0.9), (0.5, 0.45), False),  # a gain of the first kind does not make up for a loss of the second
    ],
)
def test_more_was_lost_of_unused_facts_only_where_the_loss_is_larger_by_a_tenth(used, unused, more):
    text = facts.training({"go by": used, "ignored": unused})
    assert text.startswith(f"Of the facts that shoppers go by, a probe recovers {used[0]:.0%} before training")
    assert ("More was lost of the second kind" in text) == more


def test_without_facts_nothing_is_said_about_training():
    assert facts.training(None) == "What training changes about them cannot be said either."


def test_erasure_names_facts_by_verdict():
    costs = {"brand": WORSE, "colour": scaled(WORSE, 2), "use": UNDECIDED, "size": UNDECIDED, "shape": BETTER}
    assert facts.erasure(costs, {"size", "shape"}) == (
        "DMESR needs colour, brand; the score rises without shape; of what shoppers go by, zero is inside the "
        "interval of use."
    )
    assert "; no shopper goes by brand, so what goes with it" in facts.erasure(costs, {"brand"})


def test_erasure_where_nothing_is_needed_or_all_is():
    assert facts.erasure({"size": UNDECIDED}, {"size"}) == "DMESR is not shown to need any fact."
    assert facts.erasure({"brand": WORSE}, set()) == "DMESR needs brand."


def test_random_erasure_names_both_ends():
    text = facts.random_erasure({"brand": -0.001, "size": 0.002, "use": 0.0}, {"brand": 12, "size": 3, "use": 8})
    assert text == "-0.0010 (brand, 12 values) and +0.0020 (size, 3 values)"


def test_without_facts_there_is_nothing_to_erase():
    assert facts.erasure(None, set()).startswith("This needs the Bazaar, too")
    assert facts.implied("brand", None) == "this needs the Bazaar's facts"


def test_what_is_left_after_erasing_is_listed_line_by_line():
    assert facts.implied("brand", {"nothing": 0.5, "series": -0.014}) == (
        "the brand, as far as a probe recovers it, after taking out\n nothing: +0.50\n  series: -0.01"
    )
