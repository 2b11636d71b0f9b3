"""Records of a study whose ranks are chosen by the test: nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.ranking import DEFAULTS, Ranks
from dmesr_core.experiments.records import RunRecord, pack_kinds, pack_ranks
from dmesr_core.experiments.study import CONTENDERS, DataSplit
from dmesr_core.provenance import code_hash

N_CASES = 40
HOME: DataSplit = ("bazaar", "leave-one-out")
BY_TIME: DataSplit = ("bazaar", "global-time")


def make_record(
    variant: str,
    at: DataSplit = HOME,
    backbone: str = "sasrec",
    seed: int = 0,
    above: Any = 3,
    sampled_above: Any = None,
    **changes: Any,
) -> RunRecord:
    """A record of 40 cases with `above` items above each target, a number or (40,); popularity is untrained."""
    full = _ranks(above)
    ranks = {"full": full, "sampled": full if sampled_above is None else _ranks(sampled_above)}
    masks = {"head": np.arange(N_CASES) < 20, "cold": np.arange(N_CASES) >= 30, "long": np.ones(N_CASES, bool)}
    trained = variant != "popularity"
    values: dict[str, Any] = dict(
        grid="g", data=at[0], split=at[1], share=1.0, backbone={"name": backbone}, seed=seed, key="", code=code_hash(),
        variant={"name": variant}, train={"epochs": 20, "patience": 6, "weight_decay": 2.0},
        fingerprint="", sizes={"items": 50, "train_events": 300, "test_cases": N_CASES}, cases=N_CASES,
        protocols={protocol: f"{protocol} of {at[0]}, {at[1]}" for protocol in ranks},
        metrics={protocol: _means(r) for protocol, r in ranks.items()},
        ranks={protocol: pack_ranks(r) for protocol, r in ranks.items()}, units=None, kinds=pack_kinds(masks),
        report={"best_epoch": 9, "seconds": 36.0, "valid": [0.1, 0.2]} if trained else {},
        parameters=1, peak_memory_mb=None, threads=1, device="cpu", versions={}, commit=None,
    )  # fmt: skip
    return RunRecord(**(values | changes))


def make_study_records(
    above: Mapping[str, Any],
    places: Sequence[DataSplit] = (HOME,),
    backbones: Sequence[str] = ("sasrec",),
    seeds: int = 1,
    sampled: Mapping[str, Any] | None = None,
) -> list[RunRecord]:
    """Every contender everywhere; `above` says how many items are above the targets of some of them, others have 3."""
    return [
        make_record(v, at, b, seed, above.get(v, 3), (sampled or {}).get(v))
        for at in places
        for b in backbones
        for v in ("popularity", *CONTENDERS)
        for seed in range(seeds)
        if v != "popularity" or (seed == 0 and b == backbones[0])
    ]


def spread(low: int, high: int, seed: int = 0) -> np.ndarray:
    """(40,) random numbers of items above the target, from `low` to `high` - 1."""
    return np.random.default_rng(seed).integers(low, high, N_CASES)


def _ranks(above: Any) -> Ranks:
    return Ranks(np.broadcast_to(np.asarray(above, dtype=np.int64), N_CASES).copy(), np.ones(N_CASES, np.int64))


def _means(ranks: Ranks) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in metrics(ranks, DEFAULTS.ks).items()}
