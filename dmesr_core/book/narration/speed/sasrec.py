"""How good SASRec by ID gets on the Amazon sequences: variants of the model, seeds and metrics (stored trainings)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from dmesr_core.book.narration.speed.text import unique, with_mean
from dmesr_core.experiments.records import RunRecord

VARIANTS = {
    "id_only": "ID only", "id_unit": "ID only, unit", "id_once": "ID only, nothing twice",
    "id_wide": "ID only, nothing twice, wide",
}  # fmt: skip
PROTOCOLS = {"not masked": "unmasked", "masked": "full"}  # in words -> name in the records


def by_cell(records: Iterable[RunRecord]) -> dict[tuple[str, str], list[RunRecord]]:
    """The trainings of each (data set, variant), data sets in order of appearance, variants in that of `VARIANTS`."""
    records = list(records)
    cells = {}
    for data in dict.fromkeys(record.data for record in records):
        for variant in VARIANTS:
            own = [record for record in records if (record.data, record.get("variant")) == (data, variant)]
            cells.update({(data, variant): own} if own else {})
    return cells


def variant_lines(records: Iterable[RunRecord]) -> list[dict[str, str | int]]:
    """Table of the variants: seeds, epochs, minutes and metrics (mean and range over the seeds)."""
    lines: list[dict[str, str | int]] = []
    for (data, variant), own in by_cell(records).items():
        found = {
            f"{metric.upper()}, {masked}": with_mean([record.metrics[protocol][metric] for record in own])
            for metric in ("hr@10", "ndcg@10")
            for masked, protocol in PROTOCOLS.items()
        }
        minutes = statistics.mean(record.report["seconds"] for record in own) / 60
        epochs = unique(record.train["epochs"] for record in own)
        lines.append({
            "data": data, "model": VARIANTS[variant], "seeds": len(own), "epochs": epochs,
            "minutes per seed": f"{minutes:.1f}", **found,
        })  # fmt: skip
    return lines


def gain_story(records: Iterable[RunRecord], variant: str, over: str = "id_only") -> str:
    """Relative change of mean NDCG@10 over another variant, by data set: "on beauty +11.4% not masked, ..."."""
    cells = by_cell(records)
    notes = []
    for data in dict.fromkeys(data for data, _ in cells):
        changes = {}
        for masked, protocol in PROTOCOLS.items():
            before, after = (mean_ndcg(cells.get((data, name), []), protocol) for name in (over, variant))
            if before and after:
                changes[masked] = after / before - 1
        if changes:
            notes.append(f"on {data} " + ", ".join(f"{c:+.1%} {masked}" for masked, c in changes.items()))
    return "; ".join(notes) or "not measured yet"


def mean_ndcg(records: Sequence[RunRecord], protocol: str) -> float | None:
    """Mean NDCG@10 over seeds; None without any."""
    return statistics.mean(record.metrics[protocol]["ndcg@10"] for record in records) if records else None


def setting_share(records: Iterable[RunRecord], variant: str, name: str) -> str:
    """A setting of a variant in percent; `name` as in `RunRecord.get`: "backbone.dropout"."""
    own = [record for record in records if record.get("variant") == variant]
    return unique(f"{record.get(name):.0%}" for record in own) or "(not trained yet)"


def best_on_validation(records: Iterable[RunRecord], data: str) -> tuple[str, list[RunRecord]] | None:
    """The variant with the best mean validation score on a data set, and its trainings; None without any."""
    variants: dict[str, list[RunRecord]] = {}
    for record in records:
        if record.data == data:
            variants.setdefault(record.get("variant"), []).append(record)
    if not variants:
        return None
    best = max(variants, key=lambda name: statistics.mean(max(r.report["valid"]) for r in variants[name]))
    return best, variants[best]
