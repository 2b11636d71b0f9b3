"""Many comparisons at once: intervals that hold together, p-values that have been paid for, ranks over data sets.

A book that compares six models on four data sets with three backbones makes dozens of comparisons. One interval in
twenty leaves zero out by chance, so somewhere a "gain" is bound to turn up. Two cures are here:

- `simultaneous`: intervals for a whole family of differences, wide enough that with 95% chance *all* of them hold the
  truth. How much wider is read off the resamples: how far the worst of the family strays, measured in standard errors.
  Gains that share their users stray together, and the intervals are not wider than they need to be.
- `holm`: for p-values of whatever origin; it assumes nothing about how they depend on each other, and pays for it.

Friedman's test with Nemenyi's critical difference, the usual way to compare models over data sets, sees one number per
model and data set. With a handful of data sets it can hardly ever tell models apart (`critical_difference`). So
`average_ranks` comes with an interval over users and seeds instead: it speaks about *these* data sets, not of others.

Sources: Romano and Wolf, Exact and approximate stepdown methods for multiple hypothesis testing (2005), whose single
step is used, since it gives intervals too; Holm, A simple sequentially rejective multiple test procedure (1979);
Demšar, Statistical comparisons of classifiers over multiple data sets (2006).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import Paired, percentiles, resampled_means
from dmesr_core.evaluation.results import Result, check_comparable

Key = TypeVar("Key", bound=Hashable)


def simultaneous(
    pairs: Mapping[Key, tuple[Result, Result]], metric: str, n: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[Key, Paired]:
    """mean(a) - mean(b) of every pair (a, b), with intervals that all hold the truth at once with chance `level`.

    Args:
        pairs: the family: *every* comparison that a text makes, also those that it would rather not mention.
            The two results of a pair have the same cases; different pairs may have different ones.

    Returns:
        For each pair the difference, its interval (difference ± c standard errors, one c for all) and a p-value that
        is adjusted for the size of the family. nan where a pair has no case; such pairs do not count.

    Raises:
        DataError: for an empty family, or a pair that is not comparable.
    """
    if not pairs:
        raise DataError("no pair was given: there is nothing to compare")
    diffs, draws = np.empty(len(pairs)), np.empty((len(pairs), n))
    for k, ((a, b), own) in enumerate(zip(pairs.values(), _related(pairs, seed), strict=True)):
        check_comparable([a, b])
        means = resampled_means([a.per_case[metric], b.per_case[metric]], n, own, a.units)  # (2, n)
        draws[k] = means[0] - means[1]
        diffs[k] = a.per_case[metric].mean() - b.per_case[metric].mean() if a.n_cases else np.nan
    return _at_once(list(pairs), diffs, draws, level)


def all_pairs(
    groups: Mapping[Key, Mapping[str, Result]], metric: str, n: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[tuple[Key, str, str], Paired]:
    """As `simultaneous`, for every two results of each group: (group, one, other) -> mean(one) - mean(other).

    Args:
        groups: what belongs together (a data set under one protocol, say) -> name -> result on the same cases.

    Raises:
        DataError: for no two results of one group, or results of a group that are not comparable.
    """
    keys: list[tuple[Key, str, str]] = []
    diffs: list[float] = []
    draws: list[np.ndarray] = []
    for g, (group, results) in enumerate(groups.items()):
        names, ordered = list(results), list(results.values())
        check_comparable(ordered)
        means = resampled_means([r.per_case[metric] for r in ordered], n, _stream(seed, g), ordered[0].units)
        for i, j in combinations(range(len(names)), 2):
            keys.append((group, names[i], names[j]))
            diffs.append(ordered[i].mean()[metric] - ordered[j].mean()[metric])
            draws.append(means[i] - means[j])
    if not keys:
        raise DataError("no group holds two results: there is nothing to compare")
    return _at_once(keys, np.array(diffs), np.array(draws), level)


def _related(pairs: Mapping[Key, tuple[Result, Result]], seed: int) -> list[int]:
    """A seed for the resamples of each pair: the same for pairs that share a result, directly or through others.

    So a model that occurs in two pairs strays in both of them at once. What has no training in common is drawn apart:
    of a handful of training seeds there are few different draws, and strangers that share them would seem to stray
    together, which makes the intervals of the family too narrow.
    """
    number: dict[int, int] = {}
    ends = [[number.setdefault(id(result), len(number)) for result in pair] for pair in pairs.values()]
    links = coo_array((np.ones(len(ends)), tuple(np.array(ends).reshape(-1, 2).T)), shape=(len(number), len(number)))
    component = connected_components(links, directed=False)[1]
    return [_stream(seed, int(component[one])) for one, _ in ends]


def _stream(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _at_once(keys: list[Key], diffs: np.ndarray, draws: np.ndarray, level: float) -> dict[Key, Paired]:
    """Differences (K,) and their resamples (K, n) -> key -> `Paired`, one factor c for all of them."""
    if not 0 < level < 1:
        raise SettingsError(f"the level of an interval lies between 0 and 1, got {level}")
    n = draws.shape[1]
    error = draws.std(axis=1, ddof=1) if n > 1 else np.zeros(len(keys))
    moves = error > 1e-12  # else: the two are equal in every case, and there is nothing to be unsure of
    worst = np.zeros(n)  # (n,), how far the family strays in each resample
    if moves.any():
        worst = np.abs((draws[moves] - diffs[moves, None]) / error[moves, None]).max(axis=0)
    reach = np.quantile(worst, level) * error
    out = {}
    for key, diff, margin, e in zip(keys, diffs, reach, error, strict=True):
        as_far = (worst >= abs(diff) / e).sum() if e > 1e-12 else n * (diff == 0)
        p = float("nan") if np.isnan(diff) else (1 + float(as_far)) / (n + 1)
        out[key] = Paired(float(diff), float(diff - margin), float(diff + margin), p)
    return out


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """P-values adjusted so that with chance 95% none below .05 is there by luck alone, (K,) -> (K,), same order.

    The smallest is multiplied by K, the next by K - 1, and so on; none may end up below a smaller one.

    Raises:
        DataError: for something that is not a probability.
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p-values lie between 0 and 1, got {p}")
    order = np.argsort(p, kind="stable")
    paid = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(paid, 1)
    return out


