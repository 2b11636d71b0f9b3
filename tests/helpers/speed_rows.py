"""Small rows of the benchmarks and small records of trainings, for the tests of appendix E."""

from __future__ import annotations

from typing import Any

from dmesr_core.book.narration.speed.frameworks import PeerBenchmark
from dmesr_core.experiments.records import RunRecord


def spread(median: float, low: float, high: float, turns: int = 5) -> dict[str, float]:
    return {"median": median, "low": low, "high": high, "turns": turns}


def peer_row(peer: str, **changes: Any) -> dict[str, Any]:
    """A run of one framework: SASRec on beauty, for speed."""
    return {
        "peer": peer, "data": "beauty", "model": "sasrec", "phase": "speed", "turn": 0, "package": peer,
        "versions": {peer: "1.0", "torch": "2.13"}, "loss": "softmax", "parameters": 1000, "learning_rate": 0.001,
        "machine": {"cpu": "Chip", "cores": 4}, "threads": 2, "date": "2026-11-21", "items": 500,
        "train_seconds": 60.0, "train_epochs": 3.0, "seconds": 300.0, "patience": 5,
        "quality": {"hr@10": 0.2, "ndcg@10": 0.1}, "quality_masked": {"hr@10": 0.4, "ndcg@10": 0.3},
    } | changes  # fmt: skip


def ratio(measure: str, peer: str, median: float, **changes: Any) -> dict[str, Any]:
    """Ours against one framework: SASRec on beauty, for speed; the range is a tenth of the median to each side."""
    about = {"data": "beauty", "model": "sasrec", "phase": "speed", "measure": measure, "peer": peer}
    return about | spread(median, 0.9 * median, 1.1 * median) | changes


def benchmark(rows: list[dict[str, Any]] | None = None, ratios: list[dict[str, Any]] | None = None) -> PeerBenchmark:
    """A benchmark against other frameworks; without rows there is one speed run of ours, which sets the main data."""
    return PeerBenchmark([peer_row("ours")] if rows is None else rows, ratios or [])


def record(variant: str, ndcg: float, seed: int = 0, data: str = "beauty", **changes: Any) -> RunRecord:
    """A training of the grid on quality: HR@10 is twice, masked metrics are three times NDCG@10 not masked."""
    fields: dict[str, Any] = {
        "grid": f"quality_{data}", "data": data, "split": "leave-one-out", "share": 1.0,
        "backbone": {"name": "sasrec", "dropout": 0.4}, "variant": {"name": variant, "kind": "id_only", "changes": {}},
        "train": {"epochs": 60, "item_dropout": 0.2}, "ema_decay": 0.0, "seed": seed,
        "key": "k", "code": "c", "fingerprint": "f",
        "sizes": {}, "protocols": {}, "cases": 10, "ranks": {}, "units": None, "kinds": "", "parameters": 10,
        "metrics": {
            "unmasked": {"ndcg@10": ndcg, "hr@10": 2 * ndcg}, "full": {"ndcg@10": 3 * ndcg, "hr@10": 6 * ndcg},
        },
        "report": {"seconds": 600.0, "valid": [0.01, ndcg]}, "peak_memory_mb": None, "threads": 1, "device": "cpu",
        "versions": {}, "commit": None,
    }  # fmt: skip
    return RunRecord(**fields | changes)
