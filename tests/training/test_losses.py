"""The losses: each against the same thing written plainly, with all gradients."""

import pytest
import torch
import torch.nn.functional as F

from dmesr_core.training import losses
from dmesr_core.training.losses import binary_loss, gbce_beta, history_loss, mixture_loss, softmax_loss


def case(rows=70, items=23, width=5, seed=0, scale=1.0):
    """hidden, table, bias (float64, with gradients) and targets."""
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=g, dtype=torch.float64) * scale
    table = torch.randn(items, width, generator=g, dtype=torch.float64) * scale
    bias = torch.randn(items, generator=g, dtype=torch.float64)
    targets = torch.randint(items, (rows,), generator=g)
    return [t.requires_grad_() for t in (hidden, table, bias)], targets


def value_and_gradients(loss, tensors, upstream=1.0):
    """The loss and its gradients, where the loss is one term of a sum, `upstream` times."""
    gradients = torch.autograd.grad(upstream * loss, tensors)
    return loss.detach(), *gradients


@pytest.mark.parametrize("at_once", [1, 40 * 23, 2**21])  # 3 pieces (of 32 rows at least), 2 pieces, 1 piece
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("upstream", [1.0, -3.5])
def test_softmax_in_pieces_is_the_plain_softmax(monkeypatch, at_once, with_bias, upstream):
    monkeypatch.setattr(losses, "SCORES_AT_ONCE", at_once)
    (hidden, table, bias), targets = case()
    tensors = (hidden, table, bias) if with_bias else (hidden, table)
    scores = hidden @ table.T + (bias if with_bias else 0)
    want = value_and_gradients(F.cross_entropy(scores, targets), tensors, upstream)
    got = value_and_gradients(softmax_loss(hidden, table, targets, bias if with_bias else None), tensors, upstream)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("fixed", [0, 1, 2])
