"""Checks of descriptions and vectors against the true facts of items; empty where these are not known.

`facts` is that of a catalogue: name of a fact -> one value per item, or None. Figures of empty tables are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.pictures import open_picture
from dmesr_core.evaluation import probes
from dmesr_core.plots import mllm

T = TypeVar("T", np.ndarray, list)
Facts = Mapping[str, Sequence[str]] | None
GUESS = "none"  # column of a probe that sees no vector and always predicts the most frequent value


def by_item(facts: Facts, items: Iterable[int] | None = None) -> list[dict[str, str]]:
    """Name -> value of each of the `items` (numbers from 1; None: all items)."""
    if not facts:
        return []
    every = [dict(zip(facts, values, strict=True)) for values in zip(*facts.values(), strict=True)]
    return every if items is None else [every[k - 1] for k in items]


def if_known(facts: Facts, things: T) -> T:
    """The same rows, names or pairs; none where the facts are not known."""
    return things if facts else things[:0]


def labels(facts: Facts, rows: np.ndarray, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Name of a fact (None: of every fact) -> values of the items in these rows (from 0), (len(rows),)."""
    return {name: np.array(facts[name])[rows] for name in names or facts} if facts else {}


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
    return table.assign(**{GUESS: [probes.most_frequent(values) for values in labels(facts, rows).values()]})


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
    paths = [catalogue.item(int(k)).picture for k in items]
    pictures = [open_picture(path) if path else None for path in paths]
    return mllm.item_cards(pictures, notes, **options) if pictures else None
