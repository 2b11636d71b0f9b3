"""Sentences of chapter 5: for facts that rise, fall and stay, and without known facts."""

from __future__ import annotations

import numpy as np

from dmesr_core.book.narration.fusion import gained_facts, most_attended, twins

ALL, HALF, NONE = np.ones(40, bool), np.arange(40) % 2 == 0, np.zeros(40, bool)


def test_each_fact_has_a_verdict_of_its_own():
    after = {(0, "series"): ALL, (1, "series"): HALF, (0, "brand"): HALF, (1, "brand"): ALL}
    after |= {(0, "colour"): NONE, (1, "use"): HALF}
    hits = {(view, "fused", fact): hit for (view, fact), hit in after.items()}
    hits |= {(view, "aligned", fact): HALF for view, fact in after}
    same = "does not change beyond noise (50.0% to 50.0%)"
    sentence = gained_facts(hits, 200, 0)
    assert sentence.startswith(f"The series rises (50.0% to 100.0%) in the picture view and {same} in the text view;")
    assert f"brand {same} and rises (50.0% to 100.0%)." in sentence
    assert "picture view, falls (50.0% to 0.0%)" in sentence
    assert sentence.endswith(f"text view, {same}.")


def test_without_known_facts_nothing_is_claimed():
    assert gained_facts({}, 200, 0) == "Without known facts there is nothing to probe."
    own = {(view, stage, "price"): np.ones(50, bool) for view in (0, 1) for stage in ("aligned", "fused")}
    assert gained_facts(own, 200, 0).startswith("The fact 'price' does not change beyond noise (100.0% to 100.0%) in")
    assert most_attended({}).endswith("this is left to your eyes.")


def test_each_view_has_the_kind_of_word_that_it_looks_at_most():
    ratios = {"picture view": {"series": 2.04, "brand": 1.0}, "text view": {"series": 0.5, "brand": 0.9}}
    assert most_attended(ratios) == (
        "The picture view looks most at series: 2.0 times as much as evenly. "
        "The text view looks most at brand: 0.9 times as much as evenly."
    )


def test_twins_are_introduced_as_what_they_are():
    assert "the same, word for word" in twins(same=True)
    assert "no two are the same" in twins(same=False)
