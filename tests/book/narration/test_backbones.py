"""Chapter 7 in words: every verdict, and what is said where something is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.study_records import BY_TIME, HOME, make_record

from dmesr_core.book.narration import backbones as words
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
        ([(HOME, "sasrec")], "the Bazaar (SASRec)"),
        ([(HOME, "sasrec"), (HOME, "gru4rec")], "the Bazaar"),
        ([(BY_TIME, "sasrec", "raw"), (HOME, "gru4rec", "raw")], "the Bazaar (GRU4Rec); the Bazaar by time"),
    ],
)
def test_a_data_set_alone_stands_for_all_its_backbones(keys, wanted):
    assert words.where(keys, BOTH) == wanted


def test_the_highest_means_are_counted_the_most_frequent_first_and_the_first_of_equals():
    scores = {(HOME, b, v): (0.1, 0, 1) for b in BOTH[HOME] for v in ("id_only", "raw", "dmesr")}
    start = "The highest mean in 2 combinations of data and backbone belongs to "
    end = ", and every contender is above popularity."
    popularity = {HOME: (0.05, 0, 1)}
    assert words.score_story(scores, popularity) == f"{start}ID only (2){end}"
    scores[HOME, "sasrec", "dmesr"] = (0.2, 0, 1)
    assert words.score_story(scores, popularity) == f"{start}ID only (1) and DMESR (1){end}"


def test_contenders_at_or_below_popularity_are_named():
    scores = {(HOME, b, v): (s, 0, 1) for b in BOTH[HOME] for v, s in (("id_only", 0.1), ("raw", 0.2), ("dmesr", 0.3))}
    scores[HOME, "sasrec", "id_only"] = (0.3, 0, 1)
    found = words.score_story(scores, {HOME: (0.2, 0, 1)})
    assert found.endswith("; not above popularity: raw vectors (2) and ID only (1).")


@pytest.mark.parametrize(
    ("changes", "count", "behind"),
    [
        ((BETTER, BETTER, BETTER), "3 of 3", "nowhere clearly behind"),
        ((BETTER, OPEN, OPEN), "1 of 3", "nowhere clearly behind"),
        ((BETTER, WORSE, OPEN), "1 of 3", "clearly behind ID only on the Bazaar (SASRec)"),
        ((WORSE, WORSE, WORSE), "0 of 3", "clearly behind ID only on the Bazaar; the Bazaar by time"),
    ],
)
def test_a_lead_counts_what_is_clear_and_names_what_is_lost(changes, count, behind):
    assert words.lead(gains(*changes), BOTH) == (
        f"ahead of ID only in {count} combinations of data and backbone; it is {behind}"
    )


def test_a_lead_over_several_opponents():
    several = gains(BETTER, OPEN, OPEN) | gains(WORSE, OPEN, OPEN, name="raw")
    several |= gains(OPEN, OPEN, WORSE, name="llm_emb")
    assert words.lead(several, BOTH) == (
        "ahead of ID only in 1 of 3 combinations of data and backbone, of raw vectors in 0 of 3 and of LLMEmb-like in "
        "0 of 3; it is clearly behind raw vectors on the Bazaar (GRU4Rec) and LLMEmb-like on the Bazaar by time"
    )


def test_clear_gains_are_counted_by_data_set():
    assert words.clear_by_data(gains(BETTER, OPEN, WORSE)) == "1 of 2 on the Bazaar and 0 of 1 on the Bazaar by time"
    assert words.clear_by_data(gains(BETTER, BETTER, BETTER)) == "2 of 2 on the Bazaar and 1 of 1 on the Bazaar by time"


@pytest.mark.parametrize(
    ("against", "equal", "counts", "behind"),
    [
        ((BETTER, OPEN, OPEN), (BETTER, BETTER, OPEN), ("1 of 3", "2 of 3"), "nowhere clearly behind those"),
        (
            (WORSE, OPEN, OPEN),
            (OPEN, OPEN, WORSE),
            ("0 of 3", "0 of 3"),
            "clearly behind those on the Bazaar (GRU4Rec); the Bazaar by time",
        ),
    ],
)
def test_what_vectors_of_one_length_leave_of_the_lead(against, equal, counts, behind):
    assert words.stronger_story(gains(BETTER, BETTER, BETTER), gains(*against), gains(*equal), BOTH) == (
        "DMESR is clearly ahead of plain ID vectors in 3 of 3 combinations of data and backbone, of ID vectors of one "
        f"length in {counts[0]}, and with vectors of one length itself in {counts[1]}; it is {behind}."
    )


def test_the_spread_between_seeds_is_known_only_with_several():
    assert words.seed_note([float("nan")] * 2).startswith("There is only one seed")
    note = words.seed_note([0.1, 0.3, 0.8, float("nan")])
    assert "makes up 30% of the variance" in note and "and 80% where it is largest" in note


def test_what_the_shared_weight_decay_costs():
    one, two = ("sasrec", "id_only"), ("gru4rec", "dmesr")
    found = words.decay_story({one: {1.0: 0.1, 2.0: 0.3}, two: {1.0: 0.45, 2.0: 0.3}}, 2.0)
    assert found == (
        "Against the best of those tried, the shared weight decay, 2, costs ID only at most 0.000, and no model more "
        "than 0.150 (DMESR with GRU4Rec)."
    )
    assert words.decay_story({}, 2.0) == "Other weight decays were tried on the Bazaar only."


def test_more_epochs():
    longer = LongerTraining({}, {}, {(HOME, "sasrec", "id_only"): BETTER, (HOME, "sasrec", "id_unit"): WORSE})
    assert words.longer_story(longer, BOTH) == (
        "With twice the epochs for all, DMESR is clearly ahead of ID only in 1 of 1 combinations of data and backbone "
        "and of ID vectors of one length in 0 of 1; it is clearly behind ID vectors of one length on the Bazaar "
        "(SASRec)."
    )
    assert words.longer_story(LongerTraining({}, {}, {}), BOTH) == "More epochs were tried on the Bazaar only."


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
