"""Differences between variants of a study, and how much of their uncertainty has which source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from dmesr_core.evaluation.bootstrap import Paired, paired_bootstrap
from dmesr_core.evaluation.groups import Interval, mean_with_interval
from dmesr_core.evaluation.multiple_comparisons import all_pairs
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments.study import BACKBONE_NAMES, VARIANT_NAMES, Cell, DataSplit, Study

K = TypeVar("K")
Pair = tuple[Result, Result]
Order = tuple[tuple[DataSplit, str], str, str]  # (data set and split, protocol), one contender, another


def with_interval(results: Mapping[K, Result], metric: str, n: int, seed: int) -> dict[K, Interval]:
    """The mean of each result with its bootstrap interval over users and seeds."""
    return {key: mean_with_interval(result, metric, n, seed) for key, result in results.items()}


def pair_results(cells: Mapping[Cell, Result], wanted: Mapping[str, tuple[str, str]]) -> dict[Cell, Pair]:
    """The pairs of results that are compared: each comparison for each data set and backbone.

    Args:
        wanted: name of a comparison -> (variant, variant that is subtracted from it).
    """
    places = dict.fromkeys((at, backbone) for at, backbone, _ in cells)
    return {
        (at, backbone, name): (cells[at, backbone, one], cells[at, backbone, other])
        for at, backbone in places
        for name, (one, other) in wanted.items()
    }


def one_by_one(pairs: Mapping[K, Pair], metric: str, n: int, seed: int) -> dict[K, Paired]:
    """Each difference with an interval and a p-value of its own, not corrected for the number of comparisons."""
    return {
        key: paired_bootstrap(a.per_case[metric], b.per_case[metric], n, seed, units=a.units)
        for key, (a, b) in pairs.items()
    }


def width_ratio(wide: Mapping[K, Paired], narrow: Mapping[K, Paired]) -> float:
    """How many times as wide the intervals of `wide` are, median over the comparisons."""
    return float(np.median([(w.high - w.low) / (narrow[key].high - narrow[key].low) for key, w in wide.items()]))


def seed_shares(pairs: Mapping[K, Pair], alone: Mapping[K, Paired], metric: str) -> dict[K, float]:
    """How much of the variance of each difference comes from the training seeds, at most 1; nan with one seed."""
    return {key: _seed_share(pair, alone[key], metric) for key, pair in pairs.items()}


def _seed_share(pair: Pair, change: Paired, metric: str) -> float:
    ours, theirs = (np.atleast_2d(result.per_case[metric]) for result in pair)
    by_seed = (ours - theirs).mean(axis=1)  # (seeds,)
    if len(by_seed) < 2:
        return float("nan")
    error = (change.high - change.low) / (2 * 1.96)
    return float(min(1.0, by_seed.var(ddof=1) / len(by_seed) / error**2))


def contender_name(backbone: str, variant: str) -> str:
    """A variant with its backbone: "DMESR + SASRec"."""
    return f"{VARIANT_NAMES[variant]} + {BACKBONE_NAMES[backbone]}"


def by_contender(study: Study, protocol: str) -> dict[DataSplit, dict[str, Result]]:
    """The results of each data set by the name of the contender, popularity last."""
    found: dict[DataSplit, dict[str, Result]] = {}
    for (at, backbone, variant), result in study.cells(protocol=protocol).items():
        found.setdefault(at, {})[contender_name(backbone, variant)] = result
    popularity = study.popularity(protocol)
    return {at: some | {"popularity": popularity[at]} for at, some in found.items()}


def two_protocols(study: Study, metric: str) -> dict[DataSplit, dict[str, tuple[float, float]]]:
    """For each data set the mean of each contender under the full and under the sampled protocol."""
    full, sampled = by_contender(study, "full"), by_contender(study, "sampled")
    return {
        at: {name: (result.mean()[metric], sampled[at][name].mean()[metric]) for name, result in some.items()}
        for at, some in full.items()
    }


def ordered_pairs(study: Study, metric: str, n: int, seed: int) -> dict[Order, Paired]:
    """Differences between any two contenders of a data set under both protocols, with simultaneous intervals."""
    groups = {
        (at, protocol): some
        for protocol in ("full", "sampled")
        for at, some in by_contender(study, protocol).items()
    }
    return all_pairs(groups, metric, n, seed)
