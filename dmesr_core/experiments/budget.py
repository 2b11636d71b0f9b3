"""Whether variants had enough epochs and a weight decay that suits them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.experiments.contrasts import pair_results
from dmesr_core.experiments.records import RunRecord, table
from dmesr_core.experiments.study import Cell, Study
from dmesr_core.training.settings import TrainSettings

METRIC = "ndcg@10"
SHARED_WEIGHT_DECAY = TrainSettings().weight_decay  # of all variants with the steady backbones


def is_unfinished(record: RunRecord) -> bool:
    """Whether the best epoch was among the last tenth of those that were allowed."""
    return record.report["best_epoch"] + 1 > 0.9 * record.train["epochs"]


def unfinished_share(records: Sequence[RunRecord]) -> float:
    """The share of trainings whose best epoch came late, see `is_unfinished`."""
    return float(np.mean([is_unfinished(record) for record in records]))


@dataclass(frozen=True)
class LongerTraining:
    """What more epochs and more patience change on one data set; empty where it was not tried."""

    usual: dict[tuple[str, str], float]  # backbone, variant -> NDCG@10 with the usual epochs, same seeds
    longer: dict[tuple[str, str], float]  # the same with more epochs
    gains: dict[Cell, Paired]  # DMESR with more epochs minus the variant with more epochs, simultaneous intervals


def is_longer(record: RunRecord) -> bool:
    """Whether a training had another patience than the default, as those with more epochs have."""
    return record.train["patience"] != TrainSettings().patience


def longer_training(
    study: Study, care: Sequence[RunRecord], opponents: Sequence[str], n: int, seed: int
) -> LongerTraining:
    """The trainings with more epochs among the records of the grid `care`, and those of the study on the same data."""
    records, at = [r for r in care if is_longer(r)], study.home
    found = table(records)
    seeds = {record.seed for record in records}
    backbones = [b for b in study.backbones[at] if (*at, b, "dmesr") in found]
    cells = {(at, b, v): found[*at, b, v] for b in backbones for v in [*opponents, "dmesr"]}
    pairs = pair_results(cells, {variant: ("dmesr", variant) for variant in opponents})
    same_seeds = [r for r in study.records_of(at) if r.seed in seeds]
    return LongerTraining(
        {(b, v): _mean(r for r in same_seeds if _is_of(r, b, v)) for _, b, v in cells},
        {(b, v): result.mean()[METRIC] for (_, b, v), result in cells.items()},
        simultaneous(pairs, METRIC, n, seed) if pairs else {},
    )


def weight_decays(care: Sequence[RunRecord]) -> dict[tuple[str, str], dict[float, float]]:
    """Backbone and variant -> weight decay -> best validation score, of the trainings with the usual epochs."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for record in care:
        if not is_longer(record):
            key = record.get("backbone"), record.get("variant")
            found.setdefault(key, {})[record.train["weight_decay"]] = max(record.report["valid"])
    return found


def _mean(records: Iterable[RunRecord]) -> float:
    return float(np.mean([record.metrics["full"][METRIC] for record in records]))


def _is_of(record: RunRecord, backbone: str, variant: str) -> bool:
    return (record.get("backbone"), record.get("variant")) == (backbone, variant)
