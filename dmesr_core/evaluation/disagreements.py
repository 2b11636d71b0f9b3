"""Cases in which two models disagree: how many, of what kind, and why the purchases were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.ranking import Ranks, Scorer, rank_cases, top_k
from dmesr_core.evaluation.results import Result

Masks = dict[str, np.ndarray]  # kind of case -> (C,) bool
BOTH, OURS, THEIRS, NEITHER = "both right", "only DMESR right", "only ID right", "both wrong"


def hits(ranks: Ranks, k: int = 10) -> np.ndarray:
    """Whether the target is among the first `k`, (C,) bool; where it is tied, whether that is likely."""
    return metrics(ranks, [k])[f"hr@{k}"] >= 0.5


def right_by_model(ranks: Mapping[str, Ranks], split: Split, dataset: Dataset) -> Masks:
    """Model -> `hits` of its ranks of the test cases; "ceiling" last where it is known."""
    right = {name: hits(of_model) for name, of_model in ranks.items()}
    if dataset.world is not None:
        right["ceiling"] = hits(rank_cases(dataset.world.ceiling(split.test), split.test, split.n_items))
    return right


def kinds_of_cases(ours: np.ndarray, theirs: np.ndarray) -> Masks:
    """Cases by who is right; ours and theirs (C,) bool."""
    return {BOTH: ours & theirs, OURS: ours & ~theirs, THEIRS: ~ours & theirs, NEITHER: ~ours & ~theirs}


def seed_disagreement(hits: np.ndarray) -> float | None:
    """Mean number of cases in which one training is right and another, of another seed, is wrong.

    None for a single training; hits (S, C) bool.
    """
    if len(hits) < 2:
        return None
    seeds = range(len(hits))
    return float(np.mean([(hits[a] & ~hits[b]).sum() for a in seeds for b in seeds if a != b]))


def disagreement_of_trainings(result: Result, n_cases: int) -> float | None:
    """`seed_disagreement` of the trainings of a result; None where it has other than these `n_cases` cases."""
    return seed_disagreement(result.per_case["hr@10"] >= 0.5) if result.n_cases == n_cases else None


def draw_cases(
    kinds: Mapping[str, np.ndarray], names: Sequence[str], per_kind: int, seed: int
) -> list[tuple[str, int]]:
    """Random cases of each named kind: (kind, number of the case)."""
    rng = np.random.default_rng(seed)
    return [(kind, int(case)) for kind in names for case in rng.permutation(np.flatnonzero(kinds[kind]))[:per_kind]]


def recommendations(scorers: Mapping[str, Scorer], history: np.ndarray, k: int, n_items: int) -> dict[str, np.ndarray]:
    """Model -> the first `k` items for one history, (k,)."""
    return {name: top_k(scorer, [history], k, n_items)[0][0] for name, scorer in scorers.items()}


def mean_chances(chances: np.ndarray, kinds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kind -> mean chance of each reason, (R,), for the kinds that have cases; chances (C, R)."""
    return {kind: chances[mask].mean(0) for kind, mask in kinds.items() if mask.any()}


def share_foreseen(chances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of the purchases with each reason the expected share that a model foresees, (R,); chances (C, R), right (C,)."""
    return np.array([chances[right, k].sum() / chances[:, k].sum() for k in range(chances.shape[1])])
