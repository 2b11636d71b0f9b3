"""The mixture of views: chances that sum to one, a start as the plain model, and what one softmax cannot say."""

import pytest
import torch

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BACKBONES, BackboneSettings, make_backbone
from dmesr_core.models.mixture import MixtureOfViews, mixed, mixture_scores, split_views, view_log_chances

K, D, N = 3, 4, 9
ALL = torch.ones(N + 1).bool()
ALL[0] = False


def drawn(n_users=5, seed=0):
    """User vectors with gates (B, K·d + K), an item table (N+1, K·d) and a bias (N+1,)."""
    g = torch.Generator().manual_seed(seed)
    table = torch.randn(N + 1, K * D, generator=g)
    table[0] = 0
    return torch.randn(n_users, K * D + K, generator=g), table, torch.randn(N + 1, generator=g)


def test_the_chances_of_known_items_sum_to_one():
    user, table, bias = drawn()
    chances = mixture_scores(user, table, K, ALL, bias).exp()
    torch.testing.assert_close(chances[:, ALL].sum(1), torch.ones(5))


def test_scores_are_what_one_would_write_down():
    user, table, bias = drawn()
    gates = user[:, -K:].softmax(1)
    want = sum(
        gates[:, k, None] * (user[:, k * D : (k + 1) * D] @ table[1:, k * D : (k + 1) * D].T + bias[1:]).softmax(1)
        for k in range(K)
    )
    torch.testing.assert_close(mixture_scores(user, table, K, ALL, bias)[:, 1:].exp(), want)


def test_items_that_are_added_leave_the_scores_of_the_others():
    user, table, _ = drawn()
    before = mixture_scores(user, table, K, ALL)
    more = torch.cat([table, 9 * torch.ones(2, K * D)])
    known = torch.cat([ALL, torch.zeros(2).bool()])
    after = mixture_scores(user, more, K, known)
    torch.testing.assert_close(after[:, : N + 1], before)
    assert torch.isfinite(after[:, N + 1 :]).all()


def test_views_share_the_chance_of_an_item():
    user, table, _ = drawn()
    parts = view_log_chances(user, table, K, ALL)
    assert parts.shape == (K, 5, N + 1)
    torch.testing.assert_close(parts.logsumexp(0), mixture_scores(user, table, K, ALL))
    torch.testing.assert_close(parts.exp()[:, :, ALL].sum(2).T, split_views(user, K)[1].exp())


def test_one_of_both_facts_beside_a_taste_for_anything():
    """Four in ten times the item with both of two facts, else any of 25: a mixture says it, one sum of facts cannot."""
    facts = torch.eye(5)
    items = torch.cat([facts.repeat_interleave(5, 0), facts.repeat(5, 1)], dim=1)  # (25, 10): first fact, second fact
    want = torch.full((25,), 0.6 / 25)
    want[0] += 0.4
    both = torch.zeros(10)
    both[[0, 5]] = 30.0
    user = torch.cat([both, torch.zeros(10), torch.tensor([0.4, 0.6]).log()])[None]
    table, known = torch.cat([torch.zeros(1, 20), torch.cat([items, items], dim=1)]), torch.arange(26) > 0
    torch.testing.assert_close(mixture_scores(user, table, 2, known).exp()[0, 1:], want)
    grid = want.view(5, 5)
    best_sum = grid.sum(1, keepdim=True) * grid.sum(0)  # what a softmax of a sum can say best: each fact has its share
    assert best_sum[0, 0] < 0.65 * want[0] and best_sum[0, 1] > 2.5 * want[1]


@pytest.mark.parametrize("name", list(BACKBONES))
def test_training_starts_from_copies_of_the_plain_model(name):
    torch.manual_seed(0)
    backbone = make_backbone(BackboneSettings(name, 8, 6, 1, 2, 0.0))
    mixture = MixtureOfViews(backbone, 8, K).eval()
    x, mask = torch.randn(2, 5, 8 * K), torch.arange(5) < torch.tensor([[5], [3]])
    y, plain = mixture(x, mask), backbone(x[..., :8], mask)
    for part in y[..., :-K].chunk(K, dim=-1):
        torch.testing.assert_close(part, plain)
    assert (y[..., -K:] == 0).all()  # all views weigh the same
    assert (mixture.objective, mixture.item_bias) == (backbone.objective, backbone.item_bias)
    if backbone.objective == "cloze":
        assert mixture.mask_vector().shape == (8 * K,)


def test_histories_are_read_in_the_first_view():
    mixture = MixtureOfViews(make_backbone(BackboneSettings(width=8, max_len=6)), 8, K).eval()
    x, mask = torch.randn(2, 5, 8 * K), torch.ones(2, 5).bool()
    other = x.clone()
    other[..., 8:] = 0
    torch.testing.assert_close(mixture(other, mask), mixture(x, mask))
    other[..., 0] += 1
    assert not torch.allclose(mixture(other, mask), mixture(x, mask))


def test_one_softmax_is_the_backbone_itself():
    backbone = make_backbone(BackboneSettings(width=8))
    assert mixed(backbone, 8, 1) is backbone
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(SettingsError, match="softmaxes must be a whole number from 1 on"):
            mixed(backbone, 8, wrong)
