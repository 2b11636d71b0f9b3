"""The process by which the Bazaar's shoppers choose items, and the exact distribution of the next item.

A shopper has a hidden *type* (tastes over facts of both kinds) that may change from one purchase to the next: a hidden
Markov model. A purchase is either *pulled* by the previous one (a cup that goes with the teapot: of the same series, or
of the same look) or drawn from the taste of the type. No item is bought twice by a shopper, or before its launch.
Everything that the choice depends on, except the type, is observed, so the forward algorithm gives the exact
probability of each next item. Ranking by it is the upper limit of every ranking metric in the book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dmesr_core.data.bazaar.facts import CATEGORIES, COMPLEMENTS, Facts
from dmesr_core.errors import SettingsError

DAY = 86_400.0  # seconds
OPENING = 1_704_067_200.0  # the Bazaar opens on 2024-01-01, in seconds since 1970


@dataclass(frozen=True)
class ShopperSettings:
    """Statistics of the world. Set once, to resemble Amazon Beauty's 5-core, before any model was compared."""

    n_types: int = 12  # hidden kinds of shoppers
    likes: dict[str, tuple[int, float]] = field(
        default_factory=lambda: {  # fact -> (how many of its values a type likes, log-weight of a liked value)
            "category": (3, 2.0),
            "colour": (3, 1.8),
            "pattern": (1, 1.2),
            "brand": (3, 1.0),
            "material": (4, 1.0),
            "use": (2, 1.2),
        }  # fmt: skip
    )
    drift: float = 0.05  # chance that the type changes between two purchases
    # Chance that a purchase goes with the previous one (a complement of its category), where something fits:
    series_pull: float = 0.20  # ... and is of the same series (only the words tell)
    look_pull: float = 0.20  # ... and has the same colour and pattern (only the picture tells)
    whim: float = 0.10  # share of taste purchases that follow popularity alone
    popularity_exponent: float = 0.5  # weight of the item of rank r is (r + 5) ** -exponent
    late_share: float = 0.28  # share of the items launched in the last `late_weeks`
    late_weeks: int = 4
    weeks: int = 52  # length of the log; launches happen at the start of a week
    min_events: int = 5  # 5-core, as in the Amazon sets
    extra_events: tuple[float, float] = (0.35, 1.58)  # log-normal (mu, sigma) of the events beyond the minimum
    max_events: int = 60

    def __post_init__(self) -> None:
        """Raises SettingsError: names the setting and the values it may have."""
        for name in ("drift", "series_pull", "look_pull", "whim", "late_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is a probability or a share, from 0 to 1, got {getattr(self, name)!r}")
        for name in ("n_types", "weeks", "min_events"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not 0 <= self.late_weeks <= self.weeks:
            raise SettingsError(f"late_weeks must lie between 0 and weeks ({self.weeks}), got {self.late_weeks!r}")
        if self.max_events < self.min_events:
            raise SettingsError(f"max_events must be at least min_events ({self.min_events}), got {self.max_events!r}")
        for fact, (number, weight) in self.likes.items():
            if number < 1 or weight < 0:
                raise SettingsError(f"likes of {fact!r}: 1 value or more, weight 0 or more, got {(number, weight)}")


@dataclass(frozen=True)
class Process:
    """The hidden Markov process of one world. Item `k` of the catalogue is column `k - 1` here."""

    settings: ShopperSettings
    tastes: np.ndarray  # (K, N) weight of each item for each type, rows sum to 1
    popularity: np.ndarray  # (N,) weight of each item, sums to 1
    launch_week: np.ndarray  # (N,) int64
    # (chance, (N, M) items that go with each item, padded with -1), for each kind of pull
    pulls: tuple[tuple[float, np.ndarray], ...]
    prior: np.ndarray  # (K,)
    transition: np.ndarray  # (K, K) from row to column

    def __repr__(self) -> str:
        return f"<Process: {self.tastes.shape[0]} types of shoppers, {self.tastes.shape[1]:,} items>"

    def week(self, times: np.ndarray) -> np.ndarray:
        """Week numbers of times in seconds since 1970; an item can be bought from the start of its launch week."""
        return np.clip(((times - OPENING) // (7 * DAY)).astype(np.int64), 0, self.settings.weeks - 1)

    def sample(self, n_shoppers: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw shoppers and their purchases.

        Returns:
            user (n,) 0-based, item (n,) item numbers from 1, time (n,) seconds since 1970; sorted by user, time.
        """
        s = self.settings
        extra = np.floor(rng.lognormal(*s.extra_events, size=n_shoppers)).astype(np.int64)
        n_items = self.tastes.shape[1]
        n_events = np.minimum(s.min_events + extra, min(s.max_events, n_items // 4))
        longest = int(n_events.max())
        # A shopper arrives within the first 70% of the weeks and may buy until the end of the log.
        arrival = rng.random(n_shoppers) * 0.7
        moments = arrival[:, None] + rng.random((n_shoppers, longest)) * (1 - arrival)[:, None]
        moments[np.arange(longest)[None, :] >= n_events[:, None]] = np.inf
        moments.sort(axis=1)
        times = OPENING + np.where(np.isfinite(moments), moments, 0.0) * s.weeks * 7 * DAY  # (U, longest)

        # Items in order of launch: those on sale in a week are a prefix, so one running sum serves all weeks.
        by_launch = np.argsort(self.launch_week, kind="stable")
        running = np.cumsum(self.tastes[:, by_launch], axis=1)  # (K, N)
        on_sale = np.searchsorted(self.launch_week[by_launch], np.arange(s.weeks), side="right")  # (weeks,)

        items = np.full((n_shoppers, longest), -1, dtype=np.int64)  # columns of the world, -1 where no event
        types = rng.choice(s.n_types, size=n_shoppers, p=self.prior)
        for t in range(longest):
            who = np.flatnonzero(n_events > t)
            if t > 0:
                types[who] = _step(types[who], self.transition, rng)
            week = self.week(times[who, t])
            choice = self._pulled(items[who, :t], week, rng) if t else np.full(len(who), -1)
            open_ = choice < 0
            while open_.any():  # rejection sampling: an item that was bought before is drawn again
                rows = np.flatnonzero(open_)
                z, limit = types[who[rows]], on_sale[week[rows]]
                target = rng.random(len(rows)) * running[z, limit - 1]
                draw = np.empty(len(rows), dtype=np.int64)
                for k in np.unique(z):
                    draw[z == k] = np.searchsorted(running[k], target[z == k], side="right")
                draw = by_launch[np.minimum(draw, limit - 1)]
                fresh = ~(items[who[rows], :t] == draw[:, None]).any(axis=1)
                choice[rows[fresh]] = draw[fresh]
                open_[rows[fresh]] = False
            items[who, t] = choice
        real = items >= 0
        user = np.broadcast_to(np.arange(n_shoppers)[:, None], items.shape)
        return user[real], items[real] + 1, times[real]

    def available_partners(
        self, partners: np.ndarray, past: np.ndarray, week: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Partners of the last purchase: columns (B, M), weights (B, M), 0 where not on sale or bought before."""
        columns = partners[past[:, -1]]  # (B, M)
        fits = (columns >= 0) & (self.launch_week[columns] <= week[:, None])
        for t in range(past.shape[1]):
            fits &= columns != past[:, t, None]
        return columns, np.where(fits, self.popularity[columns], 0.0)

    def _pulled(self, past: np.ndarray, week: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The column that the previous purchase pulls (B,), or -1 where it pulls none."""
        chosen = np.full(len(past), -1, dtype=np.int64)
        uniform, threshold = rng.random(len(past)), 0.0
        for chance, partners in self.pulls:
            columns, weights = self.available_partners(partners, past, week)
            running = np.cumsum(weights, axis=1)
            pick = (running <= (rng.random(len(past)) * running[:, -1])[:, None]).sum(axis=1)
            draw = columns[np.arange(len(past)), np.minimum(pick, columns.shape[1] - 1)]
            here = (uniform >= threshold) & (uniform < threshold + chance) & (running[:, -1] > 0)
            chosen[here] = draw[here]
            threshold += chance
        return chosen

    def log_emission(self, past: np.ndarray, week: np.ndarray, item: np.ndarray) -> np.ndarray:
        """log P(item | type, past, week), (B, K). `past` (B, t) are columns, without padding."""
        launched = self.launch_week[None, :] <= week[:, None]  # (B, N)
        left = launched @ self.tastes.T - self.tastes[:, past].sum(axis=2).T  # (B, K) weight of the items left
        taste = self.tastes[:, item].T / np.maximum(left, 1e-300)
        if past.shape[1] == 0:
            return np.log(taste)
        pulled, free = np.zeros((len(item), 1)), np.ones((len(item), 1))
        for chance, partners in self.pulls:
            columns, weights = self.available_partners(partners, past, week)
            total = weights.sum(axis=1, keepdims=True)
            share = np.where(total > 0, chance, 0.0)  # (B, 1)
            match = np.where(columns == item[:, None], weights, 0.0).sum(axis=1, keepdims=True)
            pulled += share * match / np.maximum(total, 1e-300)
            free -= share
        return np.log(pulled + free * taste)

    def log_filter(self, past: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """log P(type of the next purchase | past), (B, K): the forward algorithm, in log space.

        Args:
            past: (B, t) columns of what was bought, oldest first; weeks: (B, t) when.
        """
        log_transition = np.log(np.maximum(self.transition, 1e-300))
        state = np.broadcast_to(np.log(self.prior), (len(past), len(self.prior)))
        for t in range(past.shape[1]):
            state = state + self.log_emission(past[:, :t], weeks[:, t], past[:, t])
            state = _log_sum_exp(state[:, :, None] + log_transition[None], axis=1)
            state = state - _log_sum_exp(state, axis=1)[:, None]
        return state

    def next_item(self, past: np.ndarray, past_times: np.ndarray, next_time: np.ndarray) -> np.ndarray:
        """The exact distribution of the next purchase, given its date.

        Args:
            past: (B, t) item numbers (from 1), oldest first, without padding.
            past_times: (B, t); next_time: (B,); seconds since 1970.

        Returns:
            (B, N+1) probabilities; column = item number, column 0 (padding) is 0.
        """
        past = np.asarray(past, dtype=np.int64) - 1
        week = self.week(next_time)
        belief = np.exp(self.log_filter(past, self.week(past_times)))  # (B, K)
        allowed = self.launch_week[None, :] <= week[:, None]  # (B, N)
        np.put_along_axis(allowed, past, False, axis=1)
        left = allowed @ self.tastes.T  # (B, K)
        taste = np.where(allowed, (belief / np.maximum(left, 1e-300)) @ self.tastes, 0.0)
        if past.shape[1]:
            pulled, free = np.zeros_like(taste), np.ones((len(past), 1))
            for chance, partners in self.pulls:
                columns, weights = self.available_partners(partners, past, week)
                total = weights.sum(axis=1, keepdims=True)
                share = np.where(total > 0, chance, 0.0)
                rows = np.arange(len(past))[:, None]
                np.add.at(pulled, (rows, np.maximum(columns, 0)), share * weights / np.maximum(total, 1e-300))
                free -= share
            taste = pulled + free * taste
        return np.concatenate([np.zeros((len(past), 1)), taste], axis=1)


def make_process(facts: Facts, rng: np.random.Generator, settings: ShopperSettings | None = None) -> Process:
    """Draw tastes, popularity, launches and partners for the products with these `facts`."""
    s = settings or ShopperSettings()
    n = len(facts)
    log_taste = np.zeros((s.n_types, n))
    for fact, (count, bonus) in s.likes.items():
        size = len(facts.vocabulary[fact])
        liked = np.stack([rng.permutation(size) < min(count, size) for _ in range(s.n_types)])  # (K, values)
        log_taste += bonus * liked[:, facts.codes[fact]]
    popularity = (rng.permutation(n) + 5.0) ** -s.popularity_exponent
    popularity /= popularity.sum()
    tastes = popularity * np.exp(log_taste)
    tastes = (1 - s.whim) * tastes / tastes.sum(axis=1, keepdims=True) + s.whim * popularity
    late = rng.permutation(n) < round(s.late_share * n)
    launch = np.where(late, s.weeks - s.late_weeks + rng.integers(s.late_weeks, size=n), 0)
    transition = np.full((s.n_types, s.n_types), s.drift / max(s.n_types - 1, 1))
    np.fill_diagonal(transition, 1 - s.drift if s.n_types > 1 else 1.0)
    look = facts.codes["colour"] * len(facts.vocabulary["pattern"]) + facts.codes["pattern"]
    pulls = (
        (s.series_pull, partner_table(facts.codes["series"], facts.codes["category"])),
        (s.look_pull, partner_table(look, facts.codes["category"])),
    )
    prior = np.full(s.n_types, 1 / s.n_types)
    return Process(s, tastes, popularity, launch.astype(np.int64), pulls, prior, transition)


def partner_table(group: np.ndarray, category: np.ndarray) -> np.ndarray:
    """For each item, the items of its group in the complementary categories, (N, M), padded with -1."""
    shelf: dict[tuple[int, str], list[int]] = {}
    for i, (g, c) in enumerate(zip(group, category, strict=True)):
        shelf.setdefault((int(g), CATEGORIES[c]), []).append(i)
    rows = [
        [j for other in COMPLEMENTS[CATEGORIES[c]] for j in shelf.get((int(g), other), [])]
        for g, c in zip(group, category, strict=True)
    ]
    table = np.full((len(group), max(1, max(map(len, rows)))), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _step(types: np.ndarray, transition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the next type of each shopper, (B,)."""
    return (np.cumsum(transition, axis=1)[types] < rng.random((len(types), 1))).sum(axis=1)


def _log_sum_exp(x: np.ndarray, axis: int) -> np.ndarray:
    top = x.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))).squeeze(axis)
