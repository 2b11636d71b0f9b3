"""Objectives: what a step predicts, what it hides, and its loss in limiting cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.cycle_world import build, cycle_split

from dmesr_core.data.interactions import Interactions
from dmesr_core.training import objectives
from dmesr_core.training.settings import TrainSettings


def test_each_position_predicts_the_next_item_and_padding_predicts_nothing():
    split = cycle_split()
    model = build(split).eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    hidden, targets = objectives.predictions(model, table, items, torch.Generator(), 0.0)
    assert targets.tolist() == [4, 5, 6, 8] and hidden.shape == (4, 16)


def test_item_dropout_hides_whole_items_from_the_backbone_and_asks_for_all_the_same():
    model = build(cycle_split()).eval()
    table = model.item_table()
    items = torch.tensor([[3, 4]]).repeat(40, 1)

    def seen(table, hide):
        hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), hide)
        assert targets.tolist() == [4] * len(items)
        return hidden

    whole, nothing = seen(table, 0.0)[0], seen(torch.zeros_like(table), 0.0)[0]
    without = seen(table, 0.5)
    shown = torch.isclose(without, whole).all(1)
    assert torch.isclose(without, nothing).all(1)[~shown].all() and 10 < shown.sum() < 30
    assert torch.isclose(seen(table, 0.1), whole).all(1).sum() > 30


def test_cloze_hides_what_it_asks_for_and_always_asks():
    split = cycle_split()
    model = build(split, "bert4rec").eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 0, 0, 0]]).repeat(20, 1)
    hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), 0.3)
    assert (targets > 0).all() and len(targets) >= len(items)
    changed = table.clone()
    changed[9] *= -1  # rows that ask for item 9 hide it, so its own vector must not matter
    again, _ = objectives.predictions(model, changed, items, torch.Generator().manual_seed(0), 0.3)
    torch.testing.assert_close(again[targets == 9], hidden[targets == 9])


def test_cloze_asks_for_the_end_of_every_beginning_and_shows_nothing_behind_it():
    model = build(cycle_split(), "bert4rec").eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6, 0]]).repeat(30, 1)
    never = 0.0  # the lot hides nothing, so that each row is a beginning of the history
    hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), never)
    assert set(targets.tolist()) == {4, 5, 6}
    changed = table.clone()
    changed[5:] *= -1
    again, _ = objectives.predictions(model, changed, items, torch.Generator().manual_seed(0), never)
    early = targets == 4
    torch.testing.assert_close(again[early], hidden[early])
    assert not torch.isclose(again[~early], hidden[~early]).all(1)[targets[~early] == 6].any()  # 5 is in sight there


def step_loss(model, split, items, seed=0, **settings):
    step = objectives.Step(model, np.asarray(split.train_counts), TrainSettings(**settings), torch.device("cpu"))
    return step(items, torch.Generator().manual_seed(seed))[0].item()


def test_sampled_softmax_with_every_item_drawn_is_the_full_softmax_and_fewer_come_close():
    split = cycle_split()
    model = build(split).eval()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
    full = step_loss(model, split, items)

    def sampled(negatives, seed=0):
        return step_loss(model, split, items, seed, loss="sampled", negatives=negatives)

    assert sampled(100_000) == pytest.approx(full, abs=1e-3)
    estimate = np.mean([sampled(4, seed) for seed in range(200)])
    assert abs(estimate - full) < 0.06  # without the correction it is three times as far off


def test_gbce_with_t_zero_is_bce_and_with_more_it_weighs_what_came_less():
    split = cycle_split()
    model = build(split).eval()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
    bce = step_loss(model, split, items, loss="bce", negatives=3)
    same = step_loss(model, split, items, loss="gbce", negatives=3, gbce_t=0.0)
    assert same == pytest.approx(bce)
    assert step_loss(model, split, items, loss="gbce", negatives=3, gbce_t=1.0) < bce


@pytest.mark.parametrize("settings", [dict(loss="bce", negatives=8), dict(loss="gbce", negatives=8, gbce_t=0.5)])
def test_binary_losses_start_at_the_best_constant_score(settings):
    split = cycle_split()
    model = build(split)
    with torch.no_grad():
        model.embedding.weight.zero_()  # all scores are zero
    items = torch.arange(1, 9)[None]

    def loss(constant):
        model.bias = torch.nn.Parameter(torch.full((split.n_items + 1,), constant))
        return step_loss(model, split, items, **settings)

    assert loss(0.0) < min(loss(-0.2), loss(0.2))


def test_softmax_leaves_out_items_that_training_never_saw():
    users, items = np.repeat(np.arange(20), 5), np.tile([1, 2, 3, 4, 5], 20)
    split = Interactions.from_columns(users, items, np.tile(np.arange(5), 20), 9).leave_one_out()
    model = build(split).eval()  # no dropout: the loss can be checked to the last digits
    step = objectives.Step(model, np.asarray(split.train_counts), TrainSettings(), torch.device("cpu"))
    assert step.known.tolist() == [1, 2, 3]
    loss, _, n = step(torch.tensor([[1, 2, 3]]), torch.Generator())
    everything = model.item_table()
    hidden = model.backbone(F.embedding(torch.tensor([[1, 2]]), everything), torch.ones(1, 2).bool())[0]
    want = F.cross_entropy(hidden @ everything[1:4].T, torch.tensor([1, 2]))
    assert n == 2
    torch.testing.assert_close(loss, want)
