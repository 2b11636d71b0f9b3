"""Metrics from ranks, on the full catalogue or on a sample of it.

Items with equal scores count as randomly ordered: each metric is its exact expected value over these orders.
So a scorer that gives all items the same score gets HR@10 = 10 / N, not 0 and not 1.

With one target per case, HR@k and Recall@k are the same number. NDCG@k is 1 / log2(1 + rank), MRR@k is 1 / rank, both 0
below rank k (the ideal DCG is 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmesr_core.data.sequences import Cases, Split, check_split
from dmesr_core.errors import SettingsError
from dmesr_core.evaluation.ranking import DEFAULT_SETTINGS, EvalSettings, Ranks, rank_cases, rank_in_sample
from dmesr_core.evaluation.results import Result
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.scorers import Scorer, as_scorer, scorer_name
from dmesr_core.setting_types import check_settings


def evaluate(
    model: Recommender | Scorer, split: Split, part: str = "test", settings: EvalSettings = DEFAULT_SETTINGS,
    candidates: np.ndarray | None = None, name: str | None = None,
) -> Result:  # fmt: skip
    """Rank the target of each case of a split among all items, and measure: HR@k, NDCG@k and MRR@k.

    Args:
        model: a recommender, or a scorer such as `popularity(split)`.
        split: whose cases are ranked; of the items of the model.
        part: "test" or "valid".
        settings: cut-offs k, and whether the items of a history are ranked.
        candidates: (N + 1,) bool, the items that are ranked; None: all items.
        name: the name of the result; None: that of the model's class or of the scorer.

    Returns:
        `Result`: a value per case and metric, with `mean()` and `interval()`.

    Raises:
        SettingsError: another `part`, or something else than a model, a split or settings.
        DataError: a model of other items, scores that are not finite, or a target that is no candidate.

    Example:
        >>> from dmesr_core import EvalSettings, Interactions, evaluate, popularity
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> result = evaluate(popularity(split), split, settings=EvalSettings(ks=(1,)))
        >>> result.mean()["hr@1"]  # one of four items is not seen: the target
        1.0
    """
    check_split(split)
    check_settings(settings, EvalSettings)
    if part not in ("test", "valid"):
        raise SettingsError(f"part must be 'test' or 'valid', got {part!r}")
    if isinstance(model, Recommender):
        model.check_items(split)
    cases, scorer = split.test if part == "test" else split.valid, as_scorer(model, split.n_items)
    name = name or scorer_name(model)
    return evaluate_cases(scorer, cases, split.n_items, settings, candidates, name, f"{split.name} {part}")


def metrics(ranks: Ranks, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """hr@k, ndcg@k and mrr@k for each case, each (C,) float64: expected values where scores are tied.

    A target with g items above it and t tied (itself included) has each of the ranks g + 1 .. g + t with equal
    probability. The sum of a metric over these ranks is a difference of two entries of its cumulative sum over ranks.
    """
    position = np.arange(1, max(ks) + 1)
    gain = {"hr": np.ones(len(position)), "ndcg": 1 / np.log2(1 + position), "mrr": 1 / position}
    out = {}
    for name, values in gain.items():
        running = np.concatenate([[0.0], np.cumsum(values)])
        for k in ks:
            first, last = np.minimum(ranks.greater, k), np.minimum(ranks.greater + ranks.n_ties, k)
            out[f"{name}@{k}"] = (running[last] - running[first]) / ranks.n_ties
    return out


def evaluate_cases(
    scorer: Scorer, cases: Cases, n_items: int, settings: EvalSettings = DEFAULT_SETTINGS,
    candidates: np.ndarray | None = None, name: str | None = None, split: str = "test",
) -> Result:  # fmt: skip
    """Rank all cases on the full catalogue (`rank_cases`) and measure (`metrics`).

    `split` describes the origin of the cases, such as "leave-one-out test"; it becomes part of the protocol.
    """
    ranks = rank_cases(scorer, cases, n_items, settings, candidates)
    ranked = describe_full_ranking(n_items, settings, candidates)
    return to_result(name or scorer_name(scorer), ranks, cases, ranked, split, settings)


def evaluate_sampled(
    scorer: Scorer, cases: Cases, n_items: int, n_negatives: int = 100, seed: int = 0,
    settings: EvalSettings = DEFAULT_SETTINGS, name: str | None = None, split: str = "test",
) -> Result:  # fmt: skip
    """The target among random unseen items (`rank_in_sample`): the protocol of many papers, for comparison only.

    Sampled metrics are far higher than those of the full ranking and can order models differently (Krichene and
    Rendle, On Sampled Metrics for Item Recommendation, KDD 2020); the protocol of the result says so.
    """
    ranks, short = rank_in_sample(scorer, cases, n_items, n_negatives, seed, settings)
    ranked = describe_sampled_ranking(n_items, n_negatives, seed, short)
    return to_result(name or scorer_name(scorer), ranks, cases, ranked, split, settings)


def describe_full_ranking(
    n_items: int, settings: EvalSettings = DEFAULT_SETTINGS, candidates: np.ndarray | None = None
) -> str:
    """The set of items that `rank_cases` ranks, in words, for the protocol of a result."""
    ranked = f"full catalogue of {n_items:,} items"
    if candidates is not None:
        ranked = f"{np.count_nonzero(candidates[1:]):,} candidates out of {n_items:,} items"
    return ranked + f", seen items {'masked' if settings.mask_seen else 'not masked'}"


def describe_sampled_ranking(n_items: int, n_negatives: int, seed: int, short: int) -> str:
    """As `describe_full_ranking`, for `rank_in_sample`; `short` cases had fewer than `n_negatives` items left."""
    fewer = f", fewer in {short:,} cases" if short else ""
    return (
        f"SAMPLED: the target among {n_negatives} random unseen items out of {n_items:,} (seed {seed}{fewer}); "
        "not comparable with a full ranking, and may order models differently"
    )


def to_result(
    name: str, ranks: Ranks, cases: Cases, ranked: str, split: str, settings: EvalSettings = DEFAULT_SETTINGS
) -> Result:
    """A result from ranks; `ranked` and `split` describe the ranked items and the origin of the cases."""
    ks = ", ".join(map(str, settings.ks))
    protocol = f"{ranked}; {split}, {len(ranks.greater):,} cases; k = {ks}; expected values where scores are tied"
    return Result(name, metrics(ranks, settings.ks), protocol, np.asarray(cases.users))
