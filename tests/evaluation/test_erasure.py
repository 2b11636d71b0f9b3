"""Facts erased from item vectors: the means are equal, nothing else moves, and what is used is missed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_material import BACKBONE, N, make_material

from dmesr_core.evaluation.erasure import equalise_means, erase_each, evaluate_with_table
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.experiments.variants import VARIANTS, build
from dmesr_core.models.scorers import model_scorer

LABELS = np.arange(N) % 3


def table(seed: int = 0) -> torch.Tensor:
    out = torch.randn(N + 1, 5, generator=torch.Generator().manual_seed(seed))
    out[0] = 0
    return out


def test_all_labels_have_the_mean_of_all_afterwards():
    before = table()
    after = equalise_means(before, LABELS)
    for label in range(3):
        torch.testing.assert_close(after[1:][LABELS == label].mean(0), before[1:].mean(0))
    assert (after[0] == 0).all(), "padding stays"
    assert not torch.equal(after, before)


def test_differences_within_a_label_stay():
    before = table()
    after = equalise_means(before, LABELS)
    first, second = np.flatnonzero(LABELS == 1)[:2] + 1
    torch.testing.assert_close(after[first] - after[second], before[first] - before[second])


def test_erasing_twice_or_a_label_that_all_share_changes_nothing():
    once = equalise_means(table(), LABELS)
    torch.testing.assert_close(equalise_means(once, LABELS), once)
    torch.testing.assert_close(equalise_means(table(), np.zeros(N, int)), table())


def test_within_another_fact_its_means_stay():
    outer = np.arange(N) % 2
    inner = outer * 2 + (np.arange(N) // 2) % 2
    before = table()
    after = equalise_means(before, inner, within=outer)
    for value in range(4):
        here = inner == value
        wanted = before[1:][outer == value // 2].mean(0)
        torch.testing.assert_close(after[1:][here].mean(0), wanted)


@pytest.fixture(scope="module")
def model():
    return build(VARIANTS["id_only"], make_material(), BACKBONE, 0).eval()


def test_with_its_own_vectors_a_model_is_what_it_was(model):
    split = make_material().split
    found = evaluate_with_table(model, model.item_table().detach(), split, "same")
    wanted = evaluate_cases(model_scorer(model, N), split.test, N, split=f"{split.name} test")
    assert found.protocol == wanted.protocol
    for metric, values in wanted.per_case.items():
        np.testing.assert_array_equal(found.per_case[metric], values)


def test_each_fact_is_erased_alone_and_the_control_deals_its_values_in_another_order(model):
    split, own = make_material().split, model.item_table().detach()
    codes = {"shape": np.arange(N) % 2, "category": np.arange(N) // 6, "size": LABELS}
    found = erase_each(model, own, codes, split)
    assert list(found) == list(codes)
    by_hand = evaluate_with_table(model, equalise_means(own, LABELS), split, "size")
    np.testing.assert_array_equal(found["size"].per_case["ndcg@10"], by_hand.per_case["ndcg@10"])
    shapes = equalise_means(own, codes["shape"] + 2 * codes["category"], codes["category"])
    by_hand = evaluate_with_table(model, shapes, split, "shape")
    np.testing.assert_array_equal(found["shape"].per_case["ndcg@10"], by_hand.per_case["ndcg@10"])
    order = np.random.default_rng(0).permutation(N)
    control = erase_each(model, own, {"size": LABELS}, split, order)["size"]
    by_hand = evaluate_with_table(model, equalise_means(own, LABELS[order]), split, "size")
    np.testing.assert_array_equal(control.per_case["ndcg@10"], by_hand.per_case["ndcg@10"])
