"""Checks of descriptions and vectors against the true facts of items; empty where these are not known.

`facts` is that of a catalogue: name of a fact -> one value per item, or None. Figures of empty tables are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.evaluation import probes
from dmesr_core.plots import mllm

T = TypeVar("T", np.ndarray, list)
Facts = Mapping[str, Sequence[str]] | None
GUESS = "none"  # column of a probe that sees no vector and always predicts the most frequent value


def of_catalogue(catalogue: Catalogue) -> dict[str, tuple[str, ...]] | None:
    """Name of a fact -> one value per item, as texts; None where the catalogue has no facts.

    A fact that has the name of something else in the chapters' tables (a kind of word, an empty name) gets another.
    """
    if not catalogue.facts:
        return None
    taken = {"", probes.MARK, probes.OTHER, GUESS}
    return {
        f"fact {name!r}" if name in taken else name: tuple("" if v is None or v != v else str(v) for v in values)
        for name, values in catalogue.facts.items()
    }


def among(facts: Facts, names: Sequence[str]) -> list[str]:
    """Those of the `names` that are known, else all facts that are; none where no facts are known."""
    return [name for name in names if name in (facts or ())] or list(facts or ())


def some_items(facts: Facts, at_most: int, seed: int) -> np.ndarray:
    """Rows (from 0) of at most `at_most` items to probe, sorted: whole series where they are known; (0,) without facts.

    Of a large catalogue a part will do.
    """
    if not facts:
        return np.zeros(0, int)
    series = np.array(facts["series"]) if "series" in facts else np.arange(len(next(iter(facts.values()))))
    if np.unique(series, return_counts=True)[1].max() > at_most:
        series = np.arange(len(series))
    return probes.whole_groups(series, at_most, seed)


def learnable(
    facts: Facts, rows: np.ndarray, names: Iterable[str] | None = None, at_most: int | None = None
) -> dict[str, np.ndarray]:
    """The facts that a probe can learn: name -> values of the items in these rows (from 0), (len(rows),).

    Such a fact has two values or more that three items share, and no more values than half of the items, or than
    `at_most`: a probe knows nothing of a value that it has never seen.

    Args:
        names: of the facts that are wanted, None: all.
    """
    found = labels(facts, rows, names)
    return {name: values for name, values in found.items() if _is_learnable(values, at_most or len(values))}


def _is_learnable(values: np.ndarray, at_most: int) -> bool:
    counts = np.unique(values, return_counts=True)[1]
    return len(counts) <= min(at_most, len(values) / 2) and int((counts >= 3).sum()) > 1


def group_names(facts: Facts, rows: np.ndarray, name: str, at_most: int = 30) -> list[str] | None:
    """The values of a fact of the items in these rows (from 0); None if it is not known, or has too many values."""
    values = labels(facts, rows, [name]).get(name, np.zeros(0))
    return [str(value) or "(none)" for value in values] if 0 < len(np.unique(values)) <= at_most else None


def by_item(facts: Facts, items: Iterable[int] | None = None) -> list[dict[str, str]]:
    """Name -> value of each of the `items` (numbers from 1; None: all items)."""
    if not facts:
        return []
    every = [dict(zip(facts, values, strict=True)) for values in zip(*facts.values(), strict=True)]
    return every if items is None else [every[k - 1] for k in items]


def if_known(known: Sized | None, things: T) -> T:
    """The same rows, names or pairs; none where what they need is not known: None or empty."""
    return things if known else things[:0]


def labels(facts: Facts, rows: np.ndarray, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Name of a fact (None: of every fact) -> values of the items in these rows (from 0), (len(rows),).

    Names that are not known are left out.
    """
    wanted = (facts or ()) if names is None else names
    return {name: np.array(facts[name])[rows] for name in wanted if name in facts} if facts else {}


def named(texts: Sequence[str], truth: Sequence[dict[str, str]]) -> pd.DataFrame:
    """(n, facts) bool: which facts each description names, as `probes.named_facts`.

    Args:
        truth: facts of each described item; empty where they are not known.
    """
    return probes.named_facts(texts, truth) if truth else pd.DataFrame(dtype=bool)


