"""Results: one value per test case and metric, their means and intervals, and tables that compare models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import Paired, paired_bootstrap, percentiles, resampled_means


@dataclass(frozen=True)
class Result:
    """One model under one protocol, as `evaluate` gives it: a value per case and metric.

    Args:
        name: of the model.
        per_case: metric -> (C,), or (seeds, C) for a model trained several times.
        protocol: how it was measured, in words: only results with equal protocols are comparable.
        units: (C,) int: cases of one unit (user) are resampled together; None: each case alone.
    """

    name: str
    per_case: dict[str, np.ndarray]
    protocol: str
    units: np.ndarray | None = None

    def __repr__(self) -> str:
        means = ", ".join(f"{m} {value:.4f}" for m, value in self.mean().items())
        return f"<Result {self.name!r}: {means}; {self.protocol}>"

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.per_case)

    @property
    def n_cases(self) -> int:
        return next(iter(self.per_case.values())).shape[-1]

    @property
    def n_seeds(self) -> int:
        return len(np.atleast_2d(next(iter(self.per_case.values()))))

    def mean(self) -> dict[str, float]:
        """Metric -> mean over cases (and seeds); nan without cases."""
        return {m: float(v.mean()) if v.size else float("nan") for m, v in self.per_case.items()}

    def interval(self, n: int = 2000, seed: int = 0, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Metric -> (low, high): the bootstrap interval of the mean; nan without cases.

        Args:
            n: number of resamples; all metrics use the same ones.
            seed: of the resamples.
            level: share of the resampled means inside the interval.
        """
        means = resampled_means(list(self.per_case.values()), n, seed, self.units)
        return {m: percentiles(row, level) for m, row in zip(self.per_case, means, strict=True)}

    def where(self, mask: np.ndarray, group: str) -> Result:
        """Only the cases where `mask` (C,) is true; `group` names them in the protocol."""
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (self.n_cases,):
            raise DataError(f"group {group!r} of {self.name!r}: wanted a mask of {self.n_cases} booleans, got "
                            f"{mask.dtype} {mask.shape}")  # fmt: skip
        return replace(
            self,
            per_case={m: v[..., mask] for m, v in self.per_case.items()},
            protocol=f"{self.protocol}; only group {group}: {mask.sum():,} cases",
            units=None if self.units is None else self.units[mask],
        )

    def to_dict(self, n: int = 2000, seed: int = 0, level: float = 0.95) -> dict:
        """Means and intervals as plain Python values for JSON (None instead of nan)."""
        means, intervals = self.mean(), self.interval(n, seed, level)
        return {
            "name": self.name,
            "protocol": self.protocol,
            "cases": self.n_cases,
            "seeds": self.n_seeds,
            "level": level,
            "metrics": {
                m: {k: x if np.isfinite(x) else None for k, x in {"mean": means[m], "low": low, "high": high}.items()}
                for m, (low, high) in intervals.items()
            },
        }


def stack(results: Sequence[Result], name: str | None = None) -> Result:
    """Results of one model trained with several seeds as one result, metrics (seeds, C).

    Raises:
        DataError: for no result, or for results with different protocols or numbers of cases.
    """
    check_comparable(results)
    per_case = {m: np.concatenate([np.atleast_2d(r.per_case[m]) for r in results]) for m in results[0].per_case}
    return replace(results[0], name=name or results[0].name, per_case=per_case)


def compare(
    results: Sequence[Result], metrics: Sequence[str] | None = None, against: str | None = None,
    n: int = 2000, seed: int = 0, level: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """A table, one row per result: for each metric its mean and interval (columns `m`, `m low`, `m high`).

    With `against` (the name of one of the results) each metric also gets the paired gain over that result:
    `m gain`, `m gain low`, `m gain high`, `m p` (nan in that result's own row).

    Args:
        results: a list of what `evaluate` gives, on the same cases; each with a `name` of its own.
        metrics: such as `["ndcg@10"]`; None: all.
        against: the name of the result that the others are compared with.
        n: number of resamples of the bootstrap.
        seed: of the resamples.
        level: of the intervals.

    Raises:
        DataError: for results with different protocols or numbers of cases: they are not comparable.
        SettingsError: for an unknown metric, two results of one name, or an unknown name in `against`.

    Example:
        >>> from dmesr_core import IDRecommender, Interactions, compare, evaluate, popularity
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> results = [evaluate(IDRecommender.build(split), split), evaluate(popularity(split), split)]
        >>> compare(results, ["hr@5"], against="popularity").columns.to_list()
        ['hr@5', 'hr@5 low', 'hr@5 high', 'hr@5 gain', 'hr@5 gain low', 'hr@5 gain high', 'hr@5 p']
    """
    if isinstance(results, Result) or not isinstance(results, Sequence):
        raise SettingsError(f"wanted a list of results, as in compare([first, second]); got {type(results).__name__}")
    if isinstance(metrics, str):
        raise SettingsError(f"metrics are a list, as in [{metrics!r}]")
    check_comparable(results)
    metrics = tuple(metrics or results[0].metrics)
    for metric in metrics:
        if any(metric not in r.per_case for r in results):
            raise SettingsError(f"unknown metric {metric!r}: choose from {', '.join(results[0].metrics)}")
    named = {r.name: r for r in results}
    if len(named) < len(results):
        raise SettingsError(
            f"two results share a name: {', '.join(r.name for r in results)}; evaluate(..., name=...) gives another"
        )
    if against is not None and against not in named:
        raise SettingsError(f"nothing is called {against!r}: choose one of {', '.join(named)}")
    rows = []
    for result in results:
        means, intervals, row = result.mean(), result.interval(n, seed, level), {}
        for m in metrics:
            row[m], (row[f"{m} low"], row[f"{m} high"]) = means[m], intervals[m]
            if against is not None:
                gain = Paired(*[float("nan")] * 4)
                if result.name != against:
                    gain = paired_bootstrap(
                        result.per_case[m], named[against].per_case[m], n, seed, level, result.units
                    )
                row |= {f"{m} gain": gain.diff, f"{m} gain low": gain.low, f"{m} gain high": gain.high}
                row |= {f"{m} p": gain.p}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(list(named), name="model"))


def check_comparable(results: Sequence[Result]) -> None:
    """DataError unless there are results, and all have the same protocol and number of cases."""
    if not results:
        raise DataError("no results were given")
    first = results[0]
    for other in results[1:]:
        if other.protocol != first.protocol:
            raise DataError(f"{first.name!r} and {other.name!r} are not comparable: {first.protocol!r} is not "
                            f"{other.protocol!r}")  # fmt: skip
        if other.n_cases != first.n_cases:
            raise DataError(f"{first.name!r} has {first.n_cases} cases, {other.name!r} has {other.n_cases}")
