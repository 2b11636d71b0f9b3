"""Sentences and captions of chapter 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmesr_core.book.narration.bazaar import cold_note, data_note, dearer_part, product_tile, real_data_note
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError


def test_data_other_than_the_bazaar_are_named_with_what_they_lack():
    assert "runs on the Bazaar" in data_note("bazaar", is_bazaar=True)
    assert "other data (movielens), for which nobody knows the facts" in data_note("movielens", is_bazaar=False)


def test_the_section_on_real_data_says_what_is_missing():
    assert "nothing to set beside" in real_data_note("bazaar", is_bazaar=True, mllm="tiny")
    tiny, other = (real_data_note("folder", is_bazaar=False, mllm=mllm) for mllm in ("tiny", "some/model"))
    assert tiny.startswith("This run was given folder: its most popular items")
    assert "no known facts, no known process and no ceiling" in other
    assert "the tiny MLLM has seen nothing but the Bazaar" in tiny
    assert "tiny MLLM" not in other


def test_cold_targets_have_a_ceiling_if_there_are_any():
    scores = {"ceiling": {"cold": (0.25, 0.2, 0.3)}, "popularity": {"cold": (0.0123, 0.0, 0.1)}}
    assert cold_note(scores) == "There the ceiling is 0.250, and popularity 0.012."
    assert "here there is none" in cold_note({"ceiling": {"head": (0.2, 0.1, 0.3)}, "popularity": {}})


@pytest.mark.parametrize(
    ("pulls", "types", "words"),
    [
        (0.3, 0.1, "the last purchase carries more than all before it"),
        (0.1, 0.3, "taste carries more than the last purchase"),
        (0.2, 0.2, "the last purchase carries more than all before it"),
    ],
)
def test_the_dearer_part_is_the_one_whose_loss_costs_more(pulls, types, words):
    assert dearer_part({"pulls": pulls, "types": types}) == words


def test_a_product_is_captioned_with_what_is_seen_and_one_fact_that_is_read():
    facts = {"pattern": ("plain", "dotted"), "colour": ("red", "navy"), "category": ("hat", "cup"),
             "brand": ("Alderby", "Castella"), "series": ("Stovael", "Brilo")}  # fmt: skip
    catalogue = Catalogue(("a", "b"), ("A", "B"), ("a", "b"), (Path("a.png"), Path("b.png")), facts=facts)
    assert product_tile(catalogue, 2) == (Path("b.png"), "dotted navy cup, Castella", "", "")
    assert product_tile(catalogue, 1, "bought", also="series", mark="answer") == (
        Path("a.png"), "plain red hat, Stovael", "answer", "bought",
    )  # fmt: skip
    with pytest.raises(DataError, match="known facts"):
        product_tile(Catalogue(("a",), ("A",), ("a",), (None,)), 1)
