"""Losses compared on one data set: scores, time, and which of them did not learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result, stack
from dmesr_core.experiments.records import RunRecord, complete

LABELS = {"ce": "full softmax", "sampled": "sampled softmax", "gbce": "gBCE", "bce": "BCE"}
FULL = LABELS["ce"]  # what the others are compared with


@dataclass(frozen=True)
class LossComparison:
    """The losses on one data set, by label; a loss with another number of negatives is another one."""

    records: dict[str, list[RunRecord]]  # one per seed
    results: dict[str, Result]
    gains: dict[str, Paired]  # over the full softmax, for all others; intervals hold at once

    @property
    def not_learned(self) -> list[str]:
        """Losses of which every training was best after its first epoch: its scores have become alike for all items."""
        return [label for label, some in self.records.items() if all(r.report["best_epoch"] == 0 for r in some)]

    def mean_of(self, label: str) -> dict[str, float]:
        """Seconds, epochs and the best epoch (from 1) of a training, means over the seeds."""
        reports = [record.report for record in self.records[label]]
        return {
            "seconds": float(np.mean([report["seconds"] for report in reports])),
            "epochs": float(np.mean([len(report["valid"]) for report in reports])),
            "best epoch": float(np.mean([report["best_epoch"] + 1 for report in reports])),
        }


def compare_losses(records: Iterable[RunRecord], n: int = 2000, seed: int = 0) -> LossComparison:
    """Compare the losses of the trainings of one data set, as far as all losses have the same seeds."""
    records = complete([r for r in records if r.report], by=("train.loss", "train.negatives"))
    by_label: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=_order):
        by_label.setdefault(_label(record), []).append(record)
    results = {label: stack([r.result() for r in some], label) for label, some in by_label.items()}
    pairs = {label: (result, results[FULL]) for label, result in results.items() if label != FULL}
    return LossComparison(by_label, results, simultaneous(pairs, "ndcg@10", n, seed))


def _order(record: RunRecord) -> tuple[int, int, int]:
    return list(LABELS).index(record.train["loss"]), -record.train["negatives"], record.seed


def _label(record: RunRecord) -> str:
    loss = record.train["loss"]
    return FULL if loss == "ce" else f"{LABELS[loss]} ({record.train['negatives']})"