def average_ranks(
    cells: Mapping[Key, Mapping[str, Result]], metric: str, n: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float, float]]:
    """Model -> (mean rank over the cells, low, high), 1 = best, best first; equal means share their ranks.

    Args:
        cells: a cell (a data set, say) -> model -> result; the same models in each.

    The interval draws users and seeds anew within each cell and keeps the cells: it says how sure the ranks on these
    cells are, not what to expect on another data set.

    Raises:
        DataError: for no cell, or cells with different models.
    """
    if not cells:
        raise DataError("no cell was given: there is nothing to rank")
    models = list(next(iter(cells.values())))
    total, drawn = np.zeros(len(models)), np.zeros((len(models), n))
    for key, results in cells.items():
        if set(results) != set(models):
            raise DataError(f"cell {key!r} holds {', '.join(results)}; the first cell holds {', '.join(models)}")
        ordered = [results[m] for m in models]
        check_comparable(ordered)
        total += _ranks(np.array([[r.per_case[metric].mean()] for r in ordered]))[:, 0]
        drawn += _ranks(resampled_means([r.per_case[metric] for r in ordered], n, seed, ordered[0].units))
    intervals = [percentiles(row / len(cells), level) for row in drawn]
    ranks = {m: (float(t) / len(cells), *i) for m, t, i in zip(models, total, intervals, strict=True)}
    return dict(sorted(ranks.items(), key=lambda item: item[1][0]))


def critical_difference(n_models: int, n_data_sets: int, level: float = 0.95) -> float:
    """How far two average ranks must lie apart for Nemenyi's test to tell them apart (Demšar 2006, section 3.2.2).

    The data sets must be independent: one data set with three backbones is one data set.
    """
    from scipy.stats import studentized_range

    if n_models < 2 or n_data_sets < 1:
        raise SettingsError(f"wanted two or more models and a data set, got {n_models} and {n_data_sets}")
    q = float(studentized_range.ppf(level, n_models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(n_models * (n_models + 1) / (6 * n_data_sets))


def _ranks(means: np.ndarray) -> np.ndarray:
    """Ranks within each column, 1 = largest; equals share the mean of theirs. (M, n) -> (M, n)"""
    above = (means[None] > means[:, None]).sum(axis=1)
    equal = (means[None] == means[:, None]).sum(axis=1)  # itself included
    return above + (equal + 1) / 2
