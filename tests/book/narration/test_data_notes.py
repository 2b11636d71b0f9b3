"""Notes on the data: nothing to warn of on the Bazaar, and what is missing elsewhere."""

from __future__ import annotations

import pytest

from dmesr_core.book.narration.data_notes import alignment_note, comparison_note, fusion_note

NOTES = [
    lambda mllm, facts_known: alignment_note("shop", 1600, 400, mllm, facts_known),
    lambda mllm, facts_known: fusion_note("shop", 2000, mllm, facts_known),
]


@pytest.mark.parametrize("note", NOTES)
def test_a_warning_belongs_to_unknown_facts_and_to_the_tiny_model_on_them(note):
    plain = note("tiny", True)
    assert plain == note("owner/model", True)
    assert "shop" in plain
    assert plain.count(".") == 1
    unknown = note("owner/model", False)
    assert unknown.startswith(plain)
    assert "true facts" in unknown
    assert "tiny MLLM" not in unknown
    assert "tiny MLLM" in note("tiny", False)
    assert note("tiny", False).endswith(unknown[len(plain) :])


def test_sizes_have_thousands_separators():
    assert "aligns 1,600 items" in alignment_note("shop", 1600, 400, "tiny", True)
    assert "measures on 400 others" in alignment_note("shop", 1600, 400, "tiny", True)
    assert "uses 2,000 items" in fusion_note("shop", 2000, "tiny", True)


def test_a_comparison_names_the_limits_of_its_data():
    assert "small closed world" in comparison_note("bazaar", "owner/model")
    assert "close to noise" in comparison_note("folder", "tiny")
    assert comparison_note("folder", "owner/model") == "The views come from owner/model."
