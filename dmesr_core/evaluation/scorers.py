"""Scorers: functions that give every item a score for each history, made from a model or from counts."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Split, pad
from dmesr_core.errors import DataError
from dmesr_core.models.recommender import Recommender

# (histories of B cases, each an array of item numbers, oldest first; the indices (B,) of these cases) -> scores
# (B, N + 1), column = item number, higher is better. Column 0 is ignored. The second argument is for scorers that use
# more than the history, such as the time of the case (the Bazaar's exact predictor does). A scorer whose attribute
# `concurrent` is true may be called by several threads at the same time.
Scorer = Callable[[list[np.ndarray], np.ndarray], Tensor]


def popularity(train: Split | np.ndarray) -> Scorer:
    """Score each item by its number of training events, given a split or counts (N + 1,); histories are ignored."""
    counts = torch.as_tensor(np.asarray(train.train_counts if isinstance(train, Split) else train), dtype=torch.float64)

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        return counts.expand(len(histories), -1)

    score.__name__ = "popularity"
    return score


def model_scorer(
    model: Recommender, n_items: int, max_len: int | None = None, device: str | torch.device | None = None,
    name: str | None = None,
) -> Scorer:  # fmt: skip
    """A scorer from a recommender.

    The item table is computed once, in this call: after more training make a new scorer. Histories are cut to their
    last `max_len` items, by default to the model's own limit. The model is in evaluation mode while it scores.

    Raises:
        DataError: for an item table of the wrong size; when scoring, for an empty history.
    """
    name = name or scorer_name(model)
    max_len = model.max_len if max_len is None else max_len
    if device is not None:
        model.to(device)
    device = next(model.parameters()).device

    evaluation_mode = _EvaluationMode(model)
    with evaluation_mode, torch.no_grad():
        table = model.item_table()  # (N + 1, D)
    if len(table) != n_items + 1:
        raise DataError(f"the item table of {name!r} has {len(table)} rows, wanted {n_items + 1} (items and padding)")

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        if 0 in (lengths := [len(history) for history in histories]):
            case = case_indices[lengths.index(0)]
            raise DataError(f"case {case} has an empty history: {name!r} needs at least one item to start from")
        items = pad(histories, max_len).to(device)  # (B, T)
        with evaluation_mode, torch.no_grad():
            return model.scores(model.user(table, items), table)

    score.__name__, score.concurrent = name, device.type == "cpu"  # type: ignore[attr-defined]
    return score


def as_scorer(model: Recommender | Scorer, n_items: int) -> Scorer:
    """`model_scorer(model, n_items)` for a recommender; a scorer is returned as it is."""
    return model_scorer(model, n_items) if isinstance(model, Recommender) else model


def scorer_name(scorer: object) -> str:
    """The name of a scorer or model: its attribute `name`, the name of the function, or the name of the class."""
    return getattr(scorer, "name", None) or getattr(scorer, "__name__", None) or type(scorer).__name__


class _EvaluationMode:
    """Puts a model into evaluation mode while any thread is inside; afterwards restores the mode of each module."""

    def __init__(self, model: Recommender):
        self.model, self.lock, self.inside = model, Lock(), 0
        self.training: list[torch.nn.Module] = []

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.training = [module for module in self.model.modules() if module.training]
                for module in self.training:
                    module.training = False
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                for module in self.training:
                    module.training = True
