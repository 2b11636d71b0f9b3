"""SASRec, GRU4Rec and BERT4Rec behind one small interface: vectors of a history in, vectors that predict out.

A backbone never sees item numbers: it gets the item vectors of a right-padded history (B, T, D) and a mask of
its real positions (B, T), and returns (B, T, D). With right padding a causal model needs no padding mask: real
positions never look at later ones. `objective` says how it is trained: "next" (each position predicts the one
after it) or "cloze" (masked positions predict themselves).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbone_checks import check_class, check_shapes
from dmesr_core.setting_types import check_types


@dataclass(frozen=True)
class BackboneSettings:
    """Size of a backbone; the defaults can be trained many times on a laptop (wider ones score higher).

    Args:
        name: "sasrec", "gru4rec", "bert4rec", or one added with `register_backbone`.
        width: d, of item vectors and of everything inside.
        max_len: longest history that is read, in items; of a longer one the last items.
        layers: attention blocks or GRU layers.
        heads: attention heads (not used by gru4rec); they divide the width.
        dropout: probability, 0 to below 1.
        head: a dense layer, added to what the backbone predicts.

    Raises:
        SettingsError: names the setting and the values it may have.

    Example:
        >>> from dmesr_core import BackboneSettings
        >>> BackboneSettings("gru4rec", width=32).max_len
        50
    """

    name: str = "sasrec"
    width: int = 64
    max_len: int = 50
    layers: int = 1
    heads: int = 2
    dropout: float = 0.2
    head: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        if self.name not in BACKBONES:
            raise SettingsError(
                f"unknown backbone {self.name!r}: choose one of {', '.join(BACKBONES)}, or import the module that "
                "registers it (register_backbone)"
            )
        for name in ("width", "max_len", "layers", "heads"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"dropout must be at least 0 and below 1, got {self.dropout!r}")
        if self.width % self.heads:
            raise SettingsError(f"width {self.width} is not divisible by {self.heads} heads")


class Attention(nn.Module):
    """Multi-head self-attention, causal or not."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool, mask: Tensor | None = None) -> Tensor:
        """(B, T, d) -> (B, T, d); `mask` (B, T) True at positions that may be attended to."""
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # (B, h, T, d/h)
        y = F.scaled_dot_product_attention(
            q, k, v, None if mask is None else mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0, is_causal=causal,
        )  # fmt: skip
        return self.out(y.transpose(1, 2).reshape(b, t, d))


def reversed_positions(mask: Tensor) -> Tensor:
    """Positions counted back from the last item (0), (B, T), as in the left-padded layout of the papers.

    The last slots are trained by every history, however short; counted from the start, the positions of
    a history that is longer than most would hardly be trained at all.
    """
    return (mask.sum(1, keepdim=True) - 1 - torch.arange(mask.shape[1], device=mask.device)).clamp(min=0)


