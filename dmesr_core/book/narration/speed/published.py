"""The strongest published results by ID on the Amazon sequences, and ours beside them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dmesr_core.book.narration.speed.sasrec import VARIANTS, by_cell
from dmesr_core.experiments.records import RunRecord

DATA = {"beauty": "Beauty", "toys": "Toys"}
METRICS = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}


@dataclass(frozen=True)
class Published:
    """Results that others print: all items ranked, items of the history masked, the last item of each user left out."""

    model: str
    scores: dict[str, tuple[float, float]]  # data -> HR@10, NDCG@10


# Tikhonovich et al. 2025, and their repository github.com/blondered/transformer_benchmark. On Beauty they leave out the
# 52 users whose target training never saw; whoever keeps them, as we do, can only lose by it.
ESASREC = (
    Published("SASRec with sampled softmax", {"beauty": (0.0921, 0.0531), "toys": (0.0970, 0.0580)}),
    Published("eSASRec (LiGR blocks)", {"beauty": (0.0928, 0.0523), "toys": (0.0939, 0.0538)}),
    Published("HSTU, trained anew by them", {"beauty": (0.0788, 0.0439), "toys": (0.0778, 0.0450)}),
)


def beside_published(records: Iterable[RunRecord]) -> list[dict[str, str]]:
    """A line per model: theirs, then the variants of ours (means over the seeds)."""
    lines = []
    for theirs in ESASREC:
        lines.append({"model": theirs.model, "of": "Tikhonovich et al.", **_columns(theirs.scores)})
    found = by_cell(records)
    for variant, label in VARIANTS.items():
        ours = {data: _means(found[data, variant]) for data in DATA if (data, variant) in found}
        if ours:
            lines.append({"model": label, "of": "this book", **_columns(ours)})
    return lines


def standing(records: Iterable[RunRecord], variant: str = "id_wide") -> str:
    """Whether a variant of ours is ahead of all that stand in `ESASREC`, by data set and metric."""
    found, said = by_cell(records), []
    for data, title in DATA.items():
        if (data, variant) in found:
            ours = _means(found[data, variant])
            best = [max(theirs.scores[data][m] for theirs in ESASREC) for m in range(len(METRICS))]
            parts = [f"{name} {own:.4f} against {other:.4f}" for name, own, other in
                     zip(METRICS.values(), ours, best, strict=True)]  # fmt: skip
            wins = sum(own > other for own, other in zip(ours, best, strict=True))
            words = {0: "behind the best of them", len(METRICS): "ahead of all of them"}
            word = words.get(wins, "ahead of all of them by one measure, and not by the other")
            said.append(f"on {title} {word} ({', '.join(parts)})")
    return "; ".join(said) or "not measured yet"


def _means(records: list[RunRecord]) -> tuple[float, ...]:
    return tuple(statistics.mean(record.metrics["full"][metric] for record in records) for metric in METRICS)


def _columns(scores: Mapping[str, tuple[float, ...]]) -> dict[str, str]:
    return {
        f"{name}, {title}": f"{scores[data][m]:.4f}" if data in scores else ""
        for data, title in DATA.items()
        for m, name in enumerate(METRICS.values())
    }
