"""The posterior probability of each reason for a purchase in the Bazaar.

A purchase has one of five reasons (see `shoppers`), which the log does not contain: a cup of the same series may have
been pulled by the last purchase or drawn from the shopper's taste. The probability of a purchase is a sum with one term
per reason, so the probability of each reason, given the history and the purchase, is exact.
"""

from __future__ import annotations

import numpy as np

from dmesr_core.data.bazaar.shoppers import Process
from dmesr_core.data.sequences import Cases

SERIES, LOOK, WHIM, SAME, CHANGED = REASONS = (
    "goes with the last purchase: series",
    "goes with the last purchase: look",
    "on a whim: popularity alone",
    "taste, the same as before",
    "taste that has just changed",
)


def terms(
    process: Process, past: np.ndarray, past_times: np.ndarray, next_time: np.ndarray, item: np.ndarray
) -> np.ndarray:
    """P(item, reason | past), (B, 5), in the order of `REASONS`: the terms of `Process.next_item` for one item.

    Args:
        past: (B, t) item numbers (from 1), oldest first, t at least 1; past_times (B, t).
        next_time: (B,), when `item` (B,) was bought; the item must be on sale and not in `past`.
    """
    past, item = np.asarray(past, dtype=np.int64) - 1, np.asarray(item, dtype=np.int64) - 1
    weeks, week, whim = process.week(past_times), process.week(next_time), process.settings.whim
    # Belief about the type at the last purchase: `log_filter` gives that before it, the purchase itself is added.
    held = process.log_filter(past[:, :-1], weeks[:, :-1])
    held = held + process.log_emission(past[:, :-1], weeks[:, -1], past[:, -1])
    held = np.exp(held - held.max(axis=1, keepdims=True))
    held /= held.sum(axis=1, keepdims=True)  # (B, K)
    stayed = held * np.diag(process.transition)
    changed = held @ process.transition - stayed

    allowed = process.launch_week[None, :] <= week[:, None]  # (B, N)
    np.put_along_axis(allowed, past, False, axis=1)
    left = np.maximum(allowed @ process.tastes.T, 1e-300)  # (B, K) weight of the items left
    by_whim = whim * process.popularity[item][:, None]  # (B, 1)
    by_taste = process.tastes[:, item].T - by_whim  # (B, K)
    return split_by_reason(process, past, week, item, stayed, changed, left, by_whim, by_taste)


def split_by_reason(
    process: Process, past: np.ndarray, week: np.ndarray, item: np.ndarray,
    stayed: np.ndarray, changed: np.ndarray, left: np.ndarray, by_whim: np.ndarray, by_taste: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """P(item, reason | past), (B, 5).

    Args:
        past, item: columns, from 0, (B, t) and (B,); week (B,) of the purchase.
        stayed, changed: (B, K) P(type now | past), for the type at the last purchase and for another one.
        left, by_whim, by_taste: (B, K), (B, 1), (B, K) weight of all items left, of `item` by whim and by taste.
    """
    out, free = np.zeros((len(item), len(REASONS))), np.ones(len(item))
    for k, (chance, partners) in enumerate(process.pulls):
        columns, weights = process.available_partners(partners, past, week)
        total = weights.sum(axis=1)
        share = np.where(total > 0, chance, 0.0)
        match = np.where(columns == item[:, None], weights, 0.0).sum(axis=1)
        out[:, k] = share * match / np.maximum(total, 1e-300)
        free -= share
    out[:, 2] = free * ((stayed + changed) / left * by_whim).sum(axis=1)
    out[:, 3] = free * (stayed / left * by_taste).sum(axis=1)
    out[:, 4] = free * (changed / left * by_taste).sum(axis=1)
    return out


def why(process: Process, cases: Cases) -> np.ndarray:
    """P(reason | history, target) of each case, (C, 5), in the order of `REASONS`; rows sum to 1."""
    out = np.empty((len(cases), len(REASONS)))
    lengths = cases.histories.lengths
    for length in np.unique(lengths):  # histories of one length at a time
        rows = np.flatnonzero(lengths == length)
        past = np.stack([cases.histories[int(r)] for r in rows])
        times = np.stack([cases.histories.times_of(int(r)) for r in rows])
        out[rows] = terms(process, past, times, cases.times[rows], cases.targets[rows])
    return out / out.sum(axis=1, keepdims=True)
