"""Scorers: functions that give every item a score for each history, made from a model or from counts."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Split, pad
from dmesr_core.errors import DataError, SettingsError

# (histories of B cases, each an array of item numbers, oldest first; the indices (B,) of these cases) -> scores
# (B, N + 1), column = item number, higher is better. Column 0 is ignored. The second argument is for scorers that use
# more than the history, such as the time of the case (the Bazaar's exact predictor does). A scorer whose attribute
# `concurrent` is true may be called by several threads at the same time.
Scorer = Callable[[list[np.ndarray], np.ndarray], Tensor]


class ScoringModel(Protocol):
    """What a scorer needs of a recommender (`recommender.Recommender` has it): a module with these methods."""

    max_len: int

    def item_table(self) -> Tensor:
        """(N + 1, D)"""

    def user(self, table: Tensor, items: Tensor) -> Tensor:
        """(N + 1, D), (B, T) -> (B, D)"""

    def scores(self, user: Tensor, table: Tensor) -> Tensor:
        """(B, D), (N + 1, D) -> (B, N + 1)"""


def popularity(train: Split | np.ndarray) -> Scorer:
    """A scorer that gives each item its number of training events, whatever the history.

    Args:
        train: a split, or counts (N + 1,), of which the first, the padding, is ignored.

    Raises:
        SettingsError: anything else, such as a data set: a split says which events may be counted.

    Example:
        >>> import numpy as np
        >>> from dmesr_core import popularity
        >>> score = popularity(np.array([0, 5, 9]))
        >>> score([np.array([1])], np.array([0])).tolist()  # scores (B, N + 1) of one history
        [[0.0, 5.0, 9.0]]
    """
    if not isinstance(train, Split | np.ndarray | list | tuple):
        raise SettingsError(
            f"popularity counts the training events of a split, as data.interactions.leave_one_out() makes it; got "
            f"{type(train).__name__}"
        )
    counts = torch.as_tensor(np.asarray(train.train_counts if isinstance(train, Split) else train), dtype=torch.float64)

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        return counts.expand(len(histories), -1)

    score.__name__ = "popularity"
    return score


def model_scorer(
    model: ScoringModel, n_items: int, max_len: int | None = None, device: str | torch.device | None = None,
    name: str | None = None, table: Tensor | None = None,
) -> Scorer:  # fmt: skip
    """A scorer from a recommender.

    Histories are cut to their last `max_len` items, by default to the model's own limit. The model is in evaluation
    mode while it scores.

    Args:
        table: the item table (N + 1, D), if it was computed before (`evaluated_table`). Otherwise it is computed once,
            in this call: after more training make a new scorer.

    Raises:
        DataError: for an item table of the wrong size; when scoring, for an empty history.
    """
    name = name or scorer_name(model)
    max_len = model.max_len if max_len is None else max_len
    module = cast(torch.nn.Module, model)
    if device is not None:
        module.to(device)
    device = next(module.parameters()).device
    items_table = evaluated_table(model) if table is None else table
    if len(items_table) != n_items + 1:
        raise DataError(
            f"the item table of {name!r} has {len(items_table)} rows, wanted {n_items + 1} (items and padding)"
        )
    evaluation_mode = EvaluationMode(module)

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        if 0 in (lengths := [len(history) for history in histories]):
            case = case_indices[lengths.index(0)]
            raise DataError(f"case {case} has an empty history: {name!r} needs at least one item to start from")
        items = pad(histories, max_len).to(device)  # (B, T)
        with evaluation_mode, torch.no_grad():
            return model.scores(model.user(items_table, items), items_table)

    score.__name__, score.concurrent = name, device.type == "cpu"  # type: ignore[attr-defined]
    return score


def evaluated_table(model: ScoringModel) -> Tensor:
    """The item table (N + 1, D) of a model in evaluation mode, without gradient."""
    with EvaluationMode(cast(torch.nn.Module, model)), torch.no_grad():
        return model.item_table()


def as_scorer(model: ScoringModel | Scorer, n_items: int) -> Scorer:
    """`model_scorer(model, n_items)` for a recommender; a scorer is returned as it is.

    Raises:
        SettingsError: neither of the two.
    """
    if isinstance(model, torch.nn.Module):
        return model_scorer(cast(ScoringModel, model), n_items)
    if not callable(model):
        raise SettingsError(f"wanted a model, or a scorer such as popularity(split); got {type(model).__name__}")
    return model


def scorer_name(scorer: object) -> str:
    """The name of a scorer or model: its attribute `name`, the name of the function, or the name of the class."""
    return getattr(scorer, "name", None) or getattr(scorer, "__name__", None) or type(scorer).__name__


class EvaluationMode:
    """Puts a model into evaluation mode while any thread is inside; afterwards restores the mode of each module."""

    def __init__(self, model: torch.nn.Module):
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
