"""Figures of known facts, and none without them; those of a whole study are tested with `fact_study`."""

from __future__ import annotations

from helpers.small_differences import UNDECIDED, WORSE

from dmesr_core.book import optional_figures
from dmesr_core.book.fact_study import ErasureCosts, FactFindings


def labels(fig):
    return [text.get_text() for text in fig.axes[0].get_yticklabels()]


def test_without_facts_there_is_nothing_to_draw():
    assert optional_figures.fact_tables(FactFindings()) is None
    assert optional_figures.erasure_costs(ErasureCosts()) is None


def test_facts_are_shown_with_the_mean_of_each_group():
    tables = {"items": {"DMESR": {"colour": 0.2, "brand": 0.4}}}
    found = FactFindings(tables=tables, groups={"in the picture": ["colour"], "in the words": ["brand"]})
    assert labels(optional_figures.fact_tables(found)) == ["colour", "mean, picture", "brand", "mean, words"]


def test_the_largest_cost_comes_first_and_unused_facts_are_marked():
    erased = ErasureCosts({"size": UNDECIDED, "brand": WORSE}, {}, {"size"}, {})
    fig = optional_figures.erasure_costs(erased)
    assert labels(fig)[::-1] == ["brand", "size °"] and "a random control" in fig.axes[0].get_xlabel()
