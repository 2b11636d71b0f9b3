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


def test_the_table_leaves_the_difference_of_the_whole_to_itself_empty():
    results = {name: Result(name, {"ndcg@10": np.array([0.25, 0.75])}, "p") for name in ("dmesr", "no_id")}
    found = ablations.table({"dmesr": "DMESR", "no_id": "no ID vector"}, results, {"no_id": WORSE})
    assert found.loc["DMESR"].tolist() == ["0.5000", "", ""]
    assert found.loc["no ID vector"].tolist() == ["0.5000", "-0.0200 [-0.0300, -0.0100]", "0.0010"]


def test_the_opposite_of_a_difference_keeps_its_interval_in_order():
    assert ablations.opposite(BETTER) == WORSE
    assert ablations.opposite(ablations.opposite(UNDECIDED)) == UNDECIDED


def test_a_part_that_carries_is_compared_with_the_whole_gain():
    assert ablations.contribution(WORSE, scaled(BETTER, 4)) == (
        "earns its place: without it the score falls (-0.0200 [-0.0300, -0.0100], 25% of the whole gain over ID only)"
    )
    assert "more than the whole gain" in ablations.contribution(WORSE, scaled(BETTER, 0.5))


@pytest.mark.parametrize("gain", [UNDECIDED, WORSE])
def test_without_a_clear_gain_there_is_no_share_of_it(gain):
    assert ablations.contribution(WORSE, gain) == (
        "earns its place: without it the score falls (-0.0200 [-0.0300, -0.0100])"
    )


def test_a_part_that_does_not_carry():
    assert ablations.contribution(BETTER, BETTER).startswith("does not earn its place here: without it the score rises")
    undecided = ablations.contribution(UNDECIDED, BETTER)
    assert undecided == ("is not shown to matter here: zero is inside the interval (+0.0100 [-0.0100, +0.0300])")


@pytest.mark.parametrize(
    ("change", "words"), [(BETTER, "better ("), (WORSE, "worse ("), (UNDECIDED, "not told apart from it (")]
)
def test_an_alternative_is_better_worse_or_undecided(change, words):
    assert ablations.alternative(change).startswith(words)


def test_the_story_names_parts_by_verdict_with_the_largest_cost_first():
    changes = dict(
        no_fusion=WORSE, no_alignment=UNDECIDED, picture_only=scaled(WORSE, 2), text_only=BETTER, no_id=UNDECIDED
    )
    assert ablations.story(changes) == (
        "What carries, the largest difference first: the text view, the fusion. "
        "Not shown to matter: the alignment, the ID vector. Better without: the picture view."
    )
    assert ablations.sum_of_differences(changes) == pytest.approx(-0.02 - 0.04 + 0.02 + 2 * 0.01)


def test_the_story_where_no_part_carries_or_all_do():
    assert ablations.story(dict.fromkeys(ablations.PARTS, UNDECIDED)).startswith(
        "No single part is shown to carry. Not"
    )
    text = ablations.story(dict.fromkeys(ablations.PARTS, WORSE))
    assert "Not shown" not in text and "Better" not in text


def test_a_setting_names_the_values_that_are_clearly_better_or_worse():
    text = ablations.setting({1.0: WORSE, 0.01: WORSE, 0.2: BETTER, 0.5: UNDECIDED})
    assert text == (
        "from the worst to the best value NDCG@10 moves by 0.0400; clearly worse than the default: 0.01, 1; "
        "clearly better: 0.2"
    )
    assert ablations.setting({1.0: UNDECIDED}) == (
        "from the worst to the best value NDCG@10 moves by 0.0100; none is clearly worse than the default, "
        "none clearly better"
    )


def test_the_largest_move_is_compared_with_a_clear_gain_only():
    move = ablations.largest_move({("alpha", 0.0): BETTER, ("alpha", 1.0): scaled(WORSE, 2)})
    assert move == pytest.approx(0.04)
    assert ablations.move_beside_gain(move, scaled(BETTER, 3)) == (
        "That is smaller than the whole gain over ID only (0.0600)"
    )
    assert ablations.move_beside_gain(move, BETTER) == "That is no smaller than the whole gain over ID only (0.0200)"
    for gain in (UNDECIDED, WORSE):
        assert ablations.move_beside_gain(move, gain) == "There is no clear gain over ID only here to compare it with"


def test_a_model_that_was_trained_again_repeats_its_record_or_has_none():
    assert "puts every test case at the rank" in ablations.retrained(1.0)
    assert "99.5% of the test cases have the rank" in ablations.retrained(0.995)
    assert "0.0% of the test cases" in ablations.retrained(0.0)
    assert "is not a row of the ablation" in ablations.retrained(None)