class Backbone(nn.Module):
    """Interface of all backbones: (B, T, D) vectors and (B, T) mask in, (B, T, D) out.

    A backbone of your own has the constructor `(settings: BackboneSettings)`, both attributes and `forward`, and gets
    its name with `@register_backbone("mine")`; there is an example. D is `settings.width`.

    Attributes:
        objective: "next" (each position predicts the item after it and must not look at later ones), or "cloze"
            (masked positions predict themselves); a cloze backbone has `mask_vector`, too.
        item_bias: whether a learned bias per item is added to the scores.

    Example:
        >>> import torch
        >>> from dmesr_core import BackboneSettings, IDRecommender
        >>> model = IDRecommender(BackboneSettings("gru4rec", width=8), torch.ones(4).bool())  # three items
        >>> x, mask = torch.randn(2, 3, 8), torch.ones(2, 3).bool()  # (B, T, D), (B, T)
        >>> model.backbone(x, mask).shape
        torch.Size([2, 3, 8])
    """

    objective: str
    item_bias: bool
    softmaxes: int = 1  # more than 1: a mixture, see `MixtureOfViews`

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Vectors (B, T, D) of right-padded histories, real positions (B, T) True -> predictions (B, T, D).

        T varies, up to `max_len`, and one more for cloze. Padding must change nothing at real positions. Keep no
        state on `self`: several threads score with one model at once.
        """
        raise NotImplementedError

    def mask_vector(self) -> Tensor:
        """The vector at masked positions, (D,); cloze only."""
        raise NotImplementedError


class SASRecBlock(nn.Module):
    """Norm first, then attend to the past; norm first, then a point-wise ReLU layer."""

    def __init__(self, s: BackboneSettings):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(s.width), nn.LayerNorm(s.width)
        self.attention = Attention(s.width, s.heads, s.dropout)
        self.feed = nn.Sequential(
            nn.Linear(s.width, s.width), nn.ReLU(), nn.Dropout(s.dropout), nn.Linear(s.width, s.width)
        )
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), causal=True))
        return x + self.dropout(self.feed(self.norm2(x)))


class SASRec(Backbone):
    """Self-attentive sequential recommendation (Kang & McAuley 2018): causal, pre-norm, point-wise ReLU layers."""

    objective = "next"
    item_bias = False

    def __init__(self, s: BackboneSettings):
        super().__init__()
        self.scale = math.sqrt(s.width)
        self.position = nn.Embedding(s.max_len, s.width)
        self.dropout = nn.Dropout(s.dropout)
        self.blocks = nn.ModuleList(SASRecBlock(s) for _ in range(s.layers))
        self.norm = nn.LayerNorm(s.width)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.dropout(x * self.scale + self.position(reversed_positions(mask)))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class GRU4Rec(Backbone):
    """Recurrent recommendation (Hidasi et al. 2016): a GRU over item vectors, tanh on the way out.

    Trained on every position of every history; several published re-implementations train on each
    user's last item only, which makes it a weak baseline.
    """

    objective = "next"
    item_bias = False

    def __init__(self, s: BackboneSettings):
        super().__init__()
        self.scale = math.sqrt(s.width)
        self.dropout = nn.Dropout(s.dropout)
        self.gru = nn.GRU(s.width, 2 * s.width, s.layers, batch_first=True, dropout=s.dropout if s.layers > 1 else 0.0)
        self.out = nn.Linear(2 * s.width, s.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y, _ = self.gru(self.dropout(x * self.scale))
        # tanh keeps a score in -1 … 1 per dimension; the factor lets a softmax over many items become sharp.
        return torch.tanh(self.out(self.dropout(y))) * self.scale


class BERT4RecBlock(nn.Module):
    """Attend both ways, then norm; a GELU layer four times as wide, then norm."""

    def __init__(self, s: BackboneSettings):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(s.width), nn.LayerNorm(s.width)
        self.attention = Attention(s.width, s.heads, s.dropout)
        self.feed = nn.Sequential(nn.Linear(s.width, 4 * s.width), nn.GELU(), nn.Linear(4 * s.width, s.width))
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(self.attention(x, causal=False, mask=mask)))
        return self.norm2(x + self.dropout(self.feed(x)))


class BERT4Rec(Backbone):
    """Bidirectional transformer trained on a cloze task (Sun et al. 2019): post-norm, GELU, output bias per item.

    Two choices are ours, since a few thousand histories are little for it. Attention starts by looking at neighbours (a
    masked position has no content; where to look is the first thing to learn), and the last dense layer is left out.
    """

    objective = "cloze"
    item_bias = True

    def __init__(self, s: BackboneSettings):
        super().__init__()
        self.scale = math.sqrt(s.width)
        # One position more than the longest history: at inference a mask stands where the next item will be.
        self.position = nn.Embedding(s.max_len + 1, s.width)
        self.mask = nn.Parameter(torch.randn(s.width) / self.scale)
        self.norm = nn.LayerNorm(s.width)
        self.dropout = nn.Dropout(s.dropout)
        blocks = [BERT4RecBlock(s) for _ in range(s.layers)]
        self.blocks = nn.ModuleList(blocks)
        self._look_at_neighbours([block.attention for block in blocks])

    @torch.no_grad()
    def _look_at_neighbours(self, attentions: list[Attention]) -> None:
        """Initial weights: sinusoids as positions, attention matrices near the identity, so that neighbours attend."""
        n, width = self.position.weight.shape
        speed = torch.exp(torch.linspace(0, -4, (width + 1) // 2))  # radians per position, fast to slow
        angle = torch.arange(n)[:, None] * speed  # (n, d/2)
        waves = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]
        self.position.weight.copy_(math.sqrt(2) * waves)  # unit variance, as the items have
        same = torch.eye(width)
        for attention in attentions:
            qk, v = attention.qkv.weight.split([2 * width, width])
            qk.mul_(0.3).add_(same.repeat(2, 1))
            v.add_(same)
            attention.out.weight.add_(same)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.dropout(self.norm(x * self.scale + self.position(reversed_positions(mask))))
        for block in self.blocks:
            x = block(x, mask)
        return x

    def mask_vector(self) -> Tensor:
        return self.mask


class TwoTowers(Backbone):
    """One backbone, shared by two views: reads each half of the width on its own, and returns both halves."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        self.objective, self.item_bias = backbone.objective, backbone.item_bias

    def mask_vector(self) -> Tensor:
        return self.backbone.mask_vector().repeat(2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        return torch.cat(self.backbone(torch.cat([first, second]), mask.repeat(2, 1)).chunk(2), dim=-1)


class WithHead(Backbone):
    """A backbone, and a dense layer added to its prediction (in BERT4Rec's code the layer replaces it).

    A residual network ends near the vector of the last item, and so predicts it again; the layer can correct this.
    """

    def __init__(self, backbone: Backbone, width: int):
        super().__init__()
        self.backbone = backbone
        self.objective, self.item_bias = backbone.objective, backbone.item_bias
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))

    def mask_vector(self) -> Tensor:
        return self.backbone.mask_vector()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.backbone(x, mask)
        return y + self.head(y)


