"""Evaluation: metrics from ranks, for a full catalogue or a sample, for all cases or for groups of them.

Items with equal scores are taken to be in random order, and each metric is its exact expected value over these orders.
So a scorer that gives all items the same score gets HR@10 = 10 / N, not 0 and not 1.

With one target per case, HR@k and Recall@k are the same number. NDCG@k is 1 / log2(1 + rank), MRR@k is 1 / rank, both 0
below rank k (the ideal DCG is 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.ranking import (
    DEFAULTS,
    EvalSettings,
    Ranks,
    Scorer,
    rank_cases,
    rank_in_sample,
    scorer_name,
)
from dmesr_core.evaluation.results import Result


def metrics(ranks: Ranks, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """hr@k, ndcg@k and mrr@k for each case, each (C,) float64: expected values where scores are tied.

    A target with g items above it and t tied (itself included) is at each of the ranks g + 1 .. g + t with equal
    chance. The sum of a metric over these ranks is a difference of two entries of its running sum over ranks.
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
    scorer: Scorer, cases: Cases, n_items: int, settings: EvalSettings = DEFAULTS,
    candidates: np.ndarray | None = None, name: str | None = None, split: str = "test",
) -> Result:  # fmt: skip
    """Rank all cases on the full catalogue (`rank_cases`) and measure (`metrics`).

    `split` says in words where the cases come from, such as "leave-one-out test"; it becomes part of the protocol.
    """
    ranks = rank_cases(scorer, cases, n_items, settings, candidates)
    ranked = describe_full_ranking(n_items, settings, candidates)
    return to_result(name or scorer_name(scorer), ranks, cases, ranked, split, settings)


def sampled_protocol(
    scorer: Scorer, cases: Cases, n_items: int, n_negatives: int = 100, seed: int = 0,
    settings: EvalSettings = DEFAULTS, name: str | None = None, split: str = "test",
) -> Result:  # fmt: skip
    """The protocol of many papers: the target among 100 random unseen items (`rank_in_sample`), for comparison only.

    The numbers look far better than those of the full ranking and can even order models differently (Krichene and
    Rendle, On Sampled Metrics for Item Recommendation, KDD 2020); the protocol of the result says so.
    """
    ranks, short = rank_in_sample(scorer, cases, n_items, n_negatives, seed, settings)
    ranked = describe_sampled_ranking(n_items, n_negatives, seed, short)
    return to_result(name or scorer_name(scorer), ranks, cases, ranked, split, settings)


def describe_full_ranking(n_items: int, settings: EvalSettings = DEFAULTS, candidates: np.ndarray | None = None) -> str:
    """What `rank_cases` ranks the target against, in words."""
    ranked = f"full catalogue of {n_items:,} items"
    if candidates is not None:
        ranked = f"{np.count_nonzero(candidates[1:]):,} candidates out of {n_items:,} items"
    return ranked + f", seen items {'masked' if settings.mask_seen else 'not masked'}"


def describe_sampled_ranking(n_items: int, n_negatives: int, seed: int, short: int) -> str:
    """What `rank_in_sample` ranks the target against, in words; `short` cases had fewer negatives."""
    fewer = f", fewer in {short:,} cases" if short else ""
    return (
        f"SAMPLED: the target among {n_negatives} random unseen items out of {n_items:,} (seed {seed}{fewer}); "
        "not comparable with a full ranking, and may order models differently"
    )


def to_result(
    name: str, ranks: Ranks, cases: Cases, ranked: str, split: str, settings: EvalSettings = DEFAULTS
) -> Result:
    """Ranks as a result; `ranked` and `split` say in words what was ranked and where the cases come from."""
    ks = ", ".join(map(str, settings.ks))
    protocol = f"{ranked}; {split}, {len(ranks.greater):,} cases; k = {ks}; expected values where scores are tied"
    return Result(name, metrics(ranks, settings.ks), protocol, np.asarray(cases.users))


def item_groups(train_counts: np.ndarray, head_share: float = 0.2) -> dict[str, np.ndarray]:
    """Items by popularity in training, each mask (N + 1,) bool, False for item 0.

    cold: no training event. warm: the others. head: the most popular `head_share` of the warm items (items as popular
    as the last of these are in, so numbering plays no part). tail: the other warm items. tail+cold: all but head.
    """
    counts = np.asarray(train_counts)
    item = np.arange(len(counts)) > 0
    warm = item & (counts > 0)
    n_head = int(np.ceil(head_share * warm.sum()))
    head = warm & (counts >= np.sort(counts[warm])[-n_head]) if n_head else np.zeros_like(warm)
    return {"head": head, "tail": warm & ~head, "cold": item & ~warm, "tail+cold": item & ~head}


def groups(split: Split, cases: Cases, settings: EvalSettings = DEFAULTS) -> dict[str, np.ndarray]:
    """Cases by their target (head, tail, cold, tail+cold: see `item_groups`) and by the length of their history.

    short: at most `settings.short_history` events, by default the median length; long: more. Masks (C,) bool.
    """
    by_target = item_groups(split.train_counts, settings.head_share)
    lengths = cases.histories.lengths
    limit = settings.short_history
    if limit is None:
        limit = np.median(lengths) if len(lengths) else 0
    masks = {group: mask[np.asarray(cases.targets)] for group, mask in by_target.items()}
    return masks | {"short": lengths <= limit, "long": lengths > limit}
