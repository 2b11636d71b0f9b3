"""Mistakes in words and tables: what is foreseen, by the reason of the purchase, and what nobody could foresee."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, choose, with_interval
from dmesr_core.data.bazaar.reasons import REASONS, why
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Cases
from dmesr_core.evaluation.foreseen import CEILING, NO_PULLS, NO_TYPES, hits, ndcg, share_foreseen
from dmesr_core.evaluation.ranking import Ranks

LABELS = {  # who foresees -> label, in the order of tables
    "id_only": "ID only",
    "dmesr": "DMESR",
    "fact_oracle": "fact oracle",
    CEILING: "ceiling",
    NO_TYPES: "ceiling, no types",
    NO_PULLS: "ceiling, no pulls",
}
ALL, NDCG = "all purchases", "NDCG@10 of all"
_NO_PROCESS = "Without the process behind the log there is nothing to compare with."

Foreseen = Mapping[str, Mapping[str, float]]  # label -> row of the table -> value


def chances_of_reasons(dataset: Dataset, cases: Cases) -> np.ndarray | None:
    """Probability of each reason for each purchase, (C, R); None where reasons are not known."""
    return None if dataset.world is None else why(dataset.world.process, cases)


def foreseen(ranks: Mapping[str, Ranks], chances: np.ndarray | None) -> dict[str, dict[str, float]]:
    """Label -> share of the purchases among the first ten, by reason and of `ALL`, and `NDCG` of all.

    Args:
        ranks: of the test cases, by keys of `LABELS`.
        chances: (C, R) of each reason; None where reasons are not known.
    """
    found = {}
    for name, label in LABELS.items():
        if name in ranks:
            right = hits(ranks[name])
            shares = {} if chances is None else _by_reason(share_foreseen(chances, right))
            found[label] = shares | {ALL: float(right.mean()), NDCG: float(ndcg(ranks[name]).mean())}
    return found


def table(found: Foreseen, chances: np.ndarray | None) -> pd.DataFrame:
    """What `foreseen` gives, with the share that each reason has of the purchases."""
    formats = dict.fromkeys((*REASONS, ALL), ".0%") | {NDCG: ".3f"}
    columns = {label: {row: f"{value:{formats[row]}}" for row, value in of.items()} for label, of in found.items()}
    if chances is not None:
        made_of = {reason: f"{share:.0%}" for reason, share in _by_reason(chances.mean(0)).items()}
        columns = {"share of purchases": made_of | {ALL: "", NDCG: ""}} | columns
    return pd.DataFrame(columns).rename_axis("among the first ten")


def missing(found: Foreseen, costs: Mapping[str, Difference] | None) -> str:
    """What the ceiling knows that is worth most.

    Args:
        costs: as `evaluation.foreseen.blind_spots` gives them.
    """
    if costs is None:
        return _NO_PROCESS
    more = choose(
        costs["pulls against types"],
        better="types are worth more than pulls",
        worse="pulls are worth more than types",
        undecided="which of the two is worth more is open",
    )
    oracle, ceiling = (found[LABELS[name]][NDCG] for name in ("fact_oracle", CEILING))
    return (
        f"The fact oracle's NDCG@10 is {oracle:.3f} and the ceiling's {ceiling:.3f}; without types of shoppers the "
        f"ceiling changes by {with_interval(costs['types'], '+.3f')}, without pulls by "
        f"{with_interval(costs['pulls'], '+.3f')}: {more}."
    )


def farthest_from_ceiling(found: Foreseen) -> str:
    """The reason at which the fact oracle is farthest from the ceiling; `found` as `foreseen` gives it."""
    if LABELS[CEILING] not in found:
        return _NO_PROCESS
    oracle, ceiling = (found[LABELS[name]] for name in ("fact_oracle", CEILING))
    worst = max(REASONS, key=lambda reason: ceiling[reason] - oracle[reason])
    return f"The fact oracle is farthest from it at “{worst}”: {oracle[worst]:.0%} against {ceiling[worst]:.0%}."


def hopeless(ranks: Mapping[str, Ranks]) -> str:
    """How many of DMESR's misses the ceiling misses, too."""
    if CEILING not in ranks:
        return "How many of DMESR's misses nobody could have foreseen is unknown: this data has no known ceiling."
    missed, too = ~hits(ranks["dmesr"]), ~hits(ranks[CEILING])
    share = float(too[missed].mean()) if missed.any() else 0.0
    return f"Of DMESR's misses, {share:.0%} are missed by the ceiling as well, which knows the whole process."


def _by_reason(values: np.ndarray) -> dict[str, float]:
    """Reason -> value; values (R,)."""
    return dict(zip(REASONS, values.tolist(), strict=True))
