"""Scores of several models with their intervals, as a table and for the file of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from dmesr_core.evaluation.results import Result

Scores = Mapping[str, Mapping[str, tuple[float, tuple[float, float]]]]  # model -> metric -> (mean, (low, high))


def in_order(results: Mapping[str, Result], names: Iterable[str]) -> dict[str, Result]:
    """The results in the order of `names`; names without a result, such as a ceiling that is unknown, are left out."""
    return {name: results[name] for name in names if name in results}


def with_intervals(results: Mapping[str, Result], n: int, seed: int) -> dict[str, dict]:
    """Mean and interval of every metric, as `Scores`, in the order of `results`.

    Args:
        n, seed: resamples of the bootstrap.
    """
    scores = {}
    for name, result in results.items():
        means, intervals = result.mean(), result.interval(n=n, seed=seed)
        scores[name] = {metric: (mean, intervals[metric]) for metric, mean in means.items()}
    return scores


def as_record(scores: Scores) -> dict[str, dict]:
    """Model -> metric -> mean and interval, for the file of numbers."""
    return {
        name: {metric: {"mean": mean, "interval": interval} for metric, (mean, interval) in of_model.items()}
        for name, of_model in scores.items()
    }


def table(scores: Scores, labels: Mapping[str, str], titles: Mapping[str, str]) -> pd.DataFrame:
    """One row per model and one column per metric; each cell is a mean with its interval, "0.123 [0.100, 0.150]".

    Args:
        labels: model -> its row label; titles: metric -> its column label. Other metrics are left out.
    """
    cells = {
        title: [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, (low, high) in (of[metric] for of in scores.values())]
        for metric, title in titles.items()
    }
    return pd.DataFrame(cells, index=[labels[name] for name in scores])


def of_metric(scores: Scores, metric: str, labels: Mapping[str, str]) -> dict[str, tuple[float, float, float]]:
    """Label -> mean, low and high of one metric."""
    return {labels[name]: (of[metric][0], *of[metric][1]) for name, of in scores.items()}


def of_group(
    by_group: Mapping[str, Mapping[str, Sequence[float]]], group: str, labels: Mapping[str, str]
) -> dict[str, float]:
    """Model -> mean in one group of cases; without the models that have no such case.

    Args:
        by_group: label -> group -> mean with interval; labels: model -> its label.
    """
    return {
        name: by_group[label][group][0]
        for name, label in labels.items()
        if label in by_group and group in by_group[label]
    }
