"""Facts taken out of item vectors: what a model loses when it may not use them.

A fact is erased by giving all its values the same mean vector. A probe of class means finds nothing any more; what a
probe that is not linear could find may remain.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Split, pad
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.evaluation.results import Result
from dmesr_core.models.recommender import Recommender

WITHIN = {"shape": "category"}  # facts whose values mean something within another fact only


def equalise_means(table: Tensor, labels: np.ndarray, within: np.ndarray | None = None) -> Tensor:
    """Item vectors whose mean does not depend on the label any more.

    From each vector the mean of its label is subtracted, and the mean of all is added.

    Args:
        table: (N+1, d), row 0 is the padding and stays.
        labels: (N,) int, of items 1..N.
        within: (N,) int; the mean that is added is the one of the items with the same value here.
    """
    vectors, out = table[1:], table.clone()
    out[1:] = (
        vectors - _group_means(vectors, labels) + (vectors.mean(0) if within is None else _group_means(vectors, within))
    )
    return out


def evaluate_with_table(model: Recommender, table: Tensor, split: Split, name: str) -> Result:
    """The test result of a model with other item vectors (N+1, D), of histories and candidates alike."""

    def score(histories: list[np.ndarray], case_indices: np.ndarray) -> Tensor:
        with torch.no_grad():
            return model.scores(model.user(table, pad(histories, model.max_len)), table)

    return evaluate_cases(score, split.test, split.n_items, name=name, split=f"{split.name} test")


def erase_each(
    model: Recommender, table: Tensor, codes: dict[str, np.ndarray], split: Split, order: np.ndarray | None = None
) -> dict[str, Result]:
    """Fact -> test result with item vectors from which that fact was erased.

    Args:
        table: (N+1, D), the vectors of the model.
        codes: fact -> (N,) int, the value of each item.
        order: (N,) a permutation of 0..N-1: item k gets the value of item `order[k]`. A random one is the control: it
            erases a fact that says nothing, with as many items per value.
    """
    order = np.arange(len(table) - 1) if order is None else order
    found = {}
    for fact, code in codes.items():
        labels, within = code[order], codes.get(WITHIN.get(fact, ""))
        if within is not None:
            labels = labels + (code.max() + 1) * within
        found[fact] = evaluate_with_table(model, equalise_means(table, labels, within), split, fact)
    return found


def _group_means(vectors: Tensor, groups: np.ndarray) -> Tensor:
    """For each vector the mean of its group, (N, d)."""
    index = torch.as_tensor(np.unique(groups, return_inverse=True)[1])
    sums = torch.zeros(int(index.max()) + 1, vectors.shape[1]).index_add_(0, index, vectors)
    return (sums / torch.bincount(index)[:, None])[index]
