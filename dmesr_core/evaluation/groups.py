"""Groups of items by popularity and of test cases by target and length of history: scores and gains per group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.bootstrap import Paired, bootstrap_interval
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result

HEAD_SHARE = 0.2  # of the items with training events
GROUPS = ("head", "tail", "cold", "short", "long")  # of `case_groups`: those that the book compares
ALL = "all"  # every case

Interval = tuple[float, float, float]  # mean, low, high


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


def group_sizes(masks: Mapping[str, np.ndarray], groups: Iterable[str] = GROUPS) -> dict[str, int]:
    """Number of cases of each group that has any; masks (C,) bool."""
    return {group: int(masks[group].sum()) for group in groups if masks[group].any()}


def mean_with_interval(result: Result, metric: str, n: int = 2000, seed: int = 0) -> Interval:
    """Mean of a metric with its 95% interval."""
    low, high = bootstrap_interval(result.per_case[metric], n, seed, units=result.units)
    return result.mean()[metric], low, high


def scores_by_group(
    results: Mapping[str, Result], masks: Mapping[str, np.ndarray], metric: str, n: int = 2000, seed: int = 0
) -> dict[str, dict[str, Interval]]:
    """Model -> group -> (mean, low, high) of `metric` over the cases of each mask (C,), with bootstrap intervals."""
    return {
        name: {g: mean_with_interval(result.where(mask, g), metric, n, seed) for g, mask in masks.items()}
        for name, result in results.items()
    }


def gains_by_group(
    results: Mapping[str, Result], sides: Mapping[str, tuple[str, str]], masks: Mapping[str, np.ndarray],
    groups: Iterable[str], metric: str, n: int = 2000, seed: int = 0,
) -> dict[str, dict[str, Paired]]:  # fmt: skip
    """Kind -> group -> gain of the first model over the second, in each group and over all cases (`ALL`).

    Args:
        sides: kind of comparison -> the two models; all intervals of all kinds hold at once.
    """
    everyone = np.ones(next(iter(results.values())).n_cases, bool)
    in_groups = {group: masks[group] for group in groups} | {ALL: everyone}
    pairs = {
        (kind, group): (results[ours].where(mask, group), results[theirs].where(mask, group))
        for kind, (ours, theirs) in sides.items()
        for group, mask in in_groups.items()
    }
    gains = simultaneous(pairs, metric, n, seed)
    return {kind: {group: gains[kind, group] for group in in_groups} for kind in sides}
