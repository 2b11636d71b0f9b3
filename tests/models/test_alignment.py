"""Limiting cases of the contrastive loss and of the measures of alignment."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dmesr_core.models import alignment


def rows(n=32, d=16, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_info_nce_of_views_that_say_nothing_is_log_n():
    same = torch.ones(32, 8)
    assert alignment.info_nce(same, same, 0.1).item() == pytest.approx(math.log(32), rel=1e-5)


def test_info_nce_of_identical_distinct_views_goes_to_zero_with_the_temperature():
    a = torch.eye(16)
    assert alignment.info_nce(a, a, 0.02).item() < 1e-6
    assert alignment.info_nce(a, a.roll(1, 0), 0.02).item() > 10


def test_info_nce_ignores_scale_and_the_order_of_items_and_is_symmetric():
    a, b = rows(seed=1), rows(seed=2)
    loss = alignment.info_nce(a, b, 0.1)
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(0))
    for other in (
        alignment.info_nce(3 * a, b / 7, 0.1),
        alignment.info_nce(a[order], b[order], 0.1),
        alignment.info_nce(b, a, 0.1),
    ):
        torch.testing.assert_close(other, loss)


def test_info_nce_equals_its_definition():
    a, b = F.normalize(rows(5, 4, 1), dim=1), F.normalize(rows(5, 4, 2), dim=1)
    total = 0.0
    for i in range(5):
        for x, y in ((a, b), (b, a)):
            similar = [math.exp(float(x[i] @ y[j]) / 0.3) for j in range(5)]
            total -= math.log(similar[i] / sum(similar)) / 10
    assert alignment.info_nce(a, b, 0.3).item() == pytest.approx(total, rel=1e-5)


def test_measures_at_their_extremes():
    a = rows(200, 32)
    assert alignment.alignment(a, a) == pytest.approx(0, abs=1e-6)
    assert alignment.alignment(a, -a) == pytest.approx(4, rel=1e-5)
    assert alignment.modality_gap(a, a) == 0
    apart = alignment.modality_gap(a + 100, a - 100)
    assert apart == pytest.approx(2, abs=0.05)
    assert alignment.uniformity(torch.ones(20, 4)) == pytest.approx(0, abs=1e-5)
    assert alignment.uniformity(a) < -2
    assert alignment.cross_view_recall(a, a, 1) == 1
    assert alignment.cross_view_recall(a, rows(200, 32, 9), 10) < 0.2


def test_the_cosine_matrix_ignores_scale():
    a, b = rows(3, 4, 1), rows(5, 4, 2)
    cosines = alignment.cosine_matrix(2 * a, b / 3)
    assert cosines.shape == (3, 5)
    torch.testing.assert_close(cosines[1, 4], F.cosine_similarity(a[1], b[4], dim=0))


def test_recall_from_groups_lies_between_chance_and_one():
    assert alignment.recall_from_groups(np.zeros(40), 10) == pytest.approx(0.25)  # one group says nothing
    assert alignment.recall_from_groups(np.arange(40), 10) == 1  # groups of one say all
    assert alignment.recall_from_groups(np.array(["a"] * 20 + ["b"] * 5), 10) == pytest.approx((20 * 0.5 + 5) / 25)


def test_heads_can_be_trained_to_align_two_views():
    torch.manual_seed(0)
    truth = rows(64, 6)
    picture, text = truth @ rows(6, 20, 1), truth @ rows(6, 12, 2)
    heads = alignment.ProjectionHead(20, 8), alignment.ProjectionHead(12, 8)
    optimiser = torch.optim.Adam([p for h in heads for p in h.parameters()], 1e-2)
    before = alignment.cross_view_recall(heads[0](picture), heads[1](text), 1)
    for _ in range(60):
        optimiser.zero_grad()
        alignment.info_nce(heads[0](picture), heads[1](text), 0.1).backward()
        optimiser.step()
    after = alignment.cross_view_recall(heads[0](picture), heads[1](text), 1)
    assert before < 0.2 and after > 0.9
