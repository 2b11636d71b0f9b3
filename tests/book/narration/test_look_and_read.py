"""What chapter 3 says, for every outcome."""

from __future__ import annotations

import pandas as pd

from dmesr_core.book.narration import look_and_read


def test_the_note_names_model_data_and_missing_checks():
    note = look_and_read.run_note("bazaar", 1200, "tiny", True)
    assert note == "In this run the tiny MLLM that comes with this book looks at 1,200 items of the data set bazaar."
    assert "the model owner/model" in look_and_read.run_note("bazaar", 5, "owner/model", True)
    unknown = look_and_read.run_note("movielens", 5, "owner/model", False)
    assert "every check against the truth is left out" in unknown and "drawn products" not in unknown
    assert "does not understand these pictures" in look_and_read.run_note("movielens", 5, "tiny", False)


def test_facts_are_named_by_a_majority_of_descriptions():
    text = look_and_read.named_facts({"a": 0.9, "b": 0.5, "c": 0.7, "d": 0.6}, {"a": 0.1, "b": 0.2, "c": 0.0, "d": 0.0})
    assert text == (
        "Most descriptions of pictures name a, c and d. Most summaries of words name nothing. Neither usually names b."
    )
    assert "nothing to count" in look_and_read.named_facts(None, None)


def test_the_dropped_series_is_found_in_the_fine_states_only_if_they_are_best():
    best = {"picture": 0.1, "text": 0.2, "fine (mean)": 0.9}
    assert look_and_read.series_probe(best).endswith("for 90%. What the summary dropped is in the words all along.")
    assert look_and_read.series_probe(best | {"text": 0.95}).endswith("for 90%.")
    assert "nothing to probe" in look_and_read.series_probe(None)


def test_mistakes_name_the_fact_that_is_missed_most():
    missed = {"colour": 0.01, "pattern": 0.2, "shape": 0.2}
    sentence = look_and_read.missed_facts(1234, 5000, missed)
    assert sentence.startswith("1,234 of 5,000 descriptions miss")
    assert sentence.endswith("Missed most often: the pattern (20.0% of the items).")
    assert "Missed" not in look_and_read.missed_facts(0, 5000, dict.fromkeys(missed, 0.0))
    assert "your own eyes" in look_and_read.missed_facts(0, 5000, None)


def test_empty_shares_are_unknown_facts():
    assert look_and_read.named_facts({}, {}) == look_and_read.named_facts(None, None)
    assert look_and_read.series_probe({}) == look_and_read.series_probe(None)
    assert look_and_read.missed_facts(0, 5, {}) == look_and_read.missed_facts(0, 5, None)


def test_grey_pictures_have_their_named_facts_and_claimed_colours_counted():
    table = pd.DataFrame({"shape": [True, False, True]})
    facts = {"colour": ("red", "blue", "red")}
    lines = look_and_read.grey_pictures(table, ["a red blue hat", "a red hat", "hatred"], facts)
    assert lines[0] == "{'shape': 0.67}"
    assert lines[1] == "{'blue': 1, 'red': 1, 'none': 1}"  # the first in the alphabet counts; whole words only
    assert look_and_read.grey_pictures(pd.DataFrame(), ["a red hat"], None) == []
    own = pd.DataFrame({"price": [True, False]})
    assert look_and_read.grey_pictures(own, ["a hat"] * 2, {"price": ("1", "2")}) == ["{'price': 0.5}"]
