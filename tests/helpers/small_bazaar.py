"""A Bazaar of a few items, small enough to enumerate its process."""

from __future__ import annotations

import numpy as np

from dmesr_core.data.bazaar.facts import sample_facts
from dmesr_core.data.bazaar.shoppers import Process, ShopperSettings, make_process

LIKES = {"category": (3, 2.0), "colour": (3, 1.0)}


def tiny_process(seed: int, n_items: int = 14, **changes) -> Process:
    settings = ShopperSettings(n_types=3, likes=LIKES, drift=0.2, late_share=0.3, weeks=10, **changes)
    rng = np.random.default_rng(seed)
    process = make_process(sample_facts(n_items, rng), rng, settings)
    # A tiny world has few natural partners: give each item three of some kind.
    partners = np.stack([rng.permutation(n_items)[:3] for _ in range(n_items)])
    return Process(**{**process.__dict__, "pulls": ((0.3, partners), (0.2, np.roll(partners, 1, axis=0)))})
