"""Losses: full softmax, sampled softmax, BCE and gBCE of the next item, and one against items taken before.

The book uses `softmax_loss`. In one line it is `cross_entropy(hidden @ table.T, target)`, which stores several matrices
of (predicted positions) x (items). Here scores, softmax and gradient are computed for a few rows at a time, while these
are in the processor's cache: the same numbers with less memory, several times faster. What remains is the time of
three matrix products.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dmesr_core.models.mixture import split_views

LOSSES = ("ce", "sampled", "bce", "gbce")
SCORES_AT_ONCE = 2**21  # 8 MB of float32: fits into a processor's cache
_SCORES_AT_ONCE_GPU = 2**27


class _Softmax(torch.autograd.Function):
    """Cross-entropy of `hidden @ table.T + bias`, with gradients computed on the way: scores are never kept."""

    @staticmethod
    def forward(ctx, hidden: Tensor, table: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:  # type: ignore[override]
        gives = ctx.needs_input_grad
        limit = SCORES_AT_ONCE if hidden.device.type == "cpu" else _SCORES_AT_ONCE_GPU
        rows = max(32, limit // len(table))
        scores = hidden.new_empty(min(rows, len(hidden)), len(table))  # reused for every block
        d_hidden = torch.empty_like(hidden) if gives[0] else None
        d_table = torch.zeros_like(table) if gives[1] else None
        d_bias = torch.zeros_like(bias) if bias is not None and gives[2] else None
        loss = hidden.new_zeros((), dtype=torch.float32 if hidden.element_size() < 4 else hidden.dtype)
        for start in range(0, len(hidden), rows):
            h, target = hidden[start : start + rows], targets[start : start + rows, None]  # (r, d), (r, 1)
            p = torch.mm(h, table.T, out=scores[: len(h)])  # (r, n)
            if bias is not None:
                p += bias
            torch.softmax(p, dim=1, out=p)
            # A target whose chance rounds to zero counts as the smallest number there is (87 nats), not as infinity.
            loss -= p.gather(1, target).clamp_min(torch.finfo(p.dtype).tiny).log().sum()
            p.scatter_add_(1, target, p.new_full((), -1.0).expand(target.shape))  # the gradient: chance - truth
            if d_hidden is not None:
                torch.mm(p, table, out=d_hidden[start : start + rows])
            if d_table is not None:
                d_table.addmm_(p.T, h)
            if d_bias is not None:
                d_bias += p.sum(0)
        ctx.gradients = [None if g is None else g.div_(len(hidden)) for g in (d_hidden, d_table, d_bias)]
        return loss / len(hidden)

    @staticmethod
    def backward(ctx, d_loss: Tensor):  # type: ignore[override]
        return *(None if g is None else g.mul_(d_loss) for g in ctx.gradients), None


def softmax_loss(hidden: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mean cross-entropy, in nats, of choosing row `targets` of `table` by the scores `hidden @ table.T + bias`.

    Equal to `F.cross_entropy(hidden @ table.T + bias, targets)` and its gradients; differentiable once.

    Args:
        hidden: (P, d); table: (n, d); targets: (P,) rows of `table`; bias: (n,) or None.
    """
    if torch.is_autocast_enabled(hidden.device.type):  # the product in half precision, its softmax in float32
        scores = (hidden @ table.T).float()
        return F.cross_entropy(scores if bias is None else scores + bias, targets)
    return _Softmax.apply(hidden, table, bias, targets)


