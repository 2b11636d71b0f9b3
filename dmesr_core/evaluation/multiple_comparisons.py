"""Many comparisons: simultaneous intervals, adjusted p-values.

With dozens of comparisons some 95% intervals exclude zero by chance. Two corrections:

- `simultaneous`: intervals for a whole family of differences such that with probability 95% *all* of them contain the
  true value. Their width follows from the resamples: the distribution of the largest deviation in the family, in
  standard errors. Differences on the same users are correlated, and the intervals are no wider than necessary.
- `holm`: adjusts p-values of any origin; valid for every kind of dependence, hence conservative.

Sources: Romano and Wolf, Exact and approximate stepdown methods for multiple hypothesis testing (2005): the single-step
version, since it gives intervals too; Holm, A simple sequentially rejective multiple test procedure (1979).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import Paired, resampled_means
from dmesr_core.evaluation.results import Result, check_comparable

Key = TypeVar("Key", bound=Hashable)


def simultaneous(
    pairs: Mapping[Key, tuple[Result, Result]], metric: str, n: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[Key, Paired]:
    """mean(a) - mean(b) of every pair (a, b), with intervals that hold simultaneously with probability `level`.

    Args:
        pairs: the family: *every* comparison that a text makes, also those without a gain. The two results of a pair
            have the same cases; different pairs may have different cases.

    Returns:
        For each pair the difference, its interval (difference ± c standard errors, with the same c for all) and a
        p-value that is adjusted for the family. nan for a pair without cases, which does not count in the family.

    Raises:
        DataError: for an empty family, or a pair that is not comparable.
    """
    if not pairs:
        raise DataError("no pair was given: there is nothing to compare")
    diffs, draws = np.empty(len(pairs)), np.empty((len(pairs), n))
    for k, ((a, b), pair_seed) in enumerate(zip(pairs.values(), _pair_seeds(pairs, seed), strict=True)):
        check_comparable([a, b])
        means = resampled_means([a.per_case[metric], b.per_case[metric]], n, pair_seed, a.units)  # (2, n)
        draws[k] = means[0] - means[1]
        diffs[k] = a.per_case[metric].mean() - b.per_case[metric].mean() if a.n_cases else np.nan
    return simultaneous_intervals(list(pairs), diffs, draws, level)


def all_pairs(
    groups: Mapping[Key, Mapping[str, Result]], metric: str, n: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[tuple[Key, str, str], Paired]:
    """As `simultaneous`, for all pairs of results in each group: (group, a, b) -> mean(a) - mean(b).

    Args:
        groups: group (for example a data set under one protocol) -> name -> result; the same cases within a group.

    Raises:
        DataError: if no group has two results, or the results of a group are not comparable.
    """
    keys: list[tuple[Key, str, str]] = []
    diffs: list[float] = []
    draws: list[np.ndarray] = []
    for g, (group, results) in enumerate(groups.items()):
        names, ordered = list(results), list(results.values())
        check_comparable(ordered)
        means = resampled_means([r.per_case[metric] for r in ordered], n, _derived_seed(seed, g), ordered[0].units)
        for i, j in combinations(range(len(names)), 2):
            keys.append((group, names[i], names[j]))
            diffs.append(ordered[i].mean()[metric] - ordered[j].mean()[metric])
            draws.append(means[i] - means[j])
    if not keys:
        raise DataError("no group holds two results: there is nothing to compare")
    return simultaneous_intervals(keys, np.array(diffs), np.array(draws), level)


def simultaneous_intervals(keys: list[Key], diffs: np.ndarray, draws: np.ndarray, level: float) -> dict[Key, Paired]:
    """Differences (K,) and their resamples (K, n) -> key -> `Paired`, with one factor c for all."""
    if not 0 < level < 1:
        raise SettingsError(f"level must lie between 0 and 1, got {level}")
    n = draws.shape[1]
    error = draws.std(axis=1, ddof=1) if n > 1 else np.zeros(len(keys))
    varies = error > 1e-12  # otherwise the two results are equal in every case
    largest = np.zeros(n)  # (n,), largest deviation in the family in each resample, in standard errors
    if varies.any():
        largest = np.abs((draws[varies] - diffs[varies, None]) / error[varies, None]).max(axis=0)
    margins = np.quantile(largest, level) * error
    out = {}
    for key, diff, margin, e in zip(keys, diffs, margins, error, strict=True):
        exceeding = (largest >= abs(diff) / e).sum() if e > 1e-12 else n * (diff == 0)
        p = float("nan") if np.isnan(diff) else (1 + float(exceeding)) / (n + 1)
        out[key] = Paired(float(diff), float(diff - margin), float(diff + margin), p)
    return out


def _pair_seeds(pairs: Mapping[Key, tuple[Result, Result]], seed: int) -> list[int]:
    """A bootstrap seed per pair: the same for pairs that share a result, directly or through other pairs.

    So the deviations of a model that occurs in two pairs are correlated, as they should be. Pairs without a common
    result are resampled independently: a handful of training seeds has few different draws, and sharing them would make
    independent pairs look correlated and the intervals of the family too narrow.
    """
    number: dict[int, int] = {}
    ends = [[number.setdefault(id(result), len(number)) for result in pair] for pair in pairs.values()]
    links = coo_array((np.ones(len(ends)), tuple(np.array(ends).reshape(-1, 2).T)), shape=(len(number), len(number)))
    component = connected_components(links, directed=False)[1]
    return [_derived_seed(seed, int(component[one])) for one, _ in ends]


def _derived_seed(seed: int, number: int) -> int:
    """An independent seed for stream `number`."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p-values that control the family-wise error rate, (K,) -> (K,), same order.

    The smallest is multiplied by K, the next by K - 1, and so on; then made monotone and cut at 1.

    Raises:
        DataError: for a value outside 0..1.
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p-values lie between 0 and 1, got {p}")
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(adjusted, 1)
    return out