BACKBONES: dict[str, Callable[[BackboneSettings], Backbone]] = {
    "sasrec": SASRec,
    "gru4rec": GRU4Rec,
    "bert4rec": BERT4Rec,
}


def register_backbone(name: str) -> Callable[[type[Backbone]], type[Backbone]]:
    """Class decorator that makes a backbone known to `BackboneSettings(name)`; `Backbone` says what it needs.

    Args:
        name: any that is free.

    Raises:
        SettingsError: a name that is taken by another class, or a class that lacks something; says what.

    Example:
        >>> from torch import nn
        >>> from dmesr_core import Backbone, BackboneSettings, register_backbone
        >>> @register_backbone("last_item")
        ... class LastItem(Backbone):
        ...     objective, item_bias = "next", False
        ...     def __init__(self, settings):
        ...         super().__init__()
        ...         self.map = nn.Linear(settings.width, settings.width)
        ...     def forward(self, x, mask):  # (B, T, D), (B, T) -> (B, T, D)
        ...         return self.map(x)
        >>> BackboneSettings("last_item", width=32).name
        'last_item'
    """
    if not isinstance(name, str):
        raise SettingsError('register_backbone takes the name: @register_backbone("mine")')

    def register(backbone: type[Backbone]) -> type[Backbone]:
        taken = BACKBONES.get(name)
        if taken is not None and getattr(taken, "__qualname__", None) != backbone.__qualname__:
            raise SettingsError(f"the name {name!r} belongs to {taken.__name__} already: choose another one")
        check_class(backbone, Backbone)
        BACKBONES[name] = backbone
        return backbone

    return register


def make_backbone(settings: BackboneSettings) -> Backbone:
    """The backbone called `settings.name`, tried with a tiny tensor.

    Raises:
        SettingsError: a backbone that this process did not register, or one that does not do what `Backbone` says.
    """
    if settings.name not in BACKBONES:
        raise SettingsError(f"backbone {settings.name!r} is not registered in this process: import its module first")
    backbone = BACKBONES[settings.name](settings)
    check_shapes(backbone, settings.width, settings.max_len)
    return WithHead(backbone, settings.width) if settings.head else backbone
