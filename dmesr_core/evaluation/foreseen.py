"""What is foreseen of purchases: by models, by the best guess there is, and by that guess with a blind spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.ranking import Ranks, Scorer, rank_cases
from dmesr_core.evaluation.results import Result

CEILING, NO_TYPES, NO_PULLS = "ceiling", "no_types", "no_pulls"
_METRIC = "ndcg@10"


def hits(ranks: Ranks, k: int = 10) -> np.ndarray:
    """Whether the target is among the first `k`, (C,) bool; where it is tied, whether that is likely."""
    return metrics(ranks, [k])[f"hr@{k}"] >= 0.5


def ndcg(ranks: Ranks) -> np.ndarray:
    """NDCG@10 of each case, (C,)."""
    return metrics(ranks, [10])[_METRIC]


def best_guesses(dataset: Dataset, cases: Cases) -> dict[str, Scorer]:
    """Scorers of the cases that know all of the process, all but the types of shoppers, and all but the pulls.

    There are none where the process behind the log is not known. Types are forgotten by letting them change at random
    between any two purchases, so that the past says nothing about them.
    """
    world = dataset.world
    if world is None:
        return {}
    process, k = world.process, len(world.process.prior)
    knowing = {
        CEILING: process,
        NO_TYPES: replace(process, transition=np.full((k, k), 1 / k)),
        NO_PULLS: replace(process, pulls=()),
    }
    return {name: replace(world, process=one).ceiling(cases) for name, one in knowing.items()}


def with_best_guesses(ranks: Mapping[str, Ranks], split: Split, dataset: Dataset) -> dict[str, Ranks]:
    """Ranks of the test cases by each model, and by `best_guesses`."""
    guessers = best_guesses(dataset, split.test)
    return dict(ranks) | {name: rank_cases(one, split.test, split.n_items) for name, one in guessers.items()}


def blind_spots(ranks: Mapping[str, Ranks], n: int = 2000, seed: int = 0) -> dict[str, Paired] | None:
    """Change of NDCG@10 of the best guess without types and without pulls, and of the latter against the former.

    None where there is no best guess; all intervals hold at once.
    """
    if CEILING not in ranks:
        return None
    of = {name: Result(name, {_METRIC: ndcg(ranks[name])}, "test") for name in (CEILING, NO_TYPES, NO_PULLS)}
    pairs = {
        "types": (of[NO_TYPES], of[CEILING]),
        "pulls": (of[NO_PULLS], of[CEILING]),
        "pulls against types": (of[NO_PULLS], of[NO_TYPES]),
    }
    return simultaneous(pairs, _METRIC, n, seed)


def share_foreseen(chances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of the purchases with each reason the expected share that a model foresees, (R,); chances (C, R), right (C,)."""
    return np.array([chances[right, k].sum() / chances[:, k].sum() for k in range(chances.shape[1])])