class _Mixture(torch.autograd.Function):
    """Minus the log of a gated sum of K softmaxes, with gradients computed on the way, as in `_Softmax`."""

    @staticmethod
    def forward(ctx, users: Tensor, gates: Tensor, tables: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:  # type: ignore[override]
        views, positions, n = len(users), users.shape[1], tables.shape[1]
        limit = SCORES_AT_ONCE if users.device.type == "cpu" else _SCORES_AT_ONCE_GPU
        rows = max(32, limit // (views * n))
        scores = users.new_empty(views, min(rows, positions), n)  # reused for every block
        d_users, d_gates, d_tables = torch.empty_like(users), torch.empty_like(gates), torch.zeros_like(tables)
        d_bias = None if bias is None else torch.zeros_like(bias)
        loss = users.new_zeros(())
        for start in range(0, positions, rows):
            stop = min(start + rows, positions)
            h, gate = users[:, start:stop], gates[start:stop].T  # (K, r, d), (K, r)
            target = targets[None, start:stop, None].expand(views, -1, 1)
            p = torch.bmm(h, tables.transpose(1, 2), out=scores[:, : stop - start])  # (K, r, n)
            if bias is not None:
                p += bias
            torch.softmax(p, dim=2, out=p)
            part = gate.exp() * p.gather(2, target).squeeze(2).clamp_min(torch.finfo(p.dtype).tiny)  # (K, r)
            total = part.sum(0)
            loss -= total.log().sum()
            share = part / total  # of each view in explaining the target
            p.scatter_add_(2, target, p.new_full((), -1.0).expand(target.shape))
            p *= share[..., None]
            d_users[:, start:stop] = torch.bmm(p, tables)
            d_tables.baddbmm_(p.transpose(1, 2), h)
            d_gates[start:stop] = -share.T  # of the log gates
            if d_bias is not None:
                d_bias += p.sum((0, 1))
        for gradient in (d_users, d_gates, d_tables, d_bias):
            if gradient is not None:
                gradient.div_(positions)
        ctx.gradients = d_users, d_gates, d_tables, d_bias
        return loss / positions

    @staticmethod
    def backward(ctx, d_loss: Tensor):  # type: ignore[override]
        return *(None if g is None else g.mul_(d_loss) for g in ctx.gradients), None


def mixture_loss(hidden: Tensor, table: Tensor, targets: Tensor, views: int, bias: Tensor | None = None) -> Tensor:
    """Mean of minus the log, in nats, of the chance that a mixture of `views` softmaxes gives row `targets` of `table`.

    Args:
        hidden: (P, K·d + K) user vectors of K views, then the logits of their gates; table: (n, K·d);
            targets: (P,) rows of `table`; bias: (n,) of every view, or None.
    """
    with torch.autocast(hidden.device.type, enabled=False):  # the loop below writes into buffers of one type
        if hidden.element_size() < 4 or table.element_size() < 4:
            hidden, table = hidden.float(), table.float()
        users, gates = split_views(hidden, views)
        return _Mixture.apply(torch.stack(users), gates, torch.stack(table.chunk(views, dim=1)), bias, targets)


def history_loss(hidden: Tensor, items: Tensor, table: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of choosing the next item among itself and all that the same user took before.

    Where nothing is taken twice, a model must not recommend the items of the history, although their vectors are the
    most similar ones. In the full softmax they are a few of thousands of rows; here they are the only negatives.

    Args:
        hidden: (B, T, d) predictions after each of the first T items; items: (B, T + 1) right-padded rows of
            `table` (0 is padding); table: (n, d).
    """
    before, targets = items[:, :-1], items[:, 1:]
    scores = hidden @ F.embedding(before, table).transpose(1, 2)  # (B, T, T)
    past = torch.ones_like(scores, dtype=torch.bool).tril()
    rival = past & (before > 0)[:, None] & (before[:, None] != targets[..., None])
    own = (hidden * F.embedding(targets, table)).sum(-1, keepdim=True)  # (B, T, 1)
    scores = torch.cat([own, scores.masked_fill(~rival, -torch.inf)], dim=2)[targets > 0]  # (P, 1 + T)
    return F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))


def binary_loss(positive: Tensor, negative: Tensor, beta: float = 1.0) -> Tensor:
    """Mean over positions of -β log σ(s⁺) - Σ log(1 - σ(s⁻)), divided by the number of scores of a position.

    β = 1 is the binary cross-entropy of SASRec (Kang & McAuley 2018, eq. 6); smaller ones take back the overconfidence
    that negative sampling brings (gBCE, Petrov & Macdonald 2023, eq. 7: σ(s⁺) to the power of β).

    Args:
        positive: (P,) scores of what came; negative: (P, k) scores of what was drawn.
    """
    loss = beta * F.softplus(-positive) + F.softplus(negative).sum(1)
    return loss.mean() / (1 + negative.shape[1])


def gbce_beta(n_items: int, negatives: int, t: float) -> float:
    """The power of gBCE: β = α (t (1 - 1/α) + 1/α) with the sampling rate α = k / (N - 1); t = 0 is BCE, β = 1.

    Source: Petrov & Macdonald 2023, eq. 10.
    """
    alpha = min(1.0, negatives / max(1, n_items - 1))
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)
