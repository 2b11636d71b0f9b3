"""Cold items, which never occur in training: can a model tell them from each other, and does it offer them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.bootstrap import Paired, paired_bootstrap
from dmesr_core.evaluation.erasure import evaluate_with_table
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.evaluation.ranking import Scorer, top_k
from dmesr_core.evaluation.results import Result
from dmesr_core.models.recommender import Recommender

METRIC = "ndcg@10"


@dataclass(frozen=True)
class ColdScores:
    """What one model does with cold items."""

    among_all: Result  # cold targets, all items compete
    among_cold: Result  # cold targets, only cold items compete
    offered: float  # share of cold items among the first ten, over all test cases
    length_ratio: float | None  # mean length of cold vectors divided by that of the others; None without vectors

    def as_row(self) -> dict[str, float]:
        """A row of the table of the book; without vectors it has no length."""
        row = {
            "all items compete": self.among_all.mean()[METRIC],
            "only cold items compete": self.among_cold.mean()[METRIC],
            "cold items among the first ten": self.offered,
        }
        return row if self.length_ratio is None else row | {"length of cold vectors, others 1": self.length_ratio}


def cold_items(train_counts: np.ndarray) -> np.ndarray:
    """(N+1,) bool: items without an event in training; the padding is none of them."""
    cold = np.asarray(train_counts) == 0
    cold[0] = False
    return cold


def cold_cases(split: Split) -> Cases:
    """The test cases whose target is cold."""
    rows = np.flatnonzero(cold_items(split.train_counts)[split.test.targets])
    parts = {part: getattr(split.test, part)[rows] for part in ("targets", "times", "users")}
    return replace(split.test, histories=split.test.histories.take(rows), **parts)


def score_cold(
    scorer: Scorer, split: Split, vectors: np.ndarray | None = None, scorer_of_cold: Scorer | None = None
) -> ColdScores:
    """Score cold targets, and count cold items among what is recommended.

    Args:
        scorer: of the test cases.
        vectors: (N, d) item vectors, row k - 1 is item k.
        scorer_of_cold: of `cold_cases`, where a scorer depends on the cases that it was made for.
    """
    cold, cases = cold_items(split.train_counts), cold_cases(split)
    among_all, among_cold = (
        evaluate_cases(scorer_of_cold or scorer, cases, split.n_items, candidates=some) for some in (None, cold)
    )
    offered, _ = top_k(scorer, split.test.histories, 10, split.n_items)
    ratio = None
    if vectors is not None:
        length = np.linalg.norm(vectors, axis=1)
        ratio = float(length[cold[1:]].mean() / length[~cold[1:]].mean())
    return ColdScores(among_all, among_cold, float(cold[offered].mean()), ratio)


def score_models(
    scorers: Mapping[str, Scorer], vectors: Mapping[str, np.ndarray], split: Split, dataset: Dataset
) -> dict[str, ColdScores]:
    """Label of a model -> its scores; "ceiling" last where it is known. Empty if no test case asks for a cold item.

    Args:
        scorers, vectors: label -> scorer of the test cases, and item vectors (N, d).
    """
    cases = cold_cases(split)
    if not len(cases):
        return {}
    found = {label: score_cold(scorer, split, vectors[label]) for label, scorer in scorers.items()}
    if dataset.world is not None:
        best, best_of_cold = dataset.world.ceiling(split.test), dataset.world.ceiling(cases)
        found["ceiling"] = score_cold(best, split, scorer_of_cold=best_of_cold)
    return found


def gain_among_cold(
    scores: Mapping[str, ColdScores], ours: str, theirs: str, n: int = 2000, seed: int = 0
) -> Paired | None:
    """Gain in NDCG@10 of one model over another where only cold items compete; None without cold cases."""
    if not scores:
        return None
    a, b = (scores[label].among_cold.per_case[METRIC] for label in (ours, theirs))
    return paired_bootstrap(a, b, n, seed)


@dataclass(frozen=True)
class Stretched:
    """What changes when the vectors of cold items are made as long as the others."""

    length_ratio: float  # mean length of cold vectors divided by that of the others
    changes: dict[str, Paired]  # of NDCG@10: of cold targets, of all others
    share_of_cold: float  # of the test cases

    @property
    def total(self) -> float:
        """Change over all test cases."""
        weights = (self.share_of_cold, 1 - self.share_of_cold)
        return sum(c.diff * w for c, w in zip(self.changes.values(), weights, strict=True))


def stretch(
    model: Recommender, scores: ColdScores | None, split: Split, n: int = 2000, seed: int = 0
) -> Stretched | None:
    """Make the cold vectors of a model as long as the others; None where it has no scores: there are no cold cases."""
    if scores is None or scores.length_ratio is None:
        return None
    changes = stretch_cold_vectors(model, split, scores.length_ratio, n, seed)
    return Stretched(scores.length_ratio, changes, len(cold_cases(split)) / len(split.test))


def stretch_cold_vectors(
    model: Recommender, split: Split, length_ratio: float, n: int = 2000, seed: int = 0
) -> dict[str, Paired]:
    """What changes in NDCG@10 when cold vectors are made as long as the others, by kind of test case.

    Args:
        length_ratio: as in `ColdScores`.
    """
    cold, table = cold_items(split.train_counts), model.item_table().detach()
    stretched = table.clone()
    stretched[torch.as_tensor(cold)] /= length_ratio
    before, after = (
        evaluate_with_table(model, vectors, split, "DMESR").per_case[METRIC] for vectors in (table, stretched)
    )
    target_is_cold = cold[split.test.targets]
    masks = {"cold targets": target_is_cold, "all others": ~target_is_cold}
    return {group: paired_bootstrap(after[mask], before[mask], n, seed) for group, mask in masks.items()}
