"""Small random ranking problems, and a slow reference implementation of ranks."""

from __future__ import annotations

import numpy as np
import torch

from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Cases, Sequences


def make_cases(histories, targets, users=None):
    targets = np.asarray(targets, dtype=np.int64)
    users = np.arange(len(targets)) if users is None else np.asarray(users)
    return Cases(Sequences.from_lists(histories), targets, np.zeros(len(targets)), users)


def random_cases(n_cases, n_items, rng, repeat=0.3, longest=12):
    """Cases with histories of 1..longest items, some items twice, some targets in their own history."""
    histories = [rng.integers(1, n_items + 1, rng.integers(1, longest + 1)) for _ in range(n_cases)]
    targets = rng.integers(1, n_items + 1, n_cases)
    again = rng.random(n_cases) < repeat
    targets[again] = [h[0] for h, a in zip(histories, again, strict=True) if a]
    return make_cases(histories, targets)


def random_split(n_users, n_items, rng, name="leave_one_out"):
    """A split of a random log in which each user has 3 to 8 events."""
    user = np.repeat(np.arange(n_users), rng.integers(3, 9, n_users))
    item, time = rng.integers(1, n_items + 1, len(user)), rng.random(len(user))
    return getattr(Interactions.from_columns(user, item, time, n_items), name)()


def scorer_of(scores):
    """A scorer that returns the given scores (C, N + 1) of all cases."""
    scores = torch.as_tensor(scores)

    def known(histories, case_indices):
        assert len(histories) == len(case_indices)
        return scores[torch.as_tensor(case_indices, device=scores.device)]

    return known


def reference_ranks(scores, cases, mask_seen, candidates=None):
    """(greater, n_ties), computed case by case and item by item."""
    greater, ties = [], []
    for c, target in enumerate(cases.targets):
        above = same = 0
        for item in range(1, scores.shape[1]):
            allowed = item == target or not (mask_seen and item in cases.histories[c])
            if allowed and (candidates is None or candidates[item]):
                above += scores[c, item] > scores[c, target]
                same += scores[c, item] == scores[c, target]
        greater.append(above)
        ties.append(same)
    return np.array(greater), np.array(ties)
