"""Bootstrap intervals of means, of paired differences, and of the normalised gain.

All intervals are percentile bootstrap intervals. One resample draws *units* with replacement (a unit is a case, or a
user with several cases, since these are not independent). If a model was trained with several seeds, seeds are drawn
with replacement too. Compared means are computed on the *same* resamples, so that effects common to both models (easy
users, hard users) cancel. With few seeds the variance between seeds is underestimated by a factor of (S - 1) / S: five
seeds are better than three.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 (two-level data) and 13 (percentiles).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dmesr_core.errors import DataError, SettingsError

_DRAWS_AT_ONCE = 2**22  # maximum number of draw counts in memory


class Paired(NamedTuple):
    """The difference of two means with its interval and two-sided bootstrap p-value."""

    diff: float
    low: float
    high: float
    p: float


def bootstrap_interval(
    values: np.ndarray, n: int = 2000, seed: int = 0, level: float = 0.95, units: np.ndarray | None = None
) -> tuple[float, float]:
    """The interval (low, high) of the mean of `values`, (C,) or (seeds, C); see the module docstring."""
    return percentiles(resampled_means([values], n, seed, units)[0], level)


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, n: int = 2000, seed: int = 0, level: float = 0.95, units: np.ndarray | None = None
) -> Paired:
    """mean(a) - mean(b) on the same cases: difference, interval, two-sided p.

    Args:
        a, b: each (C,) or (seeds, C). Row s of `a` is paired with row s of `b`; a single row (a model without training
            seeds) is paired with all rows of the other.
        units: (C,) int, the unit of each case; cases of one unit are drawn together.

    `p` is twice the smaller share of resampled differences on one side of zero, and at least 2 / (n + 1).
    """
    means_a, means_b = resampled_means([a, b], n, seed, units)
    diffs = means_a - means_b
    low, high = percentiles(diffs, level)
    if np.isnan(diffs).all():
        return Paired(float("nan"), low, high, float("nan"))
    side = min((diffs <= 0).sum(), (diffs >= 0).sum())
    return Paired(float(np.mean(a) - np.mean(b)), low, high, min(1.0, 2 * (1 + float(side)) / (n + 1)))


def normalised_gain(model: float, popularity: float, ceiling: float) -> float:
    """A model's score on a scale from popularity (0) to the best possible score (1).

    nan if the ceiling is not above popularity.
    """
    return (model - popularity) / (ceiling - popularity) if ceiling > popularity else float("nan")


def normalised_gain_interval(
    model: np.ndarray, popularity: np.ndarray, ceiling: np.ndarray,
    n: int = 2000, seed: int = 0, level: float = 0.95, units: np.ndarray | None = None,
) -> tuple[float, float, float]:  # fmt: skip
    """The normalised gain of per-case values, each (C,) or (seeds, C), with its interval: (gain, low, high).

    All three means are computed on the same resamples. The bounds are nan if in some resample the ceiling is not above
    popularity.
    """
    arrays = [model, popularity, ceiling]
    gains = np.array([normalised_gain(*means) for means in resampled_means(arrays, n, seed, units).T])  # (n,)
    if np.size(model) == 0:
        return float("nan"), float("nan"), float("nan")
    return normalised_gain(*(float(np.mean(a)) for a in arrays)), *percentiles(gains, level)


def resampled_means(arrays: Sequence[np.ndarray], n: int, seed: int, units: np.ndarray | None) -> np.ndarray:
    """The means of A arrays on the same `n` resamples, (A, n). Each array is (C,) or (seeds, C)."""
    if n < 1:
        raise SettingsError(f"a bootstrap needs at least 1 resample, got {n}")
    rows = [np.atleast_2d(np.asarray(a, dtype=np.float64)) for a in arrays]
    n_seeds, n_cases = max(len(r) for r in rows), rows[0].shape[-1]
    for r in rows:
        if r.ndim != 2 or r.shape[1] != n_cases or len(r) not in (1, n_seeds):
            raise DataError(f"wanted arrays of (cases,) or (seeds, cases) over the same cases and seeds, got shapes "
                            f"{', '.join(str(np.shape(a)) for a in arrays)}")  # fmt: skip
        if not np.isfinite(r).all():
            raise DataError(f"case {int(np.argwhere(~np.isfinite(r))[0, 1])} has a value that is not a finite number")
    if n_cases == 0:
        return np.full((len(rows), n), np.nan)
    values = np.stack([np.broadcast_to(r, (n_seeds, n_cases)) for r in rows]).reshape(-1, n_cases)  # (A * S, C)
    sizes = np.ones(n_cases)
    if units is not None:
        if np.shape(units) != (n_cases,):
            raise DataError(f"wanted one unit for each of {n_cases} cases, got shape {np.shape(units)}")
        # From here on a column is a unit: the sum over its cases, and their number in `sizes`.
        unit_of = np.unique(units, return_inverse=True)[1]
        values = np.stack([np.bincount(unit_of, weights=row) for row in values])
        sizes = np.bincount(unit_of).astype(np.float64)
    n_units = len(sizes)
    rng = np.random.default_rng(seed)
    seed_weights = _draw_counts(rng, n, n_seeds) / n_seeds  # (n, S)
    out = np.empty((len(rows), n))
    step = max(1, _DRAWS_AT_ONCE // n_units)
    for start in range(0, n, step):
        weights = seed_weights[start : start + step]  # (m, S)
        counts = _draw_counts(rng, len(weights), n_units)  # (m, units)
        means = (values @ counts.T) / (counts @ sizes)  # (A * S, m)
        out[:, start : start + step] = np.einsum("asm,ms->am", means.reshape(len(rows), n_seeds, -1), weights)
    return out


def _draw_counts(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """`n` rows of counts: how often each of `k` units occurs in `k` draws with replacement, (n, k) float64."""
    out = np.empty((n, k))
    rows = max(1, 2**15 // k)  # few enough for their draws to fit the cache
    for start in range(0, n, rows):
        part = out[start : start + rows]
        draws = rng.integers(k, size=part.shape) + k * np.arange(len(part))[:, None]
        part[:] = np.bincount(draws.ravel(), minlength=part.size).reshape(part.shape)
    return out


def percentiles(means: np.ndarray, level: float) -> tuple[float, float]:
    """The central interval (low, high) that holds a share `level` of the resampled means (n,)."""
    if not 0 < level < 1:
        raise SettingsError(f"level must lie between 0 and 1, got {level}")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
