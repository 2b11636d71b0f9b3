"""From scores to ranks: the rank of each case's target among all items, in bounded memory.

A *case* is a history and the item that came next (the target). A *scorer* gives each item a score. Metrics need only
the rank of the target, so nothing is sorted: we count the items that score higher (`greater`) and those that score the
same (`n_ties`). Cases are scored in batches of similar history length, so a sequence model reads little padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.sequences import Cases, Sequences
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.scorers import Scorer, as_scorer, scorer_name
from dmesr_core.models.recommender import Recommender


@dataclass(frozen=True)
class EvalSettings:
    """How cases are ranked."""

    ks: tuple[int, ...] = (5, 10, 20)  # cut-offs of the metrics
    mask_seen: bool = True  # items of the history are not ranked (the target always is)
    batch_size: int = 512  # maximum number of cases in a batch
    scores_at_once: int = 2**26  # maximum number of scores in memory (batches get smaller as N grows)

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 1:
            raise SettingsError(f"ks must be one or more positive cut-offs, got {self.ks}")
        if self.batch_size < 1 or self.scores_at_once < 1:
            raise SettingsError("batch_size and scores_at_once must be at least 1")


DEFAULT_SETTINGS = EvalSettings()
# Batches whose scores fit the processor's cache are counted faster. Below `_MIN_ROWS` cases per batch, reading the item
# table once per batch costs more than the cache saves.
_CACHED_SCORES, _MIN_ROWS = 2**21, 64
_EVENTS = 2**22  # events of the histories of one batch, at most (bounds the memory where histories are very long)


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
    ranked = _ranked_items(n_items, candidates)
    check_items(targets, n_items, "the target")
    if candidates is not None and not candidates[targets].all():
        case = int(np.argmin(candidates[targets]))
        raise DataError(f"the target of case {case}, item {targets[case]}, is not among the candidates")
    greater, at_least = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)

    def count(index: np.ndarray, histories: list[np.ndarray], scores: Tensor) -> None:
        block = _columns(scores, ranked)  # (B, ranked items)
        _check_finite(block, ranked, index, scorer)
        target = torch.from_numpy(targets[index]).to(scores.device)[:, None]
        bar = scores.gather(1, target)  # (B, 1), score of the target
        greater[index], at_least[index] = _count_above(block, bar)
        if settings.mask_seen:  # subtract the seen items from the counts: cheaper than a masked copy of all scores
            rows, items = _seen(histories, n_items)
            keep = items != targets[index][rows]
            if candidates is not None:
                keep &= candidates[items]
            rows, items = rows[keep], items[keep]
            on_device = torch.from_numpy(rows).to(scores.device)
            seen = scores[on_device, torch.from_numpy(items).to(scores.device)]  # (seen pairs,)
            seen_bar = bar[on_device, 0]
            greater[index] -= np.bincount(rows[(seen > seen_bar).cpu().numpy()], minlength=len(index))
            at_least[index] -= np.bincount(rows[(seen >= seen_bar).cpu().numpy()], minlength=len(index))

    score_batches(count, scorer, cases.histories, n_items, settings)
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
        _check_finite(scores[:, 1:], np.arange(1, n_items + 1), index, scorer)
        picked = scores.gather(1, torch.from_numpy(columns[index]).to(scores.device)).cpu()  # (B, 1 + n_negatives)
        real, bar = torch.from_numpy(columns[index] > 0), picked[:, :1]
        greater[index] = ((picked > bar) & real).sum(1).numpy()
        n_ties[index] = ((picked == bar) & real).sum(1).numpy()

    score_batches(count, scorer, cases.histories, n_items, settings)
    return Ranks(greater, n_ties), int((columns[:, -1] == 0).sum())


def top_k(
    model: Recommender | Scorer, histories: Sequences | Sequence[np.ndarray], k: int, n_items: int | None = None,
    settings: EvalSettings = DEFAULT_SETTINGS, candidates: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The `k` best items for each of S histories: item numbers (S, k) int64, best first, and their scores (S, k).

    With `settings.mask_seen` the items of the history are left out. If fewer than `k` items are left, the list ends
    with item 0, score -inf.

    Args:
        model: a recommender, or a scorer; a scorer needs `n_items`.
        histories: one list or array of item numbers per user, oldest first: `[[3, 17]]` is one user. `split.test` and
            `split.valid` have such `histories`, and `Interactions.histories()` are those up to the last event.
        k: 1 to the number of items.
        candidates: (N + 1,) bool, the items that may be recommended; None: all.

    Raises:
        SettingsError: `k` out of range, or a scorer without `n_items`.
        DataError: numbers that are no items, an empty history where the model needs one, other `candidates`.
    """
    if n_items is None:
        if not isinstance(model, Recommender):
            raise SettingsError(f"top_k needs n_items for {scorer_name(model)!r}: a scorer does not know it")
        n_items = model.n_items
    scorer = as_scorer(model, n_items)
    if not 1 <= k <= n_items:
        raise SettingsError(f"k must lie between 1 and the number of items ({n_items}), got {k}")
    ranked = _ranked_items(n_items, candidates)
    out_items, out_scores = np.zeros((len(histories), k), np.int64), np.full((len(histories), k), -np.inf, np.float32)
    not_ranked = np.setdiff1d(np.arange(n_items + 1), ranked)

    def choose(index: np.ndarray, batch: list[np.ndarray], scores: Tensor) -> None:
        _check_finite(_columns(scores, ranked), ranked, index, scorer)
        scores = scores.clone()  # the scorer may return its own memory
        scores[:, torch.from_numpy(not_ranked).to(scores.device)] = -torch.inf
        if settings.mask_seen:
            rows, items = (torch.from_numpy(a).to(scores.device) for a in _seen(batch, n_items))
            scores[rows, items] = -torch.inf
        best, items = scores.topk(k, dim=1)
        out_scores[index] = best.float().cpu().numpy()
        out_items[index] = items.masked_fill(best == -torch.inf, 0).cpu().numpy()

    score_batches(choose, scorer, histories, n_items, settings)
    return out_items, out_scores