def shares_named(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Name of a table (of `named`) -> fact -> share of the items; without the empty tables."""
    return {
        name: {str(fact): share for fact, share in table.mean().items()} for name, table in tables.items() if len(table)
    }


def most_frequent(truth: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[float]:
    """For each named fact the share of the items that have its most frequent value."""
    return [probes.most_frequent(np.array([item[name] for item in truth])) for name in names] if truth else []


def misses(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """(n, len(names)) bool: the facts that descriptions do not name, from a table of `named` with a row per item.

    The index holds the numbers of the items, from 1.
    """
    missed = ~table.filter(items=list(names)).astype(bool)
    return missed.set_axis(table.index + 1, axis=0)


def worst(missed: pd.DataFrame, at_most: int) -> list[int]:
    """The items with most `misses`, at most `at_most`, and none without a miss."""
    counts = missed.sum(axis=1).astype(int).sort_values(ascending=False, kind="stable")
    return [int(item) for item in counts.index[counts > 0][:at_most]]


def share_with_miss(missed: pd.DataFrame) -> float | None:
    """The share of items with at least one of the `misses`; None where facts are not known."""
    return int(missed.any(axis=1).sum()) / len(missed) if len(missed) else None


def accuracies(right: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """(facts, vectors) accuracy of probes.

    Args:
        right: name of the vectors -> fact -> (m,) bool, where a probe is right.
    """
    return pd.DataFrame({name: {fact: hit.mean() for fact, hit in hits.items()} for name, hits in right.items()})


def accuracy_table(hits: Mapping[tuple, np.ndarray], columns: Mapping[tuple, str]) -> pd.DataFrame:
    """`accuracies` of hits by (..., fact).

    Args:
        hits: (..., fact) -> (m,) bool, where a probe is right.
        columns: the key of the vectors, without the fact -> label.
    """
    return accuracies(
        {label: {fact: hit for (*key, fact), hit in hits.items() if (*key,) == of} for of, label in columns.items()}
    )


def with_guesses(table: pd.DataFrame, facts: Facts, rows: np.ndarray) -> pd.DataFrame:
    """A table of `accuracies` with one more column, `GUESS`, computed from the items in these rows (from 0)."""
    if not facts:
        return table
    values = labels(facts, rows, [str(name) for name in table.index])
    return table.assign(**{GUESS: [probes.most_frequent(each) for each in values.values()]})


def share_bars(
    tables: Mapping[str, pd.DataFrame], ylabel: str, n_resamples: int, chance: Sequence[float] | None = None
) -> Figure | None:
    """Column means of boolean tables (name -> table, all with the same columns) as bars, with their 95% intervals."""
    if not any(len(table) for table in tables.values()):
        return None
    found = {name: probes.shares(table, n_resamples) for name, table in tables.items()}
    facts = [str(name) for name in next(iter(tables.values()))]
    return mllm.grouped_bars(
        {name: means for name, (means, _) in found.items()}, facts, ylabel,
        {name: intervals for name, (_, intervals) in found.items()}, chance,
    )  # fmt: skip


def bars(values: Mapping[str, Sequence[float]], labels: Sequence[str], ylabel: str, **options: Any) -> Figure | None:
    """`plots.mllm.grouped_bars`; None where there are no labels."""
    return mllm.grouped_bars(values, labels, ylabel, **options) if labels else None


def accuracy_heatmap(title: str, table: pd.DataFrame) -> Figure | None:
    """A table of `accuracies` as a heat map."""
    if table.empty:
        return None
    facts, vectors = ([str(name) for name in names] for names in (table.index, table.columns))
    return mllm.heatmaps({title: table.to_numpy()}, facts, vectors, "accuracy")


def cards(
    catalogue: Catalogue, items: Sequence[int], notes: Sequence[Mapping[str, str]], **options: Any
) -> Figure | None:
    """`plots.mllm.item_cards` of items (numbers from 1), with their pictures if they have one; None without items."""
    pictures = [catalogue.item(int(k)).picture for k in items]
    return mllm.item_cards(pictures, notes, **options) if pictures else None
