"""Kinds of words, where facts are known and where they are not."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dmesr_core.book import word_kinds
from dmesr_core.evaluation.probes import MARK, OTHER

TOKENS = [["[CLS]", "red", "hat"], ["[CLS]", "a", "hat"]]
TRUTH = [{"series": "Sto", "colour": "red"}, {"series": "Vael", "colour": "blue"}]
KINDS = [[MARK, "colour", OTHER], [MARK, OTHER, OTHER]]
EVEN = np.full((2, 1, 3), 1 / 3)  # (N, V, L)


def test_tokens_have_the_kind_of_the_fact_that_they_name():
    assert word_kinds.of_tokens(TOKENS, TRUTH) == KINDS
    assert word_kinds.of_tokens(TOKENS, TRUTH, 2) == [kinds[:2] for kinds in KINDS]


def test_even_attention_is_one_times_itself():
    share = word_kinds.shares(EVEN.repeat(2, axis=1), KINDS, TRUTH[0], ["picture", "text"])
    even = word_kinds.shares(EVEN, KINDS, TRUTH[0], ["even"])
    assert list(share) == ["colour", MARK, OTHER]  # nothing names the series
    assert share.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert word_kinds.ratios(share, even) == {view: {"colour": 1.0, OTHER: 1.0} for view in ("picture", "text")}
    assert word_kinds.facts_among(share) == ["colour"]


def test_more_words_name_at_least_as_many_facts():
    parts = {"one": [kinds[:1] for kinds in KINDS], "all": KINDS}
    table = word_kinds.readable(parts, ["colour"])
    assert table["colour"].to_dict() == {"one": 0.0, "all": 0.5}


def test_maps_are_drawn_where_there_are_panels():
    figure = word_kinds.attention_maps([("hat", EVEN[0], TOKENS[0])], ["picture"], [[False, True, False]])
    assert figure.axes[0].get_title("left") == "hat"
    plt.close("all")


def test_without_facts_everything_is_empty():
    kinds = word_kinds.of_tokens(TOKENS, [])
    share = word_kinds.shares(EVEN, kinds, None, ["picture"])
    assert kinds == word_kinds.facts_among(share) == []
    assert share.to_dict() == word_kinds.ratios(share, share) == {}
    assert word_kinds.readable({"all": kinds}, []).to_dict() == {}
    assert word_kinds.attention_maps([], ["picture"], []) is None
