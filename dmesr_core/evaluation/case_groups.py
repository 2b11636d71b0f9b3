"""Scores by group of test cases, and what one model gains over another in each group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dmesr_core.evaluation.bootstrap import Paired, bootstrap_interval
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result

GROUPS = ("head", "tail", "cold", "short", "long")  # as `metrics.groups` names them
ALL = "all"  # every case

Interval = tuple[float, float, float]  # mean, low, high


def group_sizes(masks: Mapping[str, np.ndarray], groups: Iterable[str] = GROUPS) -> dict[str, int]:
    """Number of cases of each group that has any; masks (C,) bool."""
    return {group: int(masks[group].sum()) for group in groups if masks[group].any()}


def mean_with_interval(result: Result, metric: str, n: int = 2000, seed: int = 0) -> Interval:
    """Mean of a metric with its 95% interval."""
    low, high = bootstrap_interval(result.per_case[metric], n, seed, units=result.units)
    return result.mean()[metric], low, high


def scores_by_group(
    results: Mapping[str, Result], masks: Mapping[str, np.ndarray], groups: Iterable[str], metric: str,
    n: int = 2000, seed: int = 0,
) -> dict[str, dict[str, Interval]]:  # fmt: skip
    """Model -> group -> mean with its interval."""
    groups = list(groups)
    return {
        name: {g: mean_with_interval(result.where(masks[g], g), metric, n, seed) for g in groups}
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
