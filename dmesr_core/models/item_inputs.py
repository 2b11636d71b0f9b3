"""What a model knows of its items beside their ids: rows made from features by statistics that are learned once.

Means, scales and directions are learned from the catalogue at training time. They belong to the model and are saved
with its weights, so items that come later are transformed exactly as the first ones were, and the rows of those stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.errors import DataError
from dmesr_core.files import digest
from dmesr_core.models.vectors import column_statistics, main_directions


class ItemInput(nn.Module):
    """Rows of N items; row 0 is the padding. Rows are no weights: they are saved apart, see `saving`."""

    rows: Tensor  # (N+1, ...)

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.source = ""  # hash of what the statistics were learned from: a resumed training compares it
        self.register_buffer("rows", torch.zeros(1, *shape), persistent=False)

    def _remember(self, *given: Tensor) -> None:
        self.source = digest(*(tensor.numpy() for tensor in given))


@contextmanager
def all_or_nothing(model: nn.Module) -> Iterator[None]:
    """Where rows fit one input of a model, and the next raises, the model is left with the rows it had."""
    inputs = [module for module in model.modules() if isinstance(module, ItemInput)]
    before = [dict(module.named_buffers()) for module in inputs]
    try:
        yield
    except Exception:
        for module, buffers in zip(inputs, before, strict=True):
            for name, buffer in buffers.items():
                setattr(module, name, buffer)
        raise


class StandardisedVectors(ItemInput):
    """One vector per item, each column with mean 0 and variance 1 over the catalogue that was learned from.

    Args:
        width: F.
        components: so many main directions are kept; None keeps the columns as they are.
    """

    mean: Tensor  # (F,)
    std: Tensor  # (F,)
    directions: Tensor | None  # (F, components)

    def __init__(self, width: int, components: int | None = None):
        super().__init__((components or width,))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.register_buffer("directions", None if components is None else torch.zeros(width, components))

    def learn(self, vectors: Tensor, scale: bool = True) -> None:
        """Statistics and rows of all items, from vectors (N+1, F); without `scale` columns stay as they are."""
        self._remember(vectors)
        if len(vectors) > 1 and scale:
            self.mean, self.std = column_statistics(vectors[1:])
        if self.directions is not None and len(vectors) > 1:
            standard = (vectors[1:].float() - self.mean) / self.std
            directions = main_directions(standard, self.directions.shape[1])
            self.directions = directions / (standard @ directions).double().std().clamp(min=1e-6).float()
        self.append(vectors[1:])

    def append(self, vectors: Tensor) -> None:
        """Rows of more items, from their vectors (n, F)."""
        check_width(vectors, len(self.mean))
        rows = (vectors.float().to(self.mean.device) - self.mean) / self.std
        self.rows = torch.cat([self.rows, rows if self.directions is None else rows @ self.directions])

    def forward(self, items: Tensor) -> Tensor:
        """(n,) -> (n, F) or (n, components)"""
        return self.rows[items]


class TokenStates(ItemInput):
    """The token states of each item's words, in their main directions, with unit variance overall.

    The fusion reads every token of every item at every step: fewer columns, less to read.

    Args:
        width: d_f, of the token states as they come.
        components: columns that are kept; 0 keeps all.
        tokens: L, at most; the rest of a text is not read.
    """

    mask: Tensor  # (N+1, L) True at real tokens
    mean: Tensor  # (d_f,)
    scale: Tensor  # ()
    directions: Tensor | None  # (d_f, components)

    def __init__(self, width: int, components: int, tokens: int):
        self.width, self.tokens = width, tokens
        reduce = 0 < components < width
        super().__init__((0, components if reduce else width))
        self.register_buffer("mask", torch.zeros(1, 0, dtype=torch.bool), persistent=False)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("directions", torch.zeros(width, components) if reduce else None)

    def learn(self, fine: Tensor, mask: Tensor) -> None:
        """Statistics and rows of all items, from their token states (N+1, L, d_f) and the mask (N+1, L)."""
        fine, mask = fine[:, : self.tokens], mask[:, : self.tokens].bool()
        self._remember(fine, mask)
        states = fine[mask].float()  # (tokens of all items, d_f)
        if len(states):
            self.mean, _ = column_statistics(states)
            states = states - self.mean
            if self.directions is not None:
                self.directions = main_directions(states, self.directions.shape[1])
                states = states @ self.directions
            self.scale = states.double().std().clamp(min=1e-6).float()
        self.append(fine[1:], mask[1:])

    def append(self, fine: Tensor, mask: Tensor) -> None:
        """Rows of more items, from their token states (n, L, d_f) and the mask (n, L)."""
        check_width(fine, self.width)
        device = self.mean.device
        fine, mask = fine[:, : self.tokens].to(device), mask[:, : self.tokens].bool().to(device)
        rows = (fine.float() - self.mean) * mask[..., None]
        rows = (rows if self.directions is None else rows @ self.directions) / self.scale
        length = max(rows.shape[1], self.rows.shape[1])
        old, new = (F.pad(each, (0, 0, 0, length - each.shape[1])) for each in (self.rows, rows))
        self.rows = torch.cat([old, new])
        self.mask = torch.cat([F.pad(each, (0, length - each.shape[1])) for each in (self.mask, mask)])

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) -> token states (n, L, components) and mask (n, L)"""
        return self.rows[items], self.mask[items]


def check_width(given: Tensor, width: int) -> None:
    """DataError unless features have the width that a model was built for."""
    if given.shape[-1] != width:
        raise DataError(
            f"features of width {given.shape[-1]:,} for a model that reads {width:,}: extract them with the same "
            "MLLM and text encoder as those that it was built with"
        )