def test_what_needs_no_gradient_gets_none_and_changes_nothing(fixed):
    tensors, targets = case()
    want = value_and_gradients(softmax_loss(*tensors[:2], targets, tensors[2]), tensors)
    tensors[fixed].requires_grad_(False)
    softmax_loss(*tensors[:2], targets, tensors[2]).backward()
    for k, tensor in enumerate(tensors):
        assert tensor.grad is None if k == fixed else torch.allclose(tensor.grad, want[k + 1], atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(softmax_loss(*tensors[:2], targets, tensors[2]), want[0])


def mixture_case(views=3, width=5):
    """hidden (rows, K·d + K), table (items, K·d), bias and targets."""
    (hidden, table, bias), targets = case(width=views * width)
    gates = torch.randn(len(hidden), views, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return [torch.cat([hidden.detach(), gates], dim=1).requires_grad_(), table, bias], targets


def plain_mixture(hidden, table, targets, views, bias=0):
    width = table.shape[1] // views
    parts = [hidden[:, k * width : (k + 1) * width] @ table[:, k * width : (k + 1) * width].T for k in range(views)]
    chances = torch.stack([(part + bias).softmax(1) for part in parts], dim=2)  # (P, n, K)
    mixture = (chances * hidden[:, None, -views:].softmax(2)).sum(2)
    return F.nll_loss(mixture.log(), targets)


@pytest.mark.parametrize("at_once", [1, 3 * 40 * 23, 2**21])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("upstream", [1.0, -3.5])
def test_the_mixture_in_pieces_is_the_plain_mixture(monkeypatch, at_once, with_bias, upstream):
    monkeypatch.setattr(losses, "SCORES_AT_ONCE", at_once)
    (hidden, table, bias), targets = mixture_case()
    tensors = (hidden, table, bias) if with_bias else (hidden, table)
    want = value_and_gradients(plain_mixture(hidden, table, targets, 3, bias if with_bias else 0), tensors, upstream)
    got = value_and_gradients(mixture_loss(hidden, table, targets, 3, bias if with_bias else None), tensors, upstream)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_a_mixture_of_equal_views_is_the_softmax():
    (hidden, table, bias), targets = case()
    gates = torch.zeros(len(hidden), 2, dtype=torch.float64)
    got = mixture_loss(torch.cat([hidden, hidden, gates], dim=1), torch.cat([table, table], dim=1), targets, 2, bias)
    torch.testing.assert_close(got, softmax_loss(hidden, table, targets, bias))


def test_a_mixture_in_half_precision_has_finite_gradients():
    (hidden, table, _), targets = mixture_case()
    hidden, table = (tensor.detach().float().requires_grad_() for tensor in (hidden, table))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = mixture_loss(hidden, table, targets, 3)
    torch.testing.assert_close(loss, plain_mixture(hidden, table, targets, 3))
    loss.backward()
    assert torch.isfinite(hidden.grad).all() and torch.isfinite(table.grad).all()


def test_gradients_flow_on_through_what_made_hidden_and_table():
    (hidden, table, _), targets = case()
    square = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    want = value_and_gradients(F.cross_entropy((hidden @ square) @ (table @ square).T, targets), (square, table))
    got = value_and_gradients(softmax_loss(hidden @ square, table @ square, targets), (square, table))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_a_target_without_any_chance_gives_a_large_loss_and_not_an_infinite_one():
    hidden = torch.tensor([[300.0], [1.0]], requires_grad=True)
    table = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss = softmax_loss(hidden, table, torch.tensor([1, 0]))  # the first target lies 600 nats below the other item
    loss.backward()
    assert 40 < loss.item() < 100
    assert torch.isfinite(hidden.grad).all() and torch.isfinite(table.grad).all()
    assert hidden.grad[0].item() == pytest.approx(1.0)  # (1 · 1 + (0 - 1) · (-1)) / 2 rows: still pulled the right way


def test_the_history_loss_is_a_softmax_over_what_came_and_what_was_there_before():
    (hidden, table, _), _ = case(rows=8)
    items = torch.tensor([[3, 7, 3, 9, 1], [5, 5, 2, 0, 0]])  # 3 and 5 come again: no item is its own rival
    hidden3 = hidden.reshape(2, 4, 5)
    nats = []
    for b, t, among in [(0, 0, [7, 3]), (0, 1, [3, 7]), (0, 2, [9, 3, 7, 3]), (0, 3, [1, 3, 7, 3, 9]),
                        (1, 0, [5]), (1, 1, [2, 5, 5])]:  # fmt: skip
        among = table[torch.tensor(among)] @ hidden3[b, t]
        nats.append(among.logsumexp(0) - among[0])
    want = value_and_gradients(torch.stack(nats).mean(), (hidden, table))
    got = value_and_gradients(history_loss(hidden3, items, table), (hidden, table))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_bce_is_the_mean_binary_cross_entropy_of_all_scores():
    g = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(9, generator=g), torch.randn(9, 4, generator=g)
    scores = torch.cat([positive[:, None], negative], dim=1)
    truth = torch.zeros(9, 5)
    truth[:, 0] = 1
    torch.testing.assert_close(binary_loss(positive, negative), F.binary_cross_entropy_with_logits(scores, truth))


def test_gbce_raises_the_chance_of_what_came_to_a_power():
    g = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(9, generator=g).double(), torch.randn(9, 4, generator=g).double()
    chance = torch.cat([positive.sigmoid()[:, None] ** 0.3, 1 - negative.sigmoid()], dim=1)
    torch.testing.assert_close(binary_loss(positive, negative, 0.3), -chance.log().mean())


def test_beta_is_one_without_calibration_and_the_sampling_rate_with_all_of_it():
    assert gbce_beta(1001, 50, t=0.0) == pytest.approx(1.0)
    assert gbce_beta(1001, 50, t=1.0) == pytest.approx(50 / 1000)
    assert gbce_beta(1001, 50, t=0.0) > gbce_beta(1001, 50, t=0.5) > gbce_beta(1001, 50, t=1.0)
    for t in (0.0, 0.5, 1.0):
        assert gbce_beta(101, 5000, t) == pytest.approx(1.0)  # everything is drawn: nothing to take back


def test_gbce_undoes_the_overconfidence_of_sampling():
    """Petrov & Macdonald 2023: with t = 1 the best score of a pair is the log-odds of its true chance, however many
    negatives are drawn; plain BCE overstates it."""
    chance, n_items, k = 0.2, 101, 10  # an item that comes next with chance 0.2
    alpha = k / (n_items - 1)

    def best(beta):
        """Where the expected loss -chance · β log σ(s) - (1 - chance) · α log(1 - σ(s)) of one item is smallest."""
        s = torch.linspace(-6, 6, 24001, dtype=torch.float64)
        loss = chance * beta * F.softplus(-s) + (1 - chance) * alpha * F.softplus(s)
        return s[loss.argmin()].sigmoid().item()

    assert best(gbce_beta(n_items, k, t=1.0)) == pytest.approx(chance, abs=1e-3)
    assert best(gbce_beta(n_items, k, t=0.0)) > 3 * chance
