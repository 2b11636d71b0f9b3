"""Records of a few losses on one tiny split."""

from __future__ import annotations

from dataclasses import replace

from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.run import run
from dmesr_core.experiments.variants import VARIANTS


def loss_records(seeds: int = 1) -> list[RunRecord]:
    """Full softmax, sampled softmax with two numbers of negatives, and BCE, which is best after its first epoch."""
    material = make_material()
    trains = [("bce", 1), ("sampled", 2), ("sampled", 4), ("ce", 256)]
    found = []
    for loss, negatives in trains:
        for seed in reversed(range(seeds)):
            train = replace(TRAIN, loss=loss, negatives=negatives, seed=seed)
            record = run("id_only", VARIANTS["id_only"], material, BACKBONE, train, None)
            best = 0 if loss == "bce" else 1
            found.append(replace(record, report=record.report | {"best_epoch": best, "seconds": 2.0}))
    return found
