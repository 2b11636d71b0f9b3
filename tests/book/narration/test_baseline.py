"""Sentences of chapter 1: data, training, SASRec against popularity."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration.baseline import (
    against_popularity,
    data_note,
    first_misses,
    group_score,
    position_or_last,
    ratio,
    sampled_order,
    stop_note,
)
from dmesr_core.data.sequences import Cases, Sequences

SOURCES = ("bazaar", "movielens", "folder")


def test_every_source_of_data_has_its_note():
    notes = {data_note(source) for source in SOURCES}
    assert len(notes) == len(SOURCES)


def test_training_stopped_early_or_used_all_its_epochs():
    assert stop_note(7, 20) == "It stopped because validation no longer improved."
    assert "all epochs that it was allowed" in stop_note(20, 20)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (BETTER, "better than popularity: the interval leaves zero out"),
        (WORSE, "worse than popularity: the interval leaves zero out"),
        (UNDECIDED, "no different from popularity: the interval holds zero"),
    ],
)
def test_the_interval_decides_about_popularity(gain, words):
    assert against_popularity(gain) == words


def test_a_group_without_cases_has_no_score():
    scores = {"head": (0.12345, 0.1, 0.2)}
    assert group_score(scores, "head") == "0.123"
    assert group_score(scores, "cold") == "unknown (no such case)"


def test_a_ratio_to_zero_is_infinite():
    assert ratio(0.3, 0.2) == "1.5 times"
    assert ratio(0.3, 0.0) == "infinitely many times"


@pytest.mark.parametrize(
    ("sasrec", "full", "words"),
    [
        ([0.5, 0.4, 0.3], 0.2, "the order is that of the full ranking"),
        ([0.1, 0.4, 0.0], 0.2, "With 10 or 100 items even the order is wrong: popularity is ahead of SASRec."),
        ([0.1, 0.4, 0.0], 0.1, "SASRec is not ahead in the full ranking"),
    ],
)
def test_the_sampled_order_is_right_wrong_or_without_a_reference(sasrec, full, words):
    curves = {"SASRec": sasrec, "popularity": [0.2, 0.2, 0.2]}
    assert words in sampled_order((10, 50, 100), curves, {"SASRec": full, "popularity": 0.1})


def test_the_first_case_of_each_group_that_is_missed_is_found():
    histories = Sequences.from_lists([np.ones(n, int) for n in (4, 4, 3, 4)])
    cases = Cases(histories, np.ones(4, int), np.zeros(4), np.arange(4))
    ranks = np.array([10, 11, 12, 13])
    groups = {"all": np.ones(4, bool), "short": np.arange(4) == 2, "found": np.arange(4) == 0}
    assert first_misses(cases, groups, ranks) == {"all": 1}


def test_a_number_that_is_not_there_gives_the_last_position():
    assert [position_or_last([10, 100, 200], n) for n in (10, 100, 50)] == [0, 1, 2]
