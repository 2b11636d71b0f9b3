"""One word chooses the size of everything: `smoke` (tests), `cpu` (a laptop), `gpu` (the full tables)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dmesr_core.errors import SettingsError


@dataclass(frozen=True)
class Profile:
    """Sizes that a chapter needs. All counts, no units."""

    name: str
    n_items: int  # items of the Bazaar
    n_shoppers: int  # shoppers of the Bazaar
    seeds: int  # training seeds behind each headline number
    ablation_seeds: int  # training seeds behind each row of an ablation
    max_epochs: int  # upper limit of training epochs; early stopping usually ends sooner
    bootstrap: int  # bootstrap resamples behind each interval
    tiny_mllm_steps: int  # training steps that appendix A takes (0: it shows the shipped checkpoint only)
    umap_items: int  # items drawn in a UMAP picture


PROFILES = {
    p.name: p
    for p in (
        Profile("smoke", 120, 200, 2, 1, 2, 200, 3, 60),
        Profile("cpu", 1_200, 3_000, 5, 3, 25, 2_000, 0, 600),
        Profile("gpu", 20_000, 200_000, 5, 5, 30, 2_000, 0, 2_000),
    )
}


def get(name: str | None = None) -> Profile:
    """The profile called `name`; without a name, the environment variable `DMESR_PROFILE`, else `cpu`.

    Raises:
        SettingsError: for a name that is not in the table.
    """
    name = name or os.environ.get("DMESR_PROFILE") or "cpu"
    if not isinstance(name, str) or name not in PROFILES:
        raise SettingsError(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]
