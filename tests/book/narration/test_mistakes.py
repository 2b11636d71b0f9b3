"""Mistakes in words and tables."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import mistakes
from dmesr_core.data.bazaar.reasons import REASONS
from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.foreseen import CEILING, NO_PULLS, NO_TYPES
from dmesr_core.evaluation.ranking import Ranks

CHANCES = np.eye(5)[[0, 0, 1, 2, 3, 4]]  # (6, 5), each case has one reason


def first_for(right) -> Ranks:
    """Ranks of six cases: first where right, else far behind."""
    return Ranks(np.where(right, 0, 50), np.ones(6, int))


def all_ranks() -> dict[str, Ranks]:
    right = {"id_only": 0, "dmesr": 1, "fact_oracle": 2, CEILING: 3, NO_TYPES: 3, NO_PULLS: 0}
    return {name: first_for(np.arange(6) < n) for name, n in right.items()}


def test_what_is_foreseen_by_reason_and_of_all():
    found = mistakes.foreseen(all_ranks(), CHANCES)
    assert list(found) == list(mistakes.LABELS.values())
    assert found["DMESR"][REASONS[0]] == 0.5 and found["ceiling"][REASONS[0]] == 1
    assert found["DMESR"][mistakes.ALL] == found["DMESR"][mistakes.NDCG] == pytest.approx(1 / 6)
    table = mistakes.table(found, CHANCES)
    assert table.columns[0] == "share of purchases" and table.loc[REASONS[0], "share of purchases"] == "33%"
    assert table["DMESR"].tolist() == ["50%", "0%", "0%", "0%", "0%", "17%", "0.167"]


def test_without_reasons_the_table_has_all_purchases_only():
    ranks = {name: all_ranks()[name] for name in ("id_only", "dmesr")}
    found = mistakes.foreseen(ranks, None)
    assert mistakes.table(found, None).to_dict() == {
        "ID only": {mistakes.ALL: "0%", mistakes.NDCG: "0.000"},
        "DMESR": {mistakes.ALL: "17%", mistakes.NDCG: "0.167"},
    }
    nothing = "Without the process behind the log there is nothing to compare with."
    assert mistakes.missing(found, None) == mistakes.farthest_from_ceiling(found) == nothing
    assert "has no known ceiling" in mistakes.hopeless(ranks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (WORSE, "pulls are worth more than types."),
        (BETTER, "types are worth more than pulls."),
        (UNDECIDED, "which of the two is worth more is open."),
    ],
)
def test_what_the_oracle_lacks_is_what_the_ceiling_would_miss_most(change, words):
    costs = {"types": UNDECIDED, "pulls": WORSE, "pulls against types": change}
    text = mistakes.missing(mistakes.foreseen(all_ranks(), CHANCES), costs)
    assert text.startswith("The fact oracle's NDCG@10 is 0.333 and the ceiling's 0.500; without types of shoppers")
    assert text.endswith(f"without pulls by -0.020 [-0.030, -0.010]: {words}")


def test_the_reason_that_the_oracle_misses_most():
    text = mistakes.farthest_from_ceiling(mistakes.foreseen(all_ranks(), CHANCES))
    assert text == f"The fact oracle is farthest from it at “{REASONS[1]}”: 0% against 100%."


def test_hopeless_cases_are_a_share_of_our_misses():
    ranks = all_ranks()
    assert mistakes.hopeless(ranks).startswith("Of DMESR's misses, 60% are missed by the ceiling as well")
    assert "misses, 0% are" in mistakes.hopeless(ranks | {"dmesr": first_for(np.ones(6, bool))})


def test_reasons_are_known_in_a_world_only(make_catalogue, monkeypatch):
    monkeypatch.setattr(mistakes, "why", lambda process, cases: (process, cases))
    known = Dataset("bazaar", make_catalogue(3), None, SimpleNamespace(process="process"))
    assert mistakes.chances_of_reasons(known, "cases") == ("process", "cases")
    assert mistakes.chances_of_reasons(Dataset("folder", make_catalogue(3), None), "cases") is None
