"""What a description says, which tokens say it, and what a probe reads off vectors."""

import numpy as np
import pytest

from dmesr_core.errors import DataError
from dmesr_core.evaluation import probes

FACTS = {"category": "hat", "size": "small", "use": "small homes", "brand": "Isolde & Sons", "series": "Stovael"}


def test_a_description_says_whole_words_in_any_case():
    assert probes.said("A Hat, that is it", FACTS)["category"]
    assert not probes.said("that is it", FACTS)["category"]


def test_a_word_counts_for_one_fact_only():
    found = probes.said("a large hat for small homes by ISOLDE & Sons", FACTS)
    assert found == {"category": True, "size": False, "use": True, "brand": True, "series": False}
    assert probes.said("a small hat for small homes", FACTS)["size"]


def test_tokens_of_a_fact_include_the_pieces_of_its_words():
    tokens = "[CLS] isolde & sons : sto ##va ##el hat ( small ) for small homes . [SEP]".split()
    kinds = probes.token_kinds(tokens, FACTS)
    want = {
        0: "mark", 1: "brand", 2: "brand", 3: "brand", 4: "other", 5: "series", 6: "series", 7: "series",
        8: "category", 9: "other", 10: "size", 11: "other", 12: "other", 13: "use", 14: "use", 15: "other", 16: "mark",
    }  # fmt: skip
    assert dict(enumerate(kinds)) == want


def test_a_value_that_was_cut_off_is_not_found():
    assert set(probes.token_kinds(["sto", "##va"], {"series": "Stovael"})) == {"other"}


def clouds(n=300, classes=5, d=8, spread=0.1, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    return rng.standard_normal((classes, d))[labels] + spread * rng.standard_normal((n, d)), labels


def test_a_probe_reads_what_is_there_and_not_what_is_not():
    vectors, labels = clouds()
    assert probes.cross_probe(vectors, labels).mean() > 0.98
    noise = np.random.default_rng(1).permutation(labels)
    assert probes.cross_probe(vectors, noise).mean() < probes.most_frequent(noise) + 0.1


def test_no_item_is_guessed_by_a_probe_that_saw_it():
    rng = np.random.default_rng(0)
    vectors = np.eye(60)  # a probe that saw an item would know it by heart
    labels = rng.permutation(np.arange(60) % 2)
    assert probes.cross_probe(vectors, labels, folds=5).mean() < 0.7
    assert probes.probe(vectors, labels, vectors, labels).mean() == 1


def test_a_probe_does_not_mind_the_scale_of_columns():
    vectors, labels = clouds()
    scaled = vectors * np.logspace(-4, 4, vectors.shape[1])
    np.testing.assert_array_equal(probes.cross_probe(scaled, labels), probes.cross_probe(vectors, labels))


def test_probes_of_words_for_labels():
    vectors, labels = clouds(classes=3)
    names = np.array(["red", "green", "blue"])[labels]
    assert probes.cross_probe(vectors, names).mean() > 0.98
    assert probes.most_frequent(np.array(["a", "b", "b", "b"])) == 0.75


def test_probes_refuse_what_they_cannot_learn():
    vectors, labels = clouds()
    with pytest.raises(DataError, match="two different labels"):
        probes.probe(vectors, np.zeros(300), vectors, labels)
    with pytest.raises(DataError, match="one label per vector"):
        probes.probe(vectors, labels[:-1], vectors, labels)
    with pytest.raises(DataError, match="folds"):
        probes.cross_probe(vectors[:3], labels[:3], folds=5)


def test_whole_groups_are_whole():
    labels = np.random.default_rng(0).integers(20, size=400)
    rows = probes.whole_groups(labels, 100)
    assert 60 < len(rows) <= 100
    assert not set(labels[rows]) & set(np.delete(labels, rows))
    assert len(probes.whole_groups(labels, 400)) == 400
    with pytest.raises(DataError, match="at most 3"):
        probes.whole_groups(labels, 3)


def test_recovered_is_one_for_all_zero_for_chance_and_negative_below():
    right = np.array([True, True, True, False])
    assert probes.recovered(np.ones(4, bool), 0.25) == 1
    assert probes.recovered(right, 0.75) == 0
    assert probes.recovered(right, 0.5) == 0.5
    assert probes.recovered(~right, 0.5) == -0.5
