"""Chapter 7 in words: every verdict, and what is said where something is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.study_records import BY_TIME, HOME, make_record

from dmesr_core.book.narration import backbones as words
from dmesr_core.data.bazaar.facts import CATEGORIES
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.experiments.budget import LongerTraining

BETTER, WORSE, OPEN = Paired(0.02, 0.01, 0.03, 0), Paired(-0.02, -0.03, -0.01, 0), Paired(0.01, -0.01, 0.03, 0.4)
BOTH = {HOME: ["gru4rec", "sasrec"], BY_TIME: ["sasrec"]}
ALL = {at: ["gru4rec", "sasrec", "bert4rec"] for at in words.PLANNED}


def gains(*changes, name="id_only"):
    """The changes, in the order of the cells of BOTH."""
    keys = [(at, b, name) for at, backbones in BOTH.items() for b in backbones]
    return dict(zip(keys, changes, strict=True))


def test_a_complete_grid_needs_no_note():
    assert words.grid_note(ALL, own_data=False, smoke=False) == "All planned data sets are there."


def test_the_note_names_missing_data_sets_and_backbones():
    some = {at: b for at, b in ALL.items() if at[0] != "movielens"} | {HOME: ["sasrec"]}
    assert words.grid_note(some, own_data=False, smoke=False) == (
        "Of the planned data sets, there are no rows yet for: MovieLens. "
        "There are no rows yet with GRU4Rec, BERT4Rec on Bazaar."
    )


def test_data_of_ones_own_and_the_smoke_profile_are_said():
    own = {("folder", "leave-one-out"): ["gru4rec", "sasrec", "bert4rec"]}
    note = words.grid_note(own, own_data=True, smoke=True)
    assert note.startswith("The data was named from outside, so a smaller grid was trained for this page. This run is")
    assert "no rows yet" not in note


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ([], ""),
        ([(HOME, "sasrec")], "Bazaar (SASRec)"),
        ([(HOME, "sasrec"), (HOME, "gru4rec")], "Bazaar"),
        ([(BY_TIME, "sasrec", "raw"), (HOME, "gru4rec", "raw")], "Bazaar (GRU4Rec); Bazaar by time"),
    ],
)
def test_a_data_set_alone_stands_for_all_its_backbones(keys, wanted):
    assert words.where(keys, BOTH) == wanted


def test_contenders_at_or_below_popularity_are_named():
    scores = {(HOME, b, v): (s, 0, 1) for b in BOTH[HOME] for v, s in (("id_only", 0.1), ("raw", 0.2), ("dmesr", 0.3))}
    assert words.below_popularity(scores, {HOME: (0.05, 0, 1)}, BOTH) == "(there is none)"
    scores[HOME, "sasrec", "id_only"] = (0.3, 0, 1)
    found = words.below_popularity(scores, {HOME: (0.2, 0, 1)}, BOTH)
    assert found == "ID only on Bazaar (GRU4Rec) · raw vectors on Bazaar"


def test_the_highest_mean_wins_and_the_first_of_equals():
    scores = {(HOME, b, v): (0.1, 0, 1) for b in BOTH[HOME] for v in ("id_only", "raw", "dmesr")}
    assert words.wins(scores) == ("ID only (2)", 2)
    scores[HOME, "sasrec", "dmesr"] = (0.2, 0, 1)
    assert words.wins(scores) == ("ID only (1), DMESR (1)", 2)


def test_verdicts_count_all_three_and_say_where_it_is_not_better():
    assert words.verdicts(gains(BETTER, BETTER, BETTER), BOTH) == (
        "better in 3 of 3, worse in 0, and zero is inside in 0"
    )
    assert words.verdicts(gains(BETTER, WORSE, OPEN), BOTH) == (
        "better in 1 of 3, worse in 1 (Bazaar (SASRec)), and zero is inside in 1 (Bazaar by time)"
    )
    assert words.verdicts(gains(WORSE, WORSE, BETTER), BOTH) == (
        "better in 1 of 3, worse in 2 (Bazaar), and zero is inside in 0"
    )


def test_verdicts_of_some_comparisons_only():
    both = gains(BETTER, BETTER, BETTER) | gains(WORSE, WORSE, WORSE, name="raw")
    assert words.verdicts(both, BOTH, ["id_only"]).startswith("better in 3 of 3")
    assert words.verdicts(both, BOTH, ["raw", "id_only"]).startswith("better in 3 of 6")


def test_gains_backbone_by_backbone():
    both = gains(BETTER, WORSE, OPEN) | gains(OPEN, OPEN, OPEN, name="raw")
    found = words.by_backbone(both, HOME, "id_only")
    assert found == "GRU4Rec +0.020 [+0.010, +0.030]; SASRec -0.020 [-0.030, -0.010]"


def test_the_bazaar_has_an_article():
    assert words.home_name(HOME) == "the Bazaar"
    assert words.home_name(("folder", "leave-one-out")) == "your data"


def test_the_claim_stands_only_where_every_interval_is_above_zero():
    stands = words.home_verdict(gains(BETTER, BETTER, WORSE), HOME, ("id_only", "raw"))
    assert stands == ("2 of 2", "so against these two the claim stands there, for GRU4Rec and SASRec")
    for other in (OPEN, WORSE):
        count, story = words.home_verdict(gains(BETTER, other, BETTER), HOME, ("id_only",))
        assert count == "1 of 2"
        assert story == "so even against these two the claim does not stand there as it was made"


def test_the_spread_between_seeds_is_known_only_with_several():
    assert words.seed_note([float("nan")] * 2).startswith("There is only one seed")
    note = words.seed_note([0.1, 0.3, 0.8, float("nan")])
    assert "makes up 30% of the variance" in note and "and 80% where it is largest" in note


def test_the_best_weight_decay():
    shared, other = {1.0: 0.1, 2.0: 0.3}, {1.0: 0.4, 2.0: 0.3}
    one, two = ("sasrec", "id_only"), ("gru4rec", "dmesr")
    start = "The shared weight decay, 2, is the best of these for "
    assert words.decay_story({one: shared, two: shared}, 2.0) == f"{start}ID only (SASRec), DMESR (GRU4Rec)."
    assert words.decay_story({one: shared, two: other}, 2.0) == f"{start}ID only (SASRec); DMESR (GRU4Rec) likes 1."
    assert words.decay_story({one: other}, 2.0) == f"{start}nobody; ID only (SASRec) likes 1."
    assert words.decay_story({}, 2.0) == "These two checks exist on the Bazaar only."


def test_more_epochs():
    usual = {("sasrec", "id_only"): 0.1, ("sasrec", "dmesr"): 0.3}
    more = {("sasrec", "id_only"): 0.12, ("sasrec", "dmesr"): 0.29}
    longer = LongerTraining(usual, more, {(HOME, "sasrec", "id_only"): BETTER, (HOME, "sasrec", "id_unit"): WORSE})
    assert words.lifted(longer) == "SASRec: +0.020 to ID only, -0.010 to DMESR"
    assert words.longer_story(longer, BOTH, ["id_only"]) == (
        "With twice the epochs, DMESR against the four opponents is better in 1 of 1, worse in 0, and zero is inside "
        "in 0. Against ID vectors of equal length it is better in 0 of 1, worse in 1 (Bazaar (SASRec)), and zero is "
        "inside in 0."
    )


def test_more_epochs_were_not_tried():
    nothing = LongerTraining({}, {}, {})
    assert words.lifted(nothing) == "not tried on this data"
    assert words.longer_story(nothing, BOTH, ["id_only"]) == "These two checks exist on the Bazaar only."


@pytest.mark.parametrize(("duels", "behind"), [((BETTER,) * 3, 0), ((WORSE,) * 3, 3), ((BETTER, WORSE, OPEN), 2)])
def test_an_opponent_is_behind_only_where_it_is_clear(duels, behind):
    found = words.simple_opponent(gains(*duels, name="duel") | gains(WORSE, WORSE, WORSE), "duel")
    assert found == f"were not clearly behind in {behind} of 3 combinations of data and backbone"


def test_a_gain_is_lost_where_it_was_clear_and_is_no_longer():
    clear = gains(BETTER, BETTER, OPEN)
    kept = words.lost_gains(gains(BETTER, BETTER, WORSE, name="duel"), "duel", clear, BOTH)
    assert kept == "No gain over ID only that was clear above is lost"
    for other in (OPEN, WORSE):
        lost = words.lost_gains(gains(BETTER, other, OPEN, name="duel"), "duel", clear, BOTH)
        assert lost.endswith("these are no longer clear: Bazaar (SASRec)")


def test_ranks():
    average = {"DMESR": (1.25, 1, 2), "ID only": (3.0, 2, 4), "popularity": (6.0, 6, 6)}
    assert words.first_rank(average) == "DMESR (average rank 1.25)"
    assert words.rank_spread(average) == 4.75


def test_trainings_that_come_out_the_same():
    same = [make_record("dmesr"), make_record("raw")]
    assert words.again_verdict(same, same) == "every test case has the rank that was stored"


def test_trainings_that_come_out_differently():
    old, new = make_record("dmesr", above=0), make_record("dmesr", above=1)
    verdict = words.again_verdict([old], [new])
    assert verdict.startswith("the largest difference in NDCG@10 is 0.3691. Another machine")
    assert words.again_verdict([replace(old, code="earlier")], [new]).endswith(
        "The stored rows were made by an earlier state of this code, which may explain it"
    )


def test_answers_that_name_a_product_are_counted():
    assert words.product_names([f"A red {CATEGORIES[0].title()}.", f"{CATEGORIES[1]}, {CATEGORIES[2]}", "a hill"]) == 2
    assert words.product_names([]) == 0
