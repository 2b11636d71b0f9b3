"""Checks against the facts of items, where they are known and where they are not."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dmesr_core.book import known_facts

FACTS = {"colour": ("red", "blue", "red"), "shape": ("round", "square", "round")}
TEXTS = ["a red thing", "a square", "a round red thing"]
SEEN = ["shape", "colour"]


@pytest.fixture(autouse=True)
def closed_figures():
    """No figure stays open."""
    yield
    plt.close("all")


def test_facts_by_item_follow_the_item_numbers():
    assert known_facts.by_item(FACTS)[1] == {"colour": "blue", "shape": "square"}
    assert known_facts.by_item(FACTS, [2, 1]) == [known_facts.by_item(FACTS)[k] for k in (1, 0)]


def test_labels_are_those_of_the_rows():
    found = known_facts.labels(FACTS, np.array([2, 1]), ["shape"])
    assert {name: values.tolist() for name, values in found.items()} == {"shape": ["round", "square"]}
    assert list(known_facts.labels(FACTS, np.array([0]))) == list(FACTS)


def test_named_facts_and_misses_are_opposites():
    table = known_facts.named(TEXTS, known_facts.by_item(FACTS))
    missed = known_facts.misses(table, SEEN)
    assert list(missed) == SEEN and missed.index.tolist() == [1, 2, 3]
    assert (missed.to_numpy() == ~table[SEEN].to_numpy()).all()
    assert known_facts.worst(missed, 5) == [1, 2]  # item 3 misses nothing
    assert known_facts.worst(missed, 1) == [1]
    assert known_facts.share_with_miss(missed) == 2 / 3
    assert known_facts.shares_named({"text": table})["text"]["colour"] == pytest.approx(2 / 3)


def test_a_guess_is_right_as_often_as_the_most_frequent_value():
    right = {"text": {"colour": np.array([True, False, False]), "shape": np.array([True, True, True])}}
    table = known_facts.with_guesses(known_facts.accuracies(right), FACTS, np.arange(3))
    assert table["text"].tolist() == pytest.approx([1 / 3, 1])
    assert table[known_facts.GUESS].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert known_facts.most_frequent(known_facts.by_item(FACTS), SEEN) == pytest.approx([2 / 3, 2 / 3])


def test_facts_of_a_catalogue_are_texts_with_names_of_their_own(make_catalogue):
    assert known_facts.of_catalogue(make_catalogue(2)) is None
    odd = {"other": (1, None), "": ("a", float("nan")), "none": ("x", ""), "mark": ("x", "y"), "price": (1.5, 2)}
    found = known_facts.of_catalogue(dataclasses.replace(make_catalogue(2), facts=odd))
    assert list(found) == ["fact 'other'", "fact ''", "fact 'none'", "fact 'mark'", "price"]
    assert found["fact 'other'"] == ("1", "") and found["fact ''"] == ("a", "") and found["price"] == ("1.5", "2")


def test_other_facts_stand_in_where_those_of_the_bazaar_are_not_known():
    assert known_facts.among(FACTS, ["colour", "brand"]) == ["colour"]
    assert known_facts.among(FACTS, ["brand"]) == ["colour", "shape"]
    assert known_facts.among(None, ["brand"]) == []


def test_whole_series_are_probed_where_they_are_known():
    series = {"series": ["a", "b"] * 5}
    assert known_facts.some_items(series, 5, 0).tolist() in ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])
    for facts in ({"price": ["1"] * 10}, {"series": ["one"] * 10}):  # no series, or one that is too large
        assert len(known_facts.some_items(facts, 4, 0)) == 4
    assert known_facts.some_items(None, 4, 0).tolist() == []


def test_a_probe_can_learn_what_is_shared_and_differs():
    rows = np.arange(12)
    facts = {
        "one": ["a"] * 12, "each": [str(k) for k in range(12)], "two": ["a", "b"] * 6, "rare": ["x", *["y"] * 11],
        "many": list("aaabbbcccddd"),
    }  # fmt: skip
    assert list(known_facts.learnable(facts, rows)) == ["two", "many"]
    assert list(known_facts.learnable(facts, rows, ("two", "unknown"))) == ["two"]
    assert list(known_facts.learnable(facts, rows, at_most=3)) == ["two"]
    assert known_facts.learnable(facts, rows)["two"].tolist() == ["a", "b"] * 6
    assert known_facts.learnable(facts, rows[:4]) == {} == known_facts.learnable(None, rows)


def test_groups_are_named_unless_there_are_too_many():
    facts = {"category": ["hat", "", "cup"]}
    assert known_facts.group_names(facts, np.array([2, 1]), "category") == ["cup", "(none)"]
    assert known_facts.group_names(facts, np.array([2, 1]), "category", at_most=1) is None
    assert known_facts.group_names(facts, np.array([0]), "colour") is None
    assert known_facts.group_names(None, np.array([0]), "category") is None


def test_figures_show_known_facts(make_catalogue):
    table = known_facts.named(TEXTS, known_facts.by_item(FACTS))
    drawn = known_facts.share_bars({"text": table}, "share", 20, [0.5, 0.5])
    assert [bar.get_height() for bar in drawn.axes[0].patches] == pytest.approx(table.mean().tolist())
    assert known_facts.bars({"a": [0.5]}, ["x"], "share", top=None) is not None
    accuracy = known_facts.accuracies({"text": {"colour": np.array([True, False])}})
    assert known_facts.accuracy_heatmap("probes", accuracy).axes[0].get_title("left") == "probes"
    cards = known_facts.cards(make_catalogue(2), np.array([2]), [{"note": "seen"}])
    assert "seen" in [text.get_text() for ax in cards.axes for text in ax.texts]


@pytest.mark.parametrize("facts", [None, {}])
def test_without_facts_everything_is_empty(facts, make_catalogue):
    rows = np.arange(3)
    truth = known_facts.by_item(facts, [1, 2])
    assert truth == known_facts.by_item(facts) == known_facts.most_frequent(truth, SEEN) == []
    assert len(known_facts.if_known(facts, rows)) == 0 and len(known_facts.if_known(FACTS, rows)) == 3
    assert known_facts.labels(facts, rows, ["colour"]) == {}
    table = known_facts.named(TEXTS, truth)
    missed = known_facts.misses(table, SEEN)
    assert table.empty and known_facts.shares_named({"text": table}) == missed.mean().to_dict() == {}
    assert known_facts.worst(missed, 3) == [] and known_facts.share_with_miss(missed) is None
    accuracy = known_facts.with_guesses(known_facts.accuracies({}), facts, rows)
    assert isinstance(accuracy, pd.DataFrame) and accuracy.to_dict() == {}
    assert known_facts.share_bars({"text": table}, "share", 20) is None
    assert known_facts.bars({}, [], "share") is None
    assert known_facts.accuracy_heatmap("probes", accuracy) is None
    assert known_facts.cards(make_catalogue(2), [], []) is None


def test_hits_by_key_become_a_table_of_facts_and_vectors():
    hits = {(v, fact): np.array([v == 1, True]) for v in (0, 1) for fact in FACTS}
    table = known_facts.accuracy_table(hits, {(1,): "text", (0,): "picture"})
    assert list(table) == ["text", "picture"] and table.index.tolist() == list(FACTS)
    assert table.loc["colour"].tolist() == [1.0, 0.5]
    assert known_facts.accuracy_heatmap("probes", known_facts.accuracy_table({}, {(0,): "picture"})) is None
