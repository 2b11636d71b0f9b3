"""Mistakes in words and tables."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_material import make_material

from dmesr_core.book.narration import mistakes
from dmesr_core.data.bazaar.reasons import REASONS
from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.disagreements import BOTH, NEITHER, OURS, THEIRS, kinds_of_cases
from dmesr_core.evaluation.ranking import Ranks


def test_the_table_describes_each_kind_and_leaves_gaps_where_there_is_no_case():
    split = make_material().split
    right = np.arange(len(split.test)) < 30
    columns = mistakes.table(kinds_of_cases(right, right), split, ceiling_right=~right)
    assert columns["cases"] == {BOTH: 30, OURS: 0, THEIRS: 0, NEITHER: len(split.test) - 30}
    assert columns["the ceiling is right"] == {BOTH: "0%", OURS: "", THEIRS: "", NEITHER: "100%"}
    assert columns["cold targets"][BOTH] == f"{4 / 30:.0%}"
    assert columns["median length of history"][BOTH] == "5"
    assert "the ceiling is right" not in mistakes.table(kinds_of_cases(right, right), split)


@pytest.mark.parametrize(("n", "words"), [(30, "more than that"), (10, "fewer than that"), (20, "as many as that")])
def test_disagreements_are_compared_with_those_of_two_seeds(n, words):
    text = mistakes.luck(20, {OURS: n, THEIRS: 30})
    assert "wrong in 20 cases" in text
    assert text.endswith(
        f"that only the ID model foresees are more than that; those that only DMESR foresees are {words}."
    )


def test_with_one_training_luck_is_unknown():
    assert mistakes.luck(None, {OURS: 1, THEIRS: 1}).startswith("With a single training of each")


def test_hopeless_cases_are_a_share_of_our_misses():
    ours, ceiling = np.array([True, False, False, False, False]), np.array([False, True, False, False, False])
    assert mistakes.hopeless(ours, ceiling) == (0.75, ".0%")
    assert mistakes.hopeless(np.ones(5, bool), ceiling) == (0.0, ".0%")
    assert mistakes.hopeless(ours, None) == ("An unknown share", "")
    assert "missed by the ceiling" in mistakes.hopeless_note(True)
    assert "no known ceiling" in mistakes.hopeless_note(False)


def test_a_heading_has_ranks_and_the_most_probable_reason():
    ranks = {"dmesr": Ranks(np.array([0, 2]), np.array([1, 1])), "id_only": Ranks(np.array([5, 99]), np.array([1, 1]))}
    assert mistakes.heading("only DMESR right", 1, ranks, None) == "only DMESR right: rank 3 for DMESR, 100 for ID only"
    chances = np.eye(5)[[0, 3]] * 0.6 + 0.08
    assert mistakes.heading("x", 1, ranks, chances).endswith(f" · {REASONS[3]} (68%)")


def test_an_item_is_described_by_its_facts_or_its_title(make_catalogue):
    data = Dataset("folder", make_catalogue(3), None)
    assert mistakes.item(data, 2) == "Title a2"
    facts = {"pattern": "dotted", "colour": "red", "category": "hat", "series": "Stovael"}
    known = Dataset(
        "bazaar", make_catalogue(3), None, SimpleNamespace(facts=SimpleNamespace(of=[{}, facts].__getitem__))
    )
    assert mistakes.item(known, 2) == "dotted red hat, Stovael"


def test_reasons_name_where_the_two_kinds_differ_most():
    overall, chances = dict.fromkeys(REASONS, 0.2), np.full((4, 5), 0.2)
    ours = overall | {REASONS[1]: 0.5, REASONS[3]: 0.1}
    theirs = overall | {REASONS[4]: 0.25}
    text = mistakes.reasons(chances, {OURS: ours, THEIRS: theirs})
    assert f"more often “{REASONS[1]}” (50% against 20%)" in text
    assert f"more often “{REASONS[3]}” (20% against 10%)" in text
    alone = mistakes.reasons(chances, {OURS: ours})
    assert alone.startswith("Over all cases: ") and "differ most" not in alone
    assert mistakes.reasons(None, {}) == "Why things are bought is known in the Bazaar only."


def test_what_is_foreseen_by_reason_and_what_is_farthest_from_the_ceiling():
    chances = np.eye(5)[[0, 0, 1, 2, 3, 4]]  # (6, 5), each case has one reason
    right = {"id_only": np.zeros(6, bool), "dmesr": np.arange(6) == 0, "ceiling": np.arange(6) < 3}
    table = mistakes.foreseen_by_reason(chances, right)
    assert table[REASONS[0]] == {"ID only": 0.0, "DMESR": 0.5, "ceiling": 1.0}
    text = mistakes.farthest_from_ceiling(table)
    assert f"at “{REASONS[1]}”: 0% against 100%" in text
    assert mistakes.foreseen_table(table).data.loc[REASONS[0], "DMESR"] == 0.5
    assert mistakes.foreseen_by_reason(None, {"id_only": right["id_only"]}) is None
    unknown = mistakes.foreseen_table(None).data
    assert unknown.index.tolist() == ["this needs the Bazaar"]
    assert unknown.iloc[0].to_dict() == {"ID only": 0.0, "DMESR": 0.0, "ceiling": 0.0}
    assert mistakes.farthest_from_ceiling(None).startswith("Without the process behind the log")


def test_mean_chances_by_kind_have_the_names_of_reasons():
    chances = np.eye(5)[[0, 0, 1]]
    found = mistakes.reasons_by_kind(chances, {OURS: np.array([True, False, True]), BOTH: np.zeros(3, bool)})
    assert list(found) == [OURS] and found[OURS][REASONS[1]] == 0.5
    assert mistakes.reasons_by_kind(None, {OURS: np.ones(3, bool)}) == {}


def test_reasons_are_known_in_a_world_only(make_catalogue, monkeypatch):
    monkeypatch.setattr(mistakes, "why", lambda process, cases: (process, cases))
    known = Dataset("bazaar", make_catalogue(3), None, SimpleNamespace(process="process"))
    assert mistakes.chances_of_reasons(known, "cases") == ("process", "cases")
    assert mistakes.chances_of_reasons(Dataset("folder", make_catalogue(3), None), "cases") is None
