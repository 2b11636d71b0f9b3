"""Sentences on other places: each branch says what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import places
from dmesr_core.book.narration.views import NAMES
from dmesr_core.evaluation.results import Result


def test_the_table_has_a_row_per_model_and_leaves_out_what_was_not_trained():
    def result(value):
        return Result("m", {"ndcg@10": np.array([value])}, "p")

    results = {("films", "sasrec", "id_unit"): result(0.125), ("world", "sasrec", "dmesr_views"): result(0.25),
               ("world", "gru4rec", "id_unit"): result(0.5)}  # fmt: skip
    titles, labels = {"films": "Films", "world": "World 1"}, {"id_unit": "ID", "raw": "raw", "dmesr_views": "DMESR"}
    table = places.scores(results, titles, labels)
    assert table.index.tolist() == ["ID", "DMESR"] and table.columns.tolist() == ["Films", "World 1"]
    assert table.to_numpy().tolist() == [["0.125", ""], ["", "0.250"]]


def test_seeds_are_those_of_each_place():
    def result(*shape):
        return Result("m", {"ndcg@10": np.zeros(shape)}, "p")

    results = {("a", "sasrec", "popularity"): result(4), ("a", "sasrec", "id_unit"): result(3, 4),
               ("b", "sasrec", "id_unit"): result(1, 4), ("c", "sasrec", "id_unit"): result(1, 4)}  # fmt: skip
    cells = {("a", "sasrec"): "films", ("b", "sasrec"): "world 1", ("c", "sasrec"): "world 2", ("c", "gru4rec"): "none"}
    assert places.seeds(results, cells) == "3 seeds each (films); 1 seed each (world 1, world 2)"


def test_a_loss_on_films_is_excluded_or_not():
    ndcg = {"popularity": 0.05, "id_unit": 0.12, "dmesr_views": 0.1}
    said = places.films(ndcg, UNDECIDED, WORSE)
    assert said.startswith("By its mean DMESR is number 2 of 3 there. Its difference to ID vectors of one length is ")
    assert "among all comparisons, and -0.0300 to -0.0100 by itself: taken alone, it is behind them, and" in said
    assert said.endswith("the interval does not exclude a loss of more than 0.003.")
    better = places.films(ndcg, BETTER, BETTER)
    assert better.endswith("taken alone, it is ahead of them, and the interval excludes a loss of more than 0.003.")
    level = places.films(ndcg, UNDECIDED, UNDECIDED)
    assert "not told apart from them, and the interval does not exclude a loss of more than 0.003" in level


def test_parts_earn_their_place_or_not():
    costs = {"alignment": dict.fromkeys("ab", UNDECIDED), "attention": {"a": WORSE, "b": BETTER}, "words": {"a": WORSE}}
    assert places.earned(costs) == (
        "alignment earns its place in 0 of 2 places (not shown to matter: a, b); attention earns its place in 1 of 2 "
        "places (the score rises without it: b); words earns its place in 1 of 1 places"
    )


def test_opponents_of_whom_the_same_can_be_said_share_a_sentence():
    gains = {"id_unit": {"films": BETTER, "world 1": BETTER}, "raw": {"a": BETTER, "b": BETTER}, "words": {"a": BETTER}}
    assert places.tally(gains) == (
        "It is ahead of ID vectors of one length, the MLLM's raw vectors in all 2 places where they were tried. "
        "It is ahead of the bag of words in 1 place where they were tried."
    )


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ({"a": BETTER, "b": BETTER, "c": UNDECIDED}, "ahead of {} in 2 of 3 (not told apart: c)"),
        ({"a": BETTER, "b": UNDECIDED, "c": WORSE}, "ahead of {} in 1 of 3 (not told apart: b; behind: c)"),
        ({"a": UNDECIDED, "b": WORSE}, "ahead of {} in 0 of 2 (not told apart: a; behind: b)"),
        ({"a": WORSE, "b": WORSE}, "ahead of {} in 0 of 2 (behind: a, b)"),
    ],
)
def test_places_are_named_where_it_is_not_ahead(some, said):
    assert places.tally({"raw": some}) == f"It is {said.format(NAMES['raw'])}."


UP, OPEN, DOWN = (0.02, 0.01, 0.03), (0.01, -0.01, 0.03), (-0.02, -0.03, -0.01)


def test_where_it_is_worth_it_names_who_is_level_and_who_is_ahead():
    panels = {
        "1,200 items": {"ID": {2.25: OPEN, 4.5: UP, 9.0: UP}, "words": {2.25: DOWN}},
        "4,800 items": {"ID": {1.0: OPEN}},
    }
    histories = {"1,200 items": {2.25: 375, 4.5: 750, 9.0: 1500}, "4,800 items": {1.0: 750}}
    assert places.worth(panels, histories) == (
        "With a catalogue of 1,200 items it is ahead of all others with 750, 1,500 histories (with 375 not told apart "
        "from ID and behind words); of 4,800 items it is nowhere ahead of all others (with 750 not told apart from ID)."
    )
