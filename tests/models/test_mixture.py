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


def test_a_conjunction_beside_a_taste():
    """Items with both of two facts, and items of a taste, are wanted; those with one of the two facts are not.

    In one softmax of a sum "both" scores as the facts together do, so half of it goes to either fact.
    """
    table = torch.zeros(5, 2 * 3)  # both, one fact, the other, the taste
    table[1:, :3] = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    table[1:, 3:] = table[1:, :3]
    known = torch.tensor([False, True, True, True, True])
    user = torch.tensor([[20.0, 20, 0, 0, 0, 20, 0, 0]])  # the first view wants both facts, the second the taste
    chances = mixture_scores(user, table, 2, known).exp()[0, 1:]
    torch.testing.assert_close(chances, torch.tensor([0.5, 0, 0, 0.5]), atol=1e-4, rtol=0)
    one_sum = ((user[:, :3] + user[:, 3:6]) @ table[1:, :3].T).softmax(1)[0]
    assert one_sum[3] < 0.01  # either the taste is lost
    assert ((torch.tensor([[20.0, 20, 40]]) @ table[1:, :3].T).softmax(1)[0][:3] < 0.51).all()


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
