"""Sentences on words and views: each branch says what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import views
from dmesr_core.data.bazaar.reasons import LOOK, REASONS, SERIES
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments.view_study import LABELS


def result(name, *values):
    return Result(name, {"ndcg@10": np.array(values)}, "p")


def test_the_table_has_a_difference_where_there_is_one():
    results = {"id_unit": result("id_unit", 0.25, 0.75), "dmesr_views": result("dmesr_views", 1.0, 0.5)}
    found = views.table(results, {"id_unit": BETTER}, LABELS, {"id_unit": "ID, dropout 0.2"})
    assert found.loc["ID only, of one length"].tolist() == ["ID, dropout 0.2", "0.5000", "+0.0200 [+0.0100, +0.0300]"]
    assert found.loc["DMESR, words and mixture"].tolist() == ["", "0.7500", ""]


def test_whom_it_leads():
    gains = {"id_unit": BETTER, "words_mixture": UNDECIDED, "fact_mixture": WORSE, "words": BETTER}
    assert views.lead(gains) == (
        "is ahead of ID vectors of one length, the bag of words; "
        "is not told apart from the mixture on words; is behind the mixture on the true facts"
    )
    assert views.lead({"id_unit": WORSE}) == "is behind ID vectors of one length"


def test_many_others_are_counted():
    behind = dict.fromkeys(("id_unit", "words", "raw", "llm_emb"), BETTER)
    assert views.lead(behind) == "is ahead of all 4 others"
    assert views.lead(behind | {"fact_mixture": UNDECIDED}) == (
        "is ahead of 4 of 5 others; is not told apart from the mixture on the true facts"
    )


def test_every_opponent_has_a_name_in_sentences():
    others = LABELS.keys() - {"popularity", "dmesr_views"}
    assert others <= views.NAMES.keys()


@pytest.mark.parametrize(
    ("gain", "words"),
    [(BETTER, "ahead (+0.0200"), (WORSE, "behind (-0.0200"), (UNDECIDED, "not told apart ("), (None, "not compared")],
)
def test_against_one_opponent(gain, words):
    assert views.against(gain).startswith(words)


def test_scores_on_some_cases():
    results = {"dmesr_views": result("dmesr_views", 0.25, 0.75, 0.5)}
    assert views.on_cases(results, np.array([True, False, True])) == {"dmesr_views": 0.375}
    assert views.on_cases(results, np.zeros(3, bool)) == {}


def test_cold_items_beside_the_others():
    text = views.cold({"id_unit": 0.0, "dmesr_views": 0.1}, {"dmesr_views": 0.2})
    assert text == (
        "DMESR has an NDCG@10 of 0.100 on cold items, 50% of what it reaches on the others (0.200); "
        "beside it: ID vectors of one length 0.000."
    )
    assert views.cold({}, {"dmesr_views": 0.2}) == "No test case asks for a cold item here."


def test_what_offers_cold_items():
    scores = {"dmesr": 0.01, "views_one_softmax": 0.03, "views_no_words": 0.02, "dmesr_views": 0.09, "views_no_id": 0.1}
    assert views.cold_parts(scores | {"views_loud_id": 0.05}) == (
        "NDCG@10 on cold items is 0.090 with all three parts; 0.020 without learned words, 0.030 without a mixture, "
        "0.050 with the ID vector of chapter 6, 0.010 with none of the three."
    )
    assert "chapter 6, " not in views.cold_parts(scores)
    assert views.cold_parts({}) == "No test case asks for a cold item here."


def test_parts_that_need_each_other_are_named():
    costs = {"views_no_words": BETTER, "views_one_softmax": WORSE, "views_loud_id": UNDECIDED, "dmesr": UNDECIDED}
    said = views.need_each_other(costs)
    assert said.startswith("Mind that parts need each other: giving up the mixture alone costs more than giving up all")
    assert views.need_each_other(costs | {"dmesr": WORSE}).startswith("No part taken away alone costs more")


def test_the_road_needs_a_ceiling():
    assert views.road_shares({"popularity": 0.1}) == {}
    ends = {
        "popularity": 0.1,
        "ceiling": 0.3,
        "dmesr": 0.2,
        "dmesr_views": 0.25,
        "fact_oracle": 0.2,
        "fact_mixture": 0.24,
    }
    shares = views.road_shares(ends)
    assert shares["dmesr_views"] == pytest.approx(0.75)
    assert views.rest_of_the_road(shares).startswith(
        "Of the road from popularity to the ceiling the DMESR of chapter 6 covers 50%, this one 75%, "
        "and the better of the two fact oracles 70%. What is left"
    )
    assert views.rest_of_the_road({}) == "Nobody knows the ceiling of this data."


def test_the_second_table_says_what_it_is():
    assert views.sparse_intro(1).startswith("Here is one data set only")
    assert "four times as many items" in views.sparse_intro(2)


def test_advice_names_who_did_better_first():
    gains = {"words": WORSE, "id_unit": UNDECIDED, "llm_emb": BETTER, "fact_mixture": WORSE}
    assert views.advice(gains) == "DMESR is not the one to take: the bag of words did better"
    assert views.advice(gains | {"words": BETTER}).endswith("not shown to be ahead of ID vectors of one length")
    assert views.advice({"words": BETTER, "fact_oracle": WORSE}).startswith("DMESR is worth it")


def test_whether_mixing_helps_others():
    said = views.mixing({"words": WORSE, "fact_oracle": BETTER, "id_unit": UNDECIDED})
    assert said.startswith("words lose (-0.0200") and "; the true facts gain (+0.0200" in said
    assert "ID vectors are not shown to change" in said
    assert views.mixing({}) == "not compared here"


def test_the_price_is_a_ratio():
    assert "took 2.5 times as long as one of ID vectors" in views.price(5.0, 2.0)
    assert views.price(None, 2.0) == views.price(5.0, 0.0) == "What it costs was not measured here."


def test_shares_of_views_by_reason():
    shares = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0.5, 0.5]])
    chances = np.full((3, len(REASONS)), 1e-9)
    chances[:2, 0], chances[2, 1] = 1, 1
    rows = views.shares_by_reason(shares, chances)
    assert list(rows[REASONS[0]].values()) == pytest.approx([0.5, 0.5, 0], abs=1e-6)
    assert list(rows[REASONS[1]].values()) == pytest.approx([0, 0.5, 0.5], abs=1e-6)
    assert views.purchases_by_reason(chances, 3)[REASONS[0]] == 2


def labour(pulls, others):
    rows = {r: {views.VIEWS[0]: pulls if r in (SERIES, LOOK) else others, views.VIEWS[1]: 0.0} for r in REASONS}
    return views.division_of_labour(rows)


def test_the_division_of_labour_is_said_where_there_is_one():
    said = labour(0.9, 0.2)
    assert f"gives 90% where the reason is “{SERIES}”, 90% where the reason is “{LOOK}”, 20% where" in said
    assert said.endswith("the others took taste.")
    assert labour(0.9, 0.6).endswith("the views give the rest.")


def test_where_reasons_are_not_known_there_is_one_row():
    rows = views.shares_by_reason(np.array([[0.5, 0.25, 0.25]]), None)
    assert list(rows) == ["all purchases"] and views.purchases_by_reason(None, 7) == {"all purchases": 7}
    assert views.division_of_labour(rows) == "Reasons are known in the Bazaar only."
