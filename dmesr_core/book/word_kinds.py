"""Attention on kinds of words: facts, marks and others. All is empty where the facts of the items are not known.

The kind of a token is the fact that it belongs to, or one of the others of `probes.token_facts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dmesr_core.evaluation import probes
from dmesr_core.plots import mllm

Kinds = Sequence[Sequence[str]]  # for each item, the kind of each of its tokens


def of_tokens(
    tokens: Iterable[list[str]], truth: Sequence[dict[str, str]], at_most: int | None = None
) -> list[list[str]]:
    """The kinds of each item's first `at_most` tokens.

    Args:
        truth: facts of each item; empty where they are not known.
    """
    return [probes.token_facts(words, facts)[:at_most] for words, facts in zip(tokens, truth, strict=bool(truth))]


def shares(attention: np.ndarray, kinds: Kinds, facts: Iterable[str] | None, rows: Sequence[str]) -> pd.DataFrame:
    """(V, kinds) share of attention on each kind that occurs, mean over items.

    Args:
        attention: (N, V, L) weights of N items; each row sums to one.
        facts: names of the facts, in the order of the columns; marks and other words follow.
        rows: names of the V views.
    """
    if not kinds:
        return pd.DataFrame()
    present = {kind for its_kinds in kinds for kind in its_kinds}
    order = [kind for kind in [*(facts or ()), probes.MARK, probes.OTHER] if kind in present]
    return pd.DataFrame(probes.attention_by_kind(attention, kinds, order), index=list(rows), columns=order)


def ratios(share: pd.DataFrame, even: pd.DataFrame) -> dict[str, dict[str, float]]:
    """View -> kind, without marks -> its attention as a multiple of even attention.

    Args:
        share, even: as `shares` gives them; `even` has one row.
    """
    if share.empty:
        return {}
    multiples = share.div(even.iloc[0], axis="columns").drop(columns=probes.MARK)
    return {str(view): {str(kind): value for kind, value in row.items()} for view, row in multiples.iterrows()}


def facts_among(share: pd.DataFrame) -> list[str]:
    """The facts among the kinds of a table of `shares`."""
    return [str(kind) for kind in share.columns if kind not in (probes.MARK, probes.OTHER)]


def readable(parts: Mapping[str, Kinds], facts: Sequence[str]) -> pd.DataFrame:
    """(parts, facts) share of the items that name a fact in a part of their words.

    Args:
        parts: name of a part, such as "the first 32 tokens" -> kinds of its tokens.
    """
    if not facts:
        return pd.DataFrame()
    found = {name: probes.share_with_kind(kinds, facts) for name, kinds in parts.items()}
    return pd.DataFrame.from_dict(found, orient="index", columns=list(facts))


def attention_maps(
    panels: Sequence[tuple[str, np.ndarray, Sequence[str]]], rows: Sequence[str], marked: Sequence[Sequence[bool]]
) -> Figure | None:
    """`plots.mllm.attention_maps`; None without panels."""
    return mllm.attention_maps(panels, rows, marked) if panels else None
