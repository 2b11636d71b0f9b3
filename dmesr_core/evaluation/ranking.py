"""From scores to ranks: the rank of each case's target among all items, in bounded memory.

A *case* is a history and the item that came next (the target). A *scorer* gives each item a score. Metrics need only
the rank of the target, so nothing is sorted: we count the items that score higher (`greater`) and those that score the
same (`n_ties`). Cases are scored in batches of similar history length, so a sequence model reads little padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Cases, Sequences
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.scorers import Scorer, as_scorer, scorer_name
from dmesr_core.models.scoring import (
    BatchLimits,
    best_items,
    check_finite,
    check_items,
    ranked_columns,
    ranked_items,
    score_batches,
    seen_pairs,
)  # fmt: skip
from dmesr_core.setting_types import check_types


@dataclass(frozen=True)
class EvalSettings:
    """How cases are ranked.

    Args:
        ks: cut-offs of the metrics.
        mask_seen: items of the history are not ranked (the target always is).
        batch_size: maximum number of cases in a batch.
        scores_at_once: maximum number of scores in memory (batches get smaller as N grows).

    Raises:
        SettingsError: names the setting and what it may be.

    Example:
        >>> from dmesr_core import EvalSettings
        >>> EvalSettings(ks=(1, 10), mask_seen=False).ks
        (1, 10)
    """

    ks: tuple[int, ...] = (5, 10, 20)
    mask_seen: bool = True
    batch_size: int = 512
    scores_at_once: int = 2**26

    def __post_init__(self) -> None:
        check_types(self)
        if not self.ks or min(self.ks) < 1:
            raise SettingsError(f"ks must be one or more positive cut-offs, got {self.ks}")
        assert self.limits  # checks them

    @property
    def limits(self) -> BatchLimits:
        """How much is scored at once."""
        return BatchLimits(self.batch_size, self.scores_at_once)


DEFAULT_SETTINGS = EvalSettings()


@dataclass(frozen=True)
class Ranks:
    """The position of the target of each of C cases."""

    greater: np.ndarray  # (C,) int64: ranked items that score higher than the target
    n_ties: np.ndarray  # (C,) int64: ranked items that score the same, the target included (so at least 1)

    @property
    def rank(self) -> np.ndarray:
        """Expected rank, 1 = best, (C,) float64."""
        return self.greater + (self.n_ties + 1) / 2


def rank_cases(
    scorer: Scorer, cases: Cases, n_items: int, settings: EvalSettings = DEFAULT_SETTINGS,
    candidates: np.ndarray | None = None,
) -> Ranks:  # fmt: skip
    """Rank each target among all items (or among `candidates`, (N + 1,) bool) by the scores of `scorer`.

    Not ranked: item 0, items that are no candidates, and with `mask_seen` the items of the history. A target is ranked
    even if it is in the history (repeated events).

    Raises:
        DataError: for scores of the wrong shape, scores that are not finite, item numbers outside 1..N, or a target
            that is no candidate. Scores of items that are no candidates are not checked.
    """
    targets = np.asarray(cases.targets)
    ranked = ranked_items(n_items, candidates)
    check_items(targets, n_items, "the target")
    if candidates is not None and not candidates[targets].all():
        case = int(np.argmin(candidates[targets]))
        raise DataError(f"the target of case {case}, item {targets[case]}, is not among the candidates")
    greater, at_least = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)

    def count(index: np.ndarray, histories: list[np.ndarray], scores: Tensor) -> None:
        block = ranked_columns(scores, ranked)  # (B, ranked items)
        check_finite(block, ranked, index, scorer)
        target = torch.from_numpy(targets[index]).to(scores.device)[:, None]
        bar = scores.gather(1, target)  # (B, 1), score of the target
        greater[index], at_least[index] = _count_above(block, bar)
        if settings.mask_seen:  # subtract the seen items from the counts: cheaper than a masked copy of all scores
            rows, items = seen_pairs(histories, n_items)
            keep = items != targets[index][rows]
            if candidates is not None:
                keep &= candidates[items]
            rows, items = rows[keep], items[keep]
            on_device = torch.from_numpy(rows).to(scores.device)
            seen = scores[on_device, torch.from_numpy(items).to(scores.device)]  # (seen pairs,)
            seen_bar = bar[on_device, 0]
            greater[index] -= np.bincount(rows[(seen > seen_bar).cpu().numpy()], minlength=len(index))
            at_least[index] -= np.bincount(rows[(seen >= seen_bar).cpu().numpy()], minlength=len(index))

    score_batches(count, scorer, cases.histories, n_items, settings.limits)
    return Ranks(greater, at_least - greater)


def rank_in_sample(
    scorer: Scorer, cases: Cases, n_items: int, n_negatives: int = 100, seed: int = 0,
    settings: EvalSettings = DEFAULT_SETTINGS,
) -> tuple[Ranks, int]:  # fmt: skip
    """Rank each target among random negatives: items that are neither in the history nor the target.

    Negatives are uniform, without repetition, and the same for every scorer with the same seed. If fewer than
    `n_negatives` items are left for a case, all of them are used.

    Returns:
        The ranks, and the number of cases that had fewer than `n_negatives` items left.
    """
    if n_negatives < 1:
        raise SettingsError(f"n_negatives must be at least 1, got {n_negatives}")
    rng = np.random.default_rng(seed)
    targets = np.asarray(cases.targets)
    check_items(targets, n_items, "the target")
    columns = np.zeros((len(targets), 1 + n_negatives), np.int64)  # (C, 1 + n_negatives), target first; 0: no item
    columns[:, 0] = targets
    for c, target in enumerate(targets):
        excluded = np.unique(np.append(cases.histories[c], target))
        n_free = n_items - len(excluded)
        drawn = rng.choice(n_free, min(n_negatives, n_free), replace=False, shuffle=False)
        # The r-th (from 0) item that is not excluded is r + 1 + the number of excluded items below it.
        below = np.searchsorted(excluded - np.arange(len(excluded)) - 1, drawn, side="right")
        columns[c, 1 : 1 + len(drawn)] = drawn + 1 + below
    greater, n_ties = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)

    def count(index: np.ndarray, _: list[np.ndarray], scores: Tensor) -> None:
        check_finite(scores[:, 1:], np.arange(1, n_items + 1), index, scorer)
        picked = scores.gather(1, torch.from_numpy(columns[index]).to(scores.device)).cpu()  # (B, 1 + n_negatives)
        real, bar = torch.from_numpy(columns[index] > 0), picked[:, :1]
        greater[index] = ((picked > bar) & real).sum(1).numpy()
        n_ties[index] = ((picked == bar) & real).sum(1).numpy()

    score_batches(count, scorer, cases.histories, n_items, settings.limits)
    return Ranks(greater, n_ties), int((columns[:, -1] == 0).sum())


def top_k(
    model: Recommender | Scorer, histories: Sequences | Sequence[np.ndarray], k: int, n_items: int | None = None,
    settings: EvalSettings = DEFAULT_SETTINGS, candidates: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The `k` best items for each of S histories: item numbers (S, k) int64, best first, and their scores (S, k).

    For numbers of items, as splits have them; `Recommender.recommend` takes and gives ids. With `settings.mask_seen`
    the items of the history are left out. If fewer than `k` items are left, the list ends with item 0, score -inf.

    Args:
        model: a recommender, or a scorer; a scorer needs `n_items`.
        histories: one list or array of item numbers per user, oldest first: `[[3, 17]]` is one user. `split.test` and
            `split.valid` have such `histories`, and `Interactions.histories()` are those up to the last event.
        k: 1 to the number of items.
        n_items: N, for a scorer; a recommender knows it.
        settings: whether items of the history are left out, and how much is scored at once.
        candidates: (N + 1,) bool, the items that may be recommended; None: all.

    Raises:
        SettingsError: `k` out of range, or a scorer without `n_items`.
        DataError: histories that are no lists of item numbers, numbers that are no items, an empty history where the
            model needs one, other `candidates`.

    Example:
        >>> import numpy as np
        >>> from dmesr_core import popularity, top_k
        >>> counts = np.array([0, 5, 9, 7])  # of items 1, 2 and 3
        >>> items, scores = top_k(popularity(counts), [[2], []], k=2, n_items=3)
        >>> items.tolist()
        [[3, 1], [2, 3]]
    """
    if n_items is None:
        if not isinstance(model, Recommender):
            raise SettingsError(f"top_k needs n_items for {scorer_name(model)!r}: a scorer does not know it")
        n_items = model.n_items
    if not isinstance(histories, Sequences):
        histories = _numbers(histories)
    scorer = as_scorer(model, n_items)
    return best_items(scorer, histories, k, n_items, settings.mask_seen, candidates, settings.limits)


