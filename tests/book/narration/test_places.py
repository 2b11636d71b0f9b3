"""Sentences on other places: each branch says what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import places
from dmesr_core.book.narration.views import NAMES
from dmesr_core.evaluation.results import Result


def test_the_table_has_a_row_per_place_and_leaves_out_what_was_not_trained():
    def result(value):
        return Result("m", {"ndcg@10": np.array([value])}, "p")

    results = {("films", "sasrec", "id_unit"): result(0.125), ("world", "sasrec", "dmesr_views"): result(0.25),
               ("world", "gru4rec", "id_unit"): result(0.5)}  # fmt: skip
    titles, labels = {"films": "Films", "world": "World 1"}, {"id_unit": "ID", "raw": "raw", "dmesr_views": "DMESR"}
    table = places.scores(results, titles, labels)
    assert table.columns.tolist() == ["ID", "DMESR"] and table.index.tolist() == ["Films", "World 1"]
    assert table.to_numpy().tolist() == [["0.125", ""], ["", "0.250"]]


def test_seeds_are_those_of_each_place():
    def result(*shape):
        return Result("m", {"ndcg@10": np.zeros(shape)}, "p")

    results = {("a", "sasrec", "popularity"): result(4), ("a", "sasrec", "id_unit"): result(3, 4),
               ("b", "sasrec", "id_unit"): result(1, 4), ("c", "sasrec", "id_unit"): result(1, 4)}  # fmt: skip
    said = places.seeds(results, {"a": "films", "b": "world 1", "c": "world 2"})
    assert said == "3 seeds each (films); 1 seed each (world 1, world 2)"


def test_a_loss_on_films_is_excluded_or_not():
    ndcg = {"popularity": 0.05, "id_unit": 0.12, "dmesr_views": 0.1}
    said = places.films(ndcg, WORSE)
    assert said.startswith("By its mean DMESR is number 2 of the 3 models there. It has -0.0200 [-0.0300, -0.0100] ")
    assert said.endswith("the interval does not exclude a loss of more than 0.003.")
    assert places.films(ndcg, BETTER).endswith("the interval excludes a loss of more than 0.003.")
    assert "does not exclude a loss of more than 0.003" in places.films(ndcg, UNDECIDED)


def test_opponents_of_whom_the_same_can_be_said_share_a_sentence():
    gains = {"id_unit": {"films": BETTER, "world 1": BETTER}, "raw": {"films": BETTER}, "words": {"films": WORSE}}
    assert places.tally(gains, "in both") == (
        "It is ahead of ID vectors of one length, the MLLM's raw vectors in both. "
        "It is behind the bag of words in both."
    )


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ({"a": BETTER, "b": BETTER, "c": UNDECIDED}, "ahead of {} everywhere, but for c (not told apart)"),
        ({"a": BETTER, "b": BETTER, "c": WORSE}, "ahead of {} everywhere, but for c (behind)"),
        ({"a": BETTER, "b": UNDECIDED, "c": UNDECIDED}, "ahead of {} in this only: a (not told apart: b, c)"),
        ({"a": BETTER, "b": UNDECIDED, "c": WORSE}, "ahead of {} in this only: a (not told apart: b; behind: c)"),
        ({"a": BETTER, "b": WORSE, "c": WORSE}, "ahead of {} in this only: a (behind: b, c)"),
        ({"a": UNDECIDED, "b": WORSE}, "not told apart from {} (a; behind: b)"),
        ({"a": UNDECIDED}, "not told apart from {} (a)"),
        ({"a": WORSE, "b": WORSE}, "behind {} everywhere"),
    ],
)
def test_places_are_named_where_it_is_not_always_ahead(some, said):
    assert places.tally({"raw": some}) == f"It is {said.format(NAMES['raw'])}."


UP, OPEN = (0.02, 0.01, 0.03), (0.01, -0.01, 0.03)


def test_where_it_is_worth_it_true_facts_are_nobodys_option():
    panels = {
        "1,200 items": {"ID": {2.25: OPEN, 4.5: UP, 9.0: UP}, "words": {2.25: OPEN}, "fact oracle": {4.5: OPEN}},
        "4,800 items": {"ID": {1.0: OPEN}},
    }
    assert places.worth(panels) == (
        "Leave the true facts aside. With a catalogue of 1,200 items it is ahead of all of them at 4.5, 9 events per "
        "item (at 2.2, not of: ID, words); of 4,800 items it is nowhere ahead of all of them (at 1, not of: ID)."
    )
