"""A mixture of views: one backbone reads a history once, and several softmaxes share the purchases among them.

One softmax over a sum of parts can hardly say "same series *and* goes with it, or else anything": the score of both
must rise without that of either. Here K user vectors leave the backbone, one for each of K item tables: that of the
whole items, and those of their views. Each makes its own softmax; gates weigh them:

    p(item | history) = Σ_k gate_k(history) · softmax_k(user_k · item_k)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import Backbone


class MixtureOfViews(Backbone):
    """A backbone, and K user vectors and gates made from what it predicts.

    Item vectors (.., K·d) are K views side by side; histories are read in the first. The output (.., K·d + K) holds K
    user vectors, and the logits of K gates. Each user vector is the prediction through a linear map, which starts as
    the identity, plus a small network, which starts at zero: so training starts from K copies of the plain model.
    """

    def __init__(self, backbone: Backbone, width: int, views: int):
        super().__init__()
        self.backbone, self.width, self.softmaxes = backbone, width, views
        self.objective, self.item_bias = backbone.objective, backbone.item_bias
        self.straight = nn.ModuleList(_identity(width) for _ in range(views))
        self.bent = nn.ModuleList(_silent(width) for _ in range(views))
        self.gate = _zero(nn.Linear(width, views))

    def mask_vector(self) -> Tensor:
        return F.pad(self.backbone.mask_vector(), (0, (self.softmaxes - 1) * self.width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.backbone(x[..., : self.width], mask)
        users = [straight(y) + bent(y) for straight, bent in zip(self.straight, self.bent, strict=True)]
        return torch.cat([*users, self.gate(y)], dim=-1)


def _identity(width: int) -> nn.Linear:
    """A linear map that gives what it gets, at first."""
    layer = _zero(nn.Linear(width, width))
    nn.init.eye_(layer.weight)
    return layer


def _silent(width: int) -> nn.Sequential:
    """A network of two layers that gives zeros, at first."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), _zero(nn.Linear(2 * width, width)))


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def mixed(backbone: Backbone, width: int, softmaxes: int) -> Backbone:
    """The backbone itself for one softmax, and a mixture for more.

    Raises:
        SettingsError: less than one.
    """
    if isinstance(softmaxes, bool) or not isinstance(softmaxes, int) or softmaxes < 1:
        raise SettingsError(f"softmaxes must be a whole number from 1 on, got {softmaxes!r}")
    return backbone if softmaxes == 1 else MixtureOfViews(backbone, width, softmaxes)


def split_views(user: Tensor, views: int) -> tuple[list[Tensor], Tensor]:
    """K user vectors (B, d), and log gates (B, K), from (B, K·d + K)."""
    vectors, gates = user[:, :-views], user[:, -views:]
    gates = gates if gates.element_size() >= 4 else gates.float()
    return list(vectors.chunk(views, dim=1)), gates.log_softmax(1)


def view_log_chances(user: Tensor, table: Tensor, views: int, known: Tensor, bias: Tensor | None = None) -> Tensor:
    """Log of gate · chance of each item in each view: (B, K·d + K), (n, K·d) -> (K, B, n); the first row is padding.

    Chances are shares of the `known` items (n,) alone: the scores of those stay when items are added.
    """
    users, gates = split_views(user, views)
    out = []
    for k, part in enumerate(table.chunk(views, dim=1)):
        scores = users[k] @ part.T  # (B, n)
        scores = scores if bias is None else scores + bias
        total = scores.masked_fill(~known, -torch.inf).logsumexp(1, keepdim=True)
        out.append(scores + (gates[:, k, None] - total))
    return torch.stack(out)


def mixture_scores(user: Tensor, table: Tensor, views: int, known: Tensor, bias: Tensor | None = None) -> Tensor:
    """Log of the chance of each item, (B, n); see `view_log_chances`."""
    return view_log_chances(user, table, views, known, bias).logsumexp(0)
