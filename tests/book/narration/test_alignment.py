"""Sentences of chapter 4: for facts that rise, fall and stay, and without known facts."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.book.narration import alignment
from dmesr_core.book.narration.alignment import best_temperature, category_recall, confused, kept_facts

ALL, HALF, NONE = np.ones(40, bool), np.arange(40) % 2 == 0, np.zeros(40, bool)


def test_each_fact_has_a_verdict_of_its_own():
    after = {
        ("picture", "category"): ALL, ("text", "category"): HALF, ("picture", "colour"): NONE,
        ("text", "material"): NONE, ("text", "use"): ALL,
    }  # fmt: skip
    hits = {(view, "aligned", fact): hit for (view, fact), hit in after.items()}
    hits |= {(view, "coarse", fact): HALF for view, fact in after}
    sentence = kept_facts(hits, 200, 0)
    assert "rises (50.0% to 100.0%) in the picture view" in sentence
    assert "does not change beyond noise (50.0% to 50.0%) in the text view" in sentence
    assert "only the picture shows, falls (50.0% to 0.0%)" in sentence
    assert "only the words say, falls (50.0% to 0.0%)" in sentence
    assert sentence.endswith("in the words as well, rises (50.0% to 100.0%).")


def test_without_known_facts_nothing_is_claimed():
    assert kept_facts({}, 200, 0) == "Without known facts there is nothing to probe."


def test_facts_of_a_readers_own_are_named_one_by_one():
    right, wrong = np.ones(50, bool), np.zeros(50, bool)
    hits = {("picture", "coarse", "category"): wrong, ("text", "coarse", "category"): right}
    hits |= {(view, "aligned", "category"): right for view in ("picture", "text")}
    assert kept_facts(hits, 200, 0) == (
        "The fact 'category' rises (0.0% to 100.0%) in the picture view and "
        "does not change beyond noise (100.0% to 100.0%) in the text view."
    )
    assert category_recall(None) == ""
    assert "colour" not in best_temperature([0.1, 1.0], [0.2, 0.1])


def test_known_categories_have_a_recall():
    assert category_recall(0.123).endswith("would find 12%.")


def test_the_best_temperature_is_that_of_the_highest_recall():
    sentence = best_temperature([0.02, 0.1, 1.0], [0.2, 0.5, 0.5], colour=[0.9, 0.7, 0.4])
    assert "highest at a temperature of 0.1." in sentence  # the first of two equal ones
    assert sentence.endswith("colour of 90% of the items at 0.02 and of 40% at 1.")


def test_confused_pictures_are_counted():
    assert confused(2000, 1500, None) == (
        "Of 2,000 held-out pictures, 1,500 have another item's text nearest to them."
    )
    assert confused(2000, 1500, 0.5).endswith("In 50% of these cases the other item has the same category.")


CATEGORIES = {"category": ("hat", "hat", "bag", "hat")}


def test_partners_of_the_same_category_are_counted():
    items, others = np.array([1, 2, 3]), np.array([2, 3, 4])
    assert alignment.same_category(CATEGORIES, items, others) == pytest.approx(1 / 3)
    assert alignment.same_category(CATEGORIES, items[:0], others[:0]) is None
    assert alignment.same_category(None, items, others) is None
    assert alignment.same_category({"price": ("1",) * 9}, items, others) is None


def test_few_items_of_each_category_are_all_found():
    assert alignment.recall_by_category(CATEGORIES, np.array([1, 3])) == 1
    assert alignment.recall_by_category(None, np.array([1, 3])) is None
    assert alignment.recall_by_category({"price": ("1",) * 9}, np.array([1, 3])) is None
