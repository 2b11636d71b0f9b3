"""Scores and gains by group, as a table and in words."""

from __future__ import annotations

import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import groups


def test_the_table_has_a_column_for_all_cases_and_one_per_group():
    scores = {"ID only": {"all": (0.25, 0.2, 0.3), "head": (0.5, 0.4, 0.6)}}
    gains = {"plain": {"all": BETTER, "head": WORSE}, "unit": {"all": UNDECIDED, "head": BETTER}}
    table = groups.table(scores, gains, {"head": 3}, 10)
    assert list(table.index) == ["cases", "ID only", *groups.GAINS.values()]
    assert table["all"].tolist() == [
        "100%", "0.2500", "+0.0200 [+0.0100, +0.0300]", "+0.0100 [-0.0100, +0.0300]",
    ]  # fmt: skip
    assert table["head"].tolist()[:2] == ["30%", "0.5000"]


@pytest.mark.parametrize(
    ("simple", "words"),
    [(BETTER, "score higher than"), (WORSE, "score lower than"), (UNDECIDED, "are not told apart from")],
)
def test_the_simple_model_comes_first(simple, words):
    text = groups.simpler(simple, dict.fromkeys(("head", "all"), UNDECIDED))
    assert text.startswith(f"ID vectors of one length, and nothing else, {words} DMESR (")
    assert text.endswith("with vectors of one length on both sides, DMESR is told apart from them nowhere.")


def test_groups_are_named_by_verdict():
    assert groups.against_any_length({"head": BETTER, "tail": WORSE, "cold": UNDECIDED, "all": BETTER}) == (
        "Against ID vectors of any length, DMESR is ahead on head, all cases and behind on tail and not told apart on "
        "cold."
    )


@pytest.mark.parametrize(("change", "where"), [(BETTER, "ahead"), (WORSE, "behind")])
def test_one_verdict_for_all_groups_is_said_once(change, where):
    gains = dict.fromkeys(("head", "all"), change)
    assert groups.against_any_length(gains).endswith(f"DMESR is {where} everywhere.")
    assert groups.simpler(UNDECIDED, gains).endswith(f"DMESR is {where} everywhere.")
