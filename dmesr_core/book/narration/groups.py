"""Scores and gains by group of test cases, as a table and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, by_verdict, choose, listed, with_interval
from dmesr_core.evaluation.groups import ALL

GAINS = {"plain": "DMESR − ID only", "unit": "the same, of one length"}  # kind of comparison -> row
_EVERYWHERE = {
    "better": "ahead everywhere",
    "worse": "behind everywhere",
    "undecided": "told apart from them nowhere",
}


def table(
    scores: Mapping[str, Mapping[str, Sequence[float]]], gains: Mapping[str, Mapping[str, Difference]],
    sizes: Mapping[str, int], n_cases: int,
) -> pd.DataFrame:  # fmt: skip
    """A column for all cases and one per group: its share of the cases, mean scores, and gains with intervals.

    Args:
        scores: label of a model -> group -> mean with interval; gains: "plain" and "unit" -> group -> difference.
        sizes: group -> number of cases.
    """
    columns = {
        group: {"cases": f"{n / n_cases:.0%}"}
        | {label: f"{of[group][0]:.4f}" for label, of in scores.items()}
        | {row: with_interval(gains[kind][group]) for kind, row in GAINS.items()}
        for group, n in {ALL: n_cases, **sizes}.items()
    }
    return pd.DataFrame(columns).rename_axis("NDCG@10")


def simpler(simple: Difference, gains: Mapping[str, Difference]) -> str:
    """Whether ID vectors of one length are as good as DMESR.

    Args:
        simple: ID vectors of one length minus DMESR, over all cases.
        gains: of DMESR over ID vectors, all of one length: group -> difference.
    """
    first = choose(simple, "score higher than", "score lower than", "are not told apart from")
    return (
        f"ID vectors of one length, and nothing else, {first} DMESR ({with_interval(simple)}); with vectors of one "
        f"length on both sides, DMESR is {_where(gains)}."
    )


def against_any_length(gains: Mapping[str, Difference]) -> str:
    """In which groups DMESR is ahead of ID vectors of any length; gains: group -> difference."""
    return f"Against ID vectors of any length, DMESR is {_where(gains)}."


def _where(by_group: Mapping[str, Difference]) -> str:
    """The groups in which it is ahead, behind, or neither."""
    found = by_verdict({"all cases" if group == ALL else group: change for group, change in by_group.items()})
    words = {"better": "ahead on", "worse": "behind on", "undecided": "not told apart on"}
    texts = {kind: f"{words[kind]} {listed(names)}" for kind, names in found.items() if names}
    if len(texts) == 1:
        return _EVERYWHERE[next(iter(texts))]
    return " and ".join(texts.values())
