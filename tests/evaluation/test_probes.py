"""Facts mentioned in texts, facts of tokens, and linear probes of vectors."""

import numpy as np
import pytest

from dmesr_core.errors import DataError
from dmesr_core.evaluation import probes

FACTS = {"category": "hat", "size": "small", "use": "small homes", "brand": "Isolde & Sons", "series": "Stovael"}


def test_facts_are_found_as_whole_words_in_any_case():
    assert probes.mentioned_facts("A Hat, that is it", FACTS)["category"]
    assert not probes.mentioned_facts("that is it", FACTS)["category"]


def test_a_word_counts_for_one_fact_only():
    found = probes.mentioned_facts("a large hat for small homes by ISOLDE & Sons", FACTS)
    assert found == {"category": True, "size": False, "use": True, "brand": True, "series": False}
    assert probes.mentioned_facts("a small hat for small homes", FACTS)["size"]


def test_tokens_of_a_fact_include_the_pieces_of_its_words():
    tokens = "[CLS] isolde & sons : sto ##va ##el hat ( small ) for small homes . [SEP]".split()
    labels = probes.token_facts(tokens, FACTS)
    want = {
        0: "mark", 1: "brand", 2: "brand", 3: "brand", 4: "other", 5: "series", 6: "series", 7: "series",
        8: "category", 9: "other", 10: "size", 11: "other", 12: "other", 13: "use", 14: "use", 15: "other", 16: "mark",
    }  # fmt: skip
    assert dict(enumerate(labels)) == want


def test_a_value_that_was_cut_off_is_not_found():
    assert set(probes.token_facts(["sto", "##va"], {"series": "Stovael"})) == {"other"}


def clouds(n=300, classes=5, d=8, spread=0.1, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    return rng.standard_normal((classes, d))[labels] + spread * rng.standard_normal((n, d)), labels


def test_a_probe_decodes_labels_of_clusters_and_not_random_ones():
    vectors, labels = clouds()
    assert probes.cross_probe(vectors, labels).mean() > 0.98
    noise = np.random.default_rng(1).permutation(labels)
    assert probes.cross_probe(vectors, noise).mean() < probes.most_frequent(noise) + 0.1


def test_no_item_is_predicted_by_a_probe_that_was_fitted_on_it():
    rng = np.random.default_rng(0)
    vectors = np.eye(60)  # a probe fitted on an item can memorise it
    labels = rng.permutation(np.arange(60) % 2)
    assert probes.cross_probe(vectors, labels, folds=5).mean() < 0.7
    assert probes.probe(vectors, labels, vectors, labels).mean() == 1


def test_the_scale_of_columns_has_no_effect_on_a_probe():
    vectors, labels = clouds()
    scaled = vectors * np.logspace(-4, 4, vectors.shape[1])
    np.testing.assert_array_equal(probes.cross_probe(scaled, labels), probes.cross_probe(vectors, labels))


def test_labels_may_be_strings():
    vectors, labels = clouds(classes=3)
    names = np.array(["red", "green", "blue"])[labels]
    assert probes.cross_probe(vectors, names).mean() > 0.98
    assert probes.most_frequent(np.array(["a", "b", "b", "b"])) == 0.75


def test_a_single_label_is_predicted_for_all():
    vectors, labels = clouds()
    assert (probes.probe(vectors, np.ones(300), vectors, labels) == (labels == 1)).all()
    rare = np.where(np.arange(300) == 7, "x", "y")  # two of three folds learn from one label only
    assert (probes.cross_probe(vectors, rare) == (rare == "y")).mean() > 0.99


def test_a_probe_without_labels_or_with_wrong_shapes_is_an_error():
    vectors, labels = clouds()
    with pytest.raises(DataError, match="needs labels"):
        probes.probe(vectors[:0], labels[:0], vectors, labels)
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


def test_shares_of_named_facts_have_intervals():
    table = probes.named_facts(["a hat", "a small hat", "nothing"], [{"category": "hat", "size": "small"}] * 3)
    means, intervals = probes.shares(table, 200)
    assert means == [2 / 3, 1 / 3]
    assert all(0 <= low <= mean <= high <= 1 for mean, (low, high) in zip(means, intervals, strict=True))


def test_items_with_the_same_text_are_grouped_small_groups_first():
    groups = probes.same_texts(["b", "a", "b", "c", "a", "b", "d"])
    assert [group.tolist() for group in groups] == [[1, 4], [0, 2, 5]]
    assert probes.same_texts(["a", "b"]) == []


def test_a_centred_cosine_does_not_mind_a_common_direction():
    vectors = np.array([[9.0, 9.0], [1, 0], [-1, 0], [1, 0]]) - np.array([1 / 3, 0])
    shifted = vectors + 100
    assert probes.centred_cosine(shifted, 1, 3) == pytest.approx(1)
    assert probes.centred_cosine(shifted, 1, 2) == pytest.approx(-1)


def test_attention_by_kind_is_a_mean_over_items():
    attention = np.array([[[0.5, 0.3, 0.2]], [[0.6, 0.4, 0.0]]])  # 2 items, 1 view, 3 tokens
    kinds = [["mark", "series", "series"], ["mark", "other"]]
    share = probes.attention_by_kind(attention, kinds, ["series", "mark", "other"])
    np.testing.assert_allclose(share, [[0.25, 0.55, 0.2]])
    np.testing.assert_allclose(share.sum(), 1)


def test_the_share_of_items_that_have_a_kind():
    assert probes.share_with_kind([["series", "series"], ["brand"]], ["series", "use"]) == [0.5, 0.0]


def test_items_with_the_least_attention_on_a_kind_come_first():
    attention = np.array([[0.5, 0.5], [0.9, 0.1], [0.0, 1.0]])
    kinds = [["series", "series"], ["other", "series"], ["other", "other"]]
    assert probes.least_attention(attention, kinds, "series") == [1, 0]


def test_recovered_is_one_for_all_zero_for_chance_and_negative_below():
    right = np.array([True, True, True, False])
    assert probes.recovered(np.ones(4, bool), 0.25) == 1
    assert probes.recovered(right, 0.75) == 0
    assert probes.recovered(right, 0.5) == 0.5
    assert probes.recovered(~right, 0.5) == -0.5
