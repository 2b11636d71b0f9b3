"""What a shopper's purchases tell about the hidden type: the belief, and how uncertain it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmesr_core.data.bazaar.shoppers import Process
from dmesr_core.data.sequences import Sequences


def belief_path(process: Process, items: np.ndarray, times: np.ndarray) -> np.ndarray:
    """P(type | the first t purchases) for t = 0..T, (T + 1, K), of a shopper who bought `items` (T,) at `times` (T,).

    Item numbers count from 1; times are in seconds since 1970.
    """
    columns, weeks = np.asarray(items)[None] - 1, process.week(times)[None]  # (1, T)
    return np.exp([process.log_filter(columns[:, :t], weeks[:, :t])[0] for t in range(columns.shape[1] + 1)])


def effective_types(
    process: Process, histories: Sequences, purchases: Sequence[int] = (0, 1, 3, 5), at_most: int = 500
) -> dict[int, float]:
    """Number of purchases -> mean effective number of types (exp of the entropy of the belief) after them.

    Computed on the first `at_most` histories that are long enough for all `purchases`.
    """
    length = max(purchases)
    chosen = np.flatnonzero(histories.lengths >= length)[:at_most]
    columns = np.stack([histories[int(c)][:length] for c in chosen]) - 1  # (C, length)
    weeks = process.week(np.stack([histories.times_of(int(c))[:length] for c in chosen]))
    return {t: _perplexity(np.exp(process.log_filter(columns[:, :t], weeks[:, :t]))) for t in purchases}


def _perplexity(beliefs: np.ndarray) -> float:
    """Mean over rows of exp(entropy) of distributions (C, K)."""
    return float(np.exp(-(beliefs * np.log(np.maximum(beliefs, 1e-300))).sum(axis=-1)).mean())
