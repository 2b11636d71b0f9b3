"""What appendix A says, for every outcome."""

from __future__ import annotations

from collections import Counter

import pytest

from dmesr_core.book.narration import tiny_mllm


def test_the_scope_names_other_models_and_data():
    assert "other chapters" not in tiny_mllm.scope_note("tiny", "bazaar")
    assert "another model" in tiny_mllm.scope_note("owner/model", "bazaar")
    assert "other data" in tiny_mllm.scope_note("tiny", "movielens")


def test_a_reproduction_lists_each_difference():
    sentence = tiny_mllm.reproduction(3, 5, {"all_right": -0.01, "colour": 0.0})
    assert "3 of 5 tensors" in sentence
    assert sentence.endswith("model card: all right -0.010, colour +0.000.")


@pytest.mark.parametrize(
    ("n_wrong", "expected"),
    [
        (0, "Of 1,000 captions, 0 are wrong."),
        (1, "Of 1,000 captions, 1 is wrong (facts missed: shape 2, colour 1). Wrong among the six above: 1."),
        (2, "Of 1,000 captions, 2 are wrong (facts missed: shape 2, colour 1). Wrong among the six above: 1."),
    ],
)
def test_wrong_captions_are_counted_with_their_facts(n_wrong, expected):
    missed = Counter({"colour": 1, "shape": 2})
    assert tiny_mllm.wrong_captions(1000, n_wrong, missed, 1) == expected


def test_yes_no_answers_beat_chance_only_if_the_interval_does():
    assert tiny_mllm.yes_no_verdict(0.5) == "no better than a coin"
    assert tiny_mllm.yes_no_verdict(0.51) == "better than a coin"


def test_answers_to_other_pictures_are_counted():
    assert tiny_mllm.answers_to_other_pictures(3, 0, 4) == "3 of 4 answers name a product of the Bazaar, 0 are empty"
