"""Checks against the facts of items, where they are known and where they are not."""

from __future__ import annotations

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
