"""Scoring many histories: batches of bounded size, and the best items of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Sequences
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.scorers import Scorer, scorer_name
from dmesr_core.setting_types import check_types

# Batches whose scores fit the processor's cache are counted faster. Below `_MIN_ROWS` cases per batch, reading the item
# table once per batch costs more than the cache saves.
_CACHED_SCORES, _MIN_ROWS = 2**21, 64
_EVENTS = 2**22  # events of the histories of one batch, at most (bounds the memory where histories are very long)


@dataclass(frozen=True)
class BatchLimits:
    """How much is scored at once.

    Args:
        batch_size: maximum number of histories in a batch.
        scores_at_once: maximum number of scores in memory (batches get smaller as N grows).
    """

    batch_size: int = 512
    scores_at_once: int = 2**26

    def __post_init__(self) -> None:
        check_types(self)
        if self.batch_size < 1 or self.scores_at_once < 1:
            raise SettingsError("batch_size and scores_at_once must be at least 1")


DEFAULT_LIMITS = BatchLimits()


def best_items(
    scorer: Scorer, histories: Sequences | Sequence[np.ndarray], k: int, n_items: int, exclude_seen: bool = True,
    candidates: np.ndarray | None = None, limits: BatchLimits = DEFAULT_LIMITS,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The `k` best items for each of S histories: item numbers (S, k) int64, best first, and their scores (S, k).

    With `exclude_seen` the items of the history are left out. If fewer than `k` items are left, the list ends with
    item 0, score -inf. `candidates` (N + 1,) bool are the items that may be recommended; None: all.

    Raises:
        SettingsError: `k` out of range.
        DataError: numbers that are no items, or what the scorer gives is not one finite number per item.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n_items:
        raise SettingsError(f"k must lie between 1 and the number of items ({n_items:,}), got {k!r}")
    ranked = ranked_items(n_items, candidates)
    out_items, out_scores = np.zeros((len(histories), k), np.int64), np.full((len(histories), k), -np.inf, np.float32)
    not_ranked = np.setdiff1d(np.arange(n_items + 1), ranked)

    def choose(index: np.ndarray, batch: list[np.ndarray], scores: Tensor) -> None:
        check_finite(ranked_columns(scores, ranked), ranked, index, scorer)
        scores = scores.clone()  # the scorer may return its own memory
        scores[:, torch.from_numpy(not_ranked).to(scores.device)] = -torch.inf
        if exclude_seen:
            rows, items = (torch.from_numpy(a).to(scores.device) for a in seen_pairs(batch, n_items))
            scores[rows, items] = -torch.inf
        best, items = scores.topk(k, dim=1)
        out_scores[index] = best.float().cpu().numpy()
        out_items[index] = items.masked_fill(best == -torch.inf, 0).cpu().numpy()

    score_batches(choose, scorer, histories, n_items, limits)
    return out_items, out_scores


def score_batches(
    work: Callable[[np.ndarray, list[np.ndarray], Tensor], None], scorer: Scorer,
    histories: Sequences | Sequence[np.ndarray], n_items: int, limits: BatchLimits = DEFAULT_LIMITS,
) -> None:  # fmt: skip
    """Call `work(case indices (B,), their histories, their checked scores (B, N + 1))` for each batch of cases.

    A batch holds histories of similar length. If the scorer is `concurrent`, each thread of torch computes whole
    batches of its own: splitting every small operation between threads costs more in synchronisation than it saves.
    """
    flat = histories if isinstance(histories, Sequences) else Sequences.from_lists(histories)
    order = np.argsort(flat.lengths, kind="stable")
    threads = torch.get_num_threads() if getattr(scorer, "concurrent", False) else 1
    cached = max(_MIN_ROWS, _CACHED_SCORES // (n_items + 1))
    size = max(1, min(limits.batch_size, cached, limits.scores_at_once // threads // (n_items + 1)))

    def one(index: np.ndarray) -> None:
        batch = [flat[c] for c in index]
        if any(map(len, batch)):
            check_items(np.concatenate(batch), n_items, "the history", np.repeat(index, [len(row) for row in batch]))
        with torch.no_grad():
            scores = scorer(batch, index)
        if not isinstance(scores, Tensor) or scores.shape != (len(index), n_items + 1):
            found = f"a tensor {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
            raise DataError(f"scorer {scorer_name(scorer)!r} returned {found}, wanted a tensor of (cases, items + 1) = "
                            f"({len(index)}, {n_items + 1})")  # fmt: skip
        work(index, batch, scores.detach() if scores.is_floating_point() else scores.double())

    batches = _batches(order, flat.lengths, size)
    with _threads(threads) as pool:
        for _ in (pool.map if pool else map)(one, batches):
            pass


def _batches(order: np.ndarray, lengths: np.ndarray, size: int) -> list[np.ndarray]:
    """Consecutive parts of `order` with at most `size` cases and `_EVENTS` events, but at least one case each."""
    before = np.concatenate([[0], np.cumsum(lengths[order])])  # events before each case
    batches, start = [], 0
    while start < len(order):
        enough = int(np.searchsorted(before, before[start] + _EVENTS, side="right")) - 1
        stop = max(start + 1, min(start + size, enough))
        batches.append(order[start:stop])
        start = stop
    return batches


def check_items(items: np.ndarray, n_items: int, what: str, cases: np.ndarray | None = None) -> None:
    """DataError unless all of `items` (n,) lie in 1..n_items; `cases` (n,) are their case numbers, for the message."""
    wrong = np.flatnonzero((items < 1) | (items > n_items))
    if len(wrong):
        case = wrong[0] if cases is None else cases[wrong[0]]
        raise DataError(f"{what} of case {case} holds item {items[wrong[0]]}: items are numbered 1 to {n_items}")


def ranked_items(n_items: int, candidates: np.ndarray | None) -> np.ndarray:
    """The numbers of the items that may be ranked, ascending."""
    if candidates is None:
        return np.arange(1, n_items + 1)
    if not isinstance(candidates, np.ndarray) or candidates.dtype != bool or candidates.shape != (n_items + 1,):
        found = f"{getattr(candidates, 'dtype', type(candidates).__name__)} {np.shape(candidates)}"
        raise DataError(f"candidates must be an array of {n_items + 1} booleans (items and padding), got {found}")
    return np.flatnonzero(candidates[1:]) + 1


def ranked_columns(scores: Tensor, ranked: np.ndarray) -> Tensor:
    """The scores (B, K) of the K ranked items; a view, not a copy, if all items are ranked."""
    if len(ranked) == scores.shape[1] - 1:
        return scores[:, 1:]
    return scores[:, torch.from_numpy(ranked).to(scores.device)]


@contextmanager
def _threads(n: int) -> Iterator[ThreadPoolExecutor | None]:
    """A pool of `n` threads with one thread of torch each; None for n = 1: use the calling thread."""
    if n == 1:
        yield None
        return
    try:
        with ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(n)  # set_num_threads in the pool also changed global state


def check_finite(block: Tensor, ranked: np.ndarray, index: np.ndarray, scorer: Scorer) -> None:
    """DataError if a score is nan or infinite. `block` (B, K) are the scores of the K items in `ranked`."""
    # A finite sum has finite terms, and is several times faster to compute than testing each term.
    if torch.isfinite(block.sum(dtype=torch.float32 if block.element_size() < 4 else None)):
        return
    wrong = (~torch.isfinite(block)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        raise DataError(f"scorer {scorer_name(scorer)!r} gave item {ranked[column]} in case {index[row]} the score "
                        f"{block[row, column].item()}: scores must be finite numbers")  # fmt: skip


def seen_pairs(batch: list[np.ndarray], n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs (row of the batch, item of its history): two arrays (pairs,) int64."""
    row = np.repeat(np.arange(len(batch)), [len(h) for h in batch])
    return np.divmod(np.unique(row * (n_items + 1) + np.concatenate(batch)), n_items + 1)
