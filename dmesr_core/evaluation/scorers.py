"""Scorers: functions that give every item a score for each history, made from a model or from counts."""

from __future__ import annotations

from threading import Lock

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import pad
from dmesr_core.errors import DataError
from dmesr_core.evaluation.ranking import Scorer, scorer_name
from dmesr_core.models.recommender import Recommender


def popularity_scorer(train_counts: np.ndarray) -> Scorer:
    """Score each item by its number of training events (N + 1,), whatever the history."""
    counts = torch.as_tensor(np.asarray(train_counts), dtype=torch.float64)

    def popularity(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        return counts.expand(len(histories), -1)

    return popularity


def model_scorer(
    model: Recommender, n_items: int, max_len: int | None = None, device: str | torch.device | None = None,
    name: str | None = None,
) -> Scorer:  # fmt: skip
    """A scorer from any model with the interface of `backbones.Recommender`.

    The item table is computed once, here: make a new scorer after training on. Histories are cut to their last
    `max_len` items, by default to what the model can read. While it works the model is in evaluation mode.

    Raises:
        DataError: for an item table of the wrong size; when scoring, for an empty history.
    """
    name = name or scorer_name(model)
    max_len = model.max_len if max_len is None else max_len
    if device is not None:
        model.to(device)
    device = next(model.parameters()).device

    evaluating = _Evaluating(model)
    with evaluating, torch.no_grad():
        table = model.item_table()  # (N + 1, D)
    if len(table) != n_items + 1:
        raise DataError(f"the item table of {name!r} has {len(table)} rows, wanted {n_items + 1} (items and padding)")

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        if 0 in (lengths := [len(history) for history in histories]):
            case = case_indices[lengths.index(0)]
            raise DataError(f"case {case} has an empty history: {name!r} needs at least one item to start from")
        items = pad(histories, max_len).to(device)  # (B, T)
        with evaluating, torch.no_grad():
            return model.scores(model.user(table, items), table)

    score.__name__, score.concurrent = name, device.type == "cpu"  # type: ignore[attr-defined]
    return score


class _Evaluating:
    """Puts a model into evaluation mode while any thread is inside; afterwards each part is as it was."""

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
