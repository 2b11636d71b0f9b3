"""Groups of items by popularity and of test cases by target and length of history, and metrics per group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.results import Result

HEAD_SHARE = 0.2  # of the items with training events


def item_groups(train_counts: np.ndarray) -> dict[str, np.ndarray]:
    """Items by popularity in training, each mask (N + 1,) bool, False for item 0.

    cold: no training event. warm: the others. head: the most popular `HEAD_SHARE` of the warm items, and all items
    as popular as the last of these, so that item numbers have no influence. tail: the other warm items. tail+cold: all
    items but the head.
    """
    counts = np.asarray(train_counts)
    item = np.arange(len(counts)) > 0
    warm = item & (counts > 0)
    n_head = int(np.ceil(HEAD_SHARE * warm.sum()))
    head = warm & (counts >= np.sort(counts[warm])[-n_head]) if n_head else np.zeros_like(warm)
    return {"head": head, "tail": warm & ~head, "cold": item & ~warm, "tail+cold": item & ~head}


def case_groups(split: Split, cases: Cases) -> dict[str, np.ndarray]:
    """Cases by their target (head, tail, cold, tail+cold: see `item_groups`) and by the length of their history.

    short: at most the median length of these cases; long: more. Masks (C,) bool.
    """
    lengths = cases.histories.lengths
    median = np.median(lengths) if len(lengths) else 0
    masks = {group: mask[np.asarray(cases.targets)] for group, mask in item_groups(split.train_counts).items()}
    return masks | {"short": lengths <= median, "long": lengths > median}


def scores_by_group(
    results: Mapping[str, Result], masks: Mapping[str, np.ndarray], metric: str, n: int = 2000, seed: int = 0
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Name -> group -> (mean, low, high) of `metric` over the cases of each mask (C,), with bootstrap intervals."""
    scores: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, result in results.items():
        parts = {group: result.where(mask, group) for group, mask in masks.items()}
        scores[name] = {g: (part.mean()[metric], *part.interval(n, seed)[metric]) for g, part in parts.items()}
    return scores