def _numbers(histories: Sequence) -> list[np.ndarray]:
    """Each history as an array of item numbers; DataError for anything else."""
    if not isinstance(histories, Sequence) or isinstance(histories, str):
        raise DataError(f"histories are a list with a list of item numbers per user; got {type(histories).__name__}")
    out = []
    for row, history in enumerate(histories):
        array = np.asarray(history)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise DataError(
                f"history {row} is {history!r:.60}, wanted a list of item numbers such as [3, 17]; one user alone is "
                "[[3, 17]], and `recommend` takes ids"
            )
        out.append(array.astype(np.int64))
    return out


def _count_above(block: Tensor, bar: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Per row of `block` (B, K): the number of scores above, and the number at least as high as, `bar` (B, 1)."""
    if block.device.type != "cpu":
        return (block > bar).sum(1).cpu().numpy(), (block >= bar).sum(1).cpu().numpy()
    # On a CPU torch sums booleans slowly; numpy counts them about ten times faster, one cached row at a time.
    rows, bars = ((x.float() if x.element_size() < 4 else x).numpy() for x in (block, bar[:, 0]))
    counts = [(np.count_nonzero(row > x), np.count_nonzero(row >= x)) for row, x in zip(rows, bars, strict=True)]
    above, at_least = np.array(counts, dtype=np.int64).T
    return above, at_least