def score_batches(
    work: Callable[[np.ndarray, list[np.ndarray], Tensor], None], scorer: Scorer,
    histories: Sequences | Sequence[np.ndarray], n_items: int, settings: EvalSettings,
) -> None:  # fmt: skip
    """Call `work(case indices (B,), their histories, their checked scores (B, N + 1))` for each batch of cases.

    A batch holds histories of similar length. If the scorer is `concurrent`, each thread of torch computes whole
    batches of its own: splitting every small operation between threads costs more in synchronisation than it saves.
    """
    flat = histories if isinstance(histories, Sequences) else Sequences.from_lists(histories)
    order = np.argsort(flat.lengths, kind="stable")
    threads = torch.get_num_threads() if getattr(scorer, "concurrent", False) else 1
    cached = max(_MIN_ROWS, _CACHED_SCORES // (n_items + 1))
    size = max(1, min(settings.batch_size, cached, settings.scores_at_once // threads // (n_items + 1)))

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


def _ranked_items(n_items: int, candidates: np.ndarray | None) -> np.ndarray:
    """The numbers of the items that may be ranked, ascending."""
    if candidates is None:
        return np.arange(1, n_items + 1)
    if not isinstance(candidates, np.ndarray) or candidates.dtype != bool or candidates.shape != (n_items + 1,):
        found = f"{getattr(candidates, 'dtype', type(candidates).__name__)} {np.shape(candidates)}"
        raise DataError(f"candidates must be an array of {n_items + 1} booleans (items and padding), got {found}")
    return np.flatnonzero(candidates[1:]) + 1


def _columns(scores: Tensor, ranked: np.ndarray) -> Tensor:
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


def _check_finite(block: Tensor, ranked: np.ndarray, index: np.ndarray, scorer: Scorer) -> None:
    """DataError if a score is nan or infinite. `block` (B, K) are the scores of the K items in `ranked`."""
    # A finite sum has finite terms, and is several times faster to compute than testing each term.
    if torch.isfinite(block.sum(dtype=torch.float32 if block.element_size() < 4 else None)):
        return
    wrong = (~torch.isfinite(block)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        raise DataError(f"scorer {scorer_name(scorer)!r} gave item {ranked[column]} in case {index[row]} the score "
                        f"{block[row, column].item()}: scores must be finite numbers")  # fmt: skip


def _count_above(block: Tensor, bar: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Per row of `block` (B, K): the number of scores above, and the number at least as high as, `bar` (B, 1)."""
    if block.device.type != "cpu":
        return (block > bar).sum(1).cpu().numpy(), (block >= bar).sum(1).cpu().numpy()
    # On a CPU torch sums booleans slowly; numpy counts them about ten times faster, one cached row at a time.
    rows, bars = ((x.float() if x.element_size() < 4 else x).numpy() for x in (block, bar[:, 0]))
    counts = [(np.count_nonzero(row > x), np.count_nonzero(row >= x)) for row, x in zip(rows, bars, strict=True)]
    above, at_least = np.array(counts, dtype=np.int64).T
    return above, at_least


def _seen(batch: list[np.ndarray], n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs (row of the batch, item of its history): two arrays (pairs,) int64."""
    row = np.repeat(np.arange(len(batch)), [len(h) for h in batch])
    return np.divmod(np.unique(row * (n_items + 1) + np.concatenate(batch)), n_items + 1)
