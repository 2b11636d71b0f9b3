"""Sentences on an ablation: each branch says what the intervals say."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE, scaled

from dmesr_core.book.narration import ablations
from dmesr_core.evaluation.results import Result


def test_conditions_name_what_limits_the_tables():
    assert ablations.conditions(3, own_data=False, smoke=False) == "Every cell has the same seeds."
    assert ablations.conditions(1, own_data=False, smoke=False).startswith("With one seed, the intervals")
    own = ablations.conditions(1, own_data=True, smoke=False)
    assert "With one seed" in own and "trained for this page" in own
    assert ablations.conditions(2, own_data=False, smoke=True).startswith("This run is a test of the chapter")


def test_seeds_in_words():
    assert (ablations.seeds(1), ablations.seeds(3)) == ("one seed", "3 seeds")


def test_notes_have_a_score_and_a_difference_to_the_whole_where_there_is_one():
    results = {name: Result(name, {"ndcg@10": np.array([0.25, 0.75])}, "p") for name in ("dmesr", "no_id")}
    found = ablations.notes({"dmesr": "DMESR", "no_id": "no ID vector"}, results, {"no_id": WORSE})
    assert found == {"DMESR": "0.5000", "no ID vector": "0.5000   -0.0200 [-0.0300, -0.0100]"}


def test_the_opposite_of_a_difference_keeps_its_interval_in_order():
    assert ablations.opposite(BETTER) == WORSE
    assert ablations.opposite(ablations.opposite(UNDECIDED)) == UNDECIDED


def test_the_story_names_parts_by_verdict_with_the_largest_cost_first():
    changes = dict(
        no_fusion=WORSE, no_alignment=UNDECIDED, picture_only=scaled(WORSE, 2), text_only=BETTER, no_id=UNDECIDED
    )
    assert ablations.story(changes) == (
        "Only the text view, the fusion are missed when they are taken away alone; the score rises without the "
        "picture view; zero is inside the intervals for the alignment, the ID vector."
    )


def test_the_story_where_no_part_carries_or_all_do():
    none = ablations.story(dict.fromkeys(ablations.PARTS, UNDECIDED))
    assert none.startswith("No part is shown to be missed when it is taken away alone; zero is inside")
    one = ablations.story(dict.fromkeys(ablations.PARTS, UNDECIDED) | {"no_id": WORSE})
    assert one.startswith("Only the ID vector is missed when it is taken away alone; zero is inside")
    text = ablations.story(dict.fromkeys(ablations.PARTS, WORSE))
    assert text.startswith("The fusion, the alignment") and "zero" not in text and "rises" not in text


def test_intervals_one_by_one_agree_or_name_where_they_do_not():
    at_once = dict.fromkeys(ablations.PARTS, UNDECIDED)
    assert ablations.one_by_one(at_once, at_once).endswith("the same verdict on each part.")
    text = ablations.one_by_one(at_once | {"no_fusion": WORSE}, at_once)
    assert "another verdict on the fusion (-0.0200 [-0.0300, -0.0100]); among" in text


def test_other_entries_are_better_worse_or_undecided():
    assert ablations.entries({"injection_concat": WORSE, "injection_two_towers": UNDECIDED}) == (
        "worse: concatenation; not told apart: two towers"
    )
    assert ablations.entries({"injection_concat": BETTER, "injection_two_towers": BETTER}) == (
        "better: concatenation, two towers"
    )


LABELS = {"alpha": "weight", "temperature": "temperature"}


def test_settings_name_the_values_that_are_clearly_better_or_worse():
    moves = {("temperature", 0.5): BETTER, ("alpha", 1.0): scaled(WORSE, 2), ("alpha", 0.1): UNDECIDED}
    assert ablations.settings(moves, LABELS, scaled(BETTER, 3)) == (
        "Clearly worse than the default: weight 1; clearly better: temperature 0.5; "
        "the largest move, 0.0400, is smaller than the whole gain over ID only (0.0600)."
    )
    assert ablations.settings({("alpha", 1.0): BETTER}, LABELS, BETTER).startswith("Clearly better than the default")
    assert "is no smaller than the whole gain" in ablations.settings(moves, LABELS, BETTER)


@pytest.mark.parametrize("gain", [UNDECIDED, WORSE])
def test_without_a_clear_gain_moves_are_compared_with_nothing(gain):
    assert ablations.settings({("alpha", 0.1): UNDECIDED}, LABELS, gain) == (
        "No value is clearly better or worse than the default; the largest move is 0.0100, and there is no clear gain "
        "over ID only to compare it with."
    )


def test_a_model_that_was_trained_again_repeats_its_record_or_has_none():
    assert "puts every test case at the rank" in ablations.retrained(1.0)
    assert "99.5% of the test cases have the rank" in ablations.retrained(0.995)
    assert "0.0% of the test cases" in ablations.retrained(0.0)
    assert "is not a row of the ablation" in ablations.retrained(None)
