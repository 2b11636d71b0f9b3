"""Losses compared: order, time, and which did not learn."""

from __future__ import annotations

import pytest
from helpers.small_losses import loss_records

from dmesr_core.experiments.loss_comparison import compare_losses


@pytest.fixture(scope="module")
def records():
    return loss_records(seeds=2)


def test_losses_come_in_the_order_of_the_book_with_more_negatives_first(records):
    found = compare_losses(records, n=50)
    assert list(found.results) == ["full softmax", "sampled softmax (4)", "sampled softmax (2)", "BCE (1)"]
    assert list(found.gains) == list(found.results)[1:]
    assert all([r.seed for r in some] == [0, 1] for some in found.records.values())


def test_gains_are_over_the_full_softmax(records):
    found = compare_losses(records, n=50)
    for label, gain in found.gains.items():
        means = [found.results[name].mean()["ndcg@10"] for name in (label, "full softmax")]
        assert gain.diff == pytest.approx(means[0] - means[1])


def test_seeds_that_a_loss_lacks_are_left_out(records):
    unfinished = [r for r in records if not (r.train["loss"] == "bce" and r.seed == 1)]
    found = compare_losses(unfinished, n=50)
    assert all(result.n_seeds == 1 for result in found.results.values())


def test_a_loss_that_is_best_after_its_first_epoch_did_not_learn(records):
    assert compare_losses(records, n=50).not_learned == ["BCE (1)"]


def test_means_of_trainings(records):
    found = compare_losses(records, n=50)
    assert found.mean_of("full softmax") == {"seconds": 2.0, "epochs": 2.0, "best epoch": 2.0}
