"""What pictures and texts cost: rows of `make bench-model` as figure and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dmesr_core.book.narration.speed.rows import Row, Spread, select
from dmesr_core.book.narration.speed.text import MISSING, threads, with_range


@dataclass(frozen=True)
class ModelBenchmark:
    """What `make bench-model` measured on the processor, in full precision."""

    parts: list[Row]
    step_limits: dict[int, float]  # items -> highest aimed-at time of a DMESR step over an ID-only step

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> ModelBenchmark:
        """From the content of `benchmarks/model.json`; empty without it."""
        if content is None:
            return cls([], {})
        limits = {int(items): limit for items, limit in content["targets"]["step"].items()}
        return cls(select(content["rows"], device="cpu", precision="no"), limits)

    def first(self, part: str) -> Row | None:
        """The first row of a part; None where it was not measured."""
        return next(iter(select(self.parts, part=part)), None)

    @property
    def usual_steps(self) -> list[Row]:
        """Training steps with the default settings of DMESR."""
        return [row for row in select(self.parts, part="step") if not row["changes"]]


def softmax_texts(model: ModelBenchmark) -> dict[str, str]:
    """The full softmax against one plain line: time, share of the three products, memory; by name in the prose."""
    softmax = max(select(model.parts, part="softmax"), key=lambda row: row["threads"], default=None)
    memory = (softmax or {}).get("extra_mb") or {}
    megabytes = {key: f"{mb:,.0f}" for key, mb in memory.items() if mb is not None}
    return {
        "softmax_ratio": with_range(softmax and softmax["ratio"]),
        "softmax_floor": f"{softmax['floor_share']['median']:.0%}" if softmax else MISSING,
        "softmax_mb": megabytes.get("ours", "(not measured)"),
        "plain_mb": megabytes.get("plain", "(not measured)"),
    }


def setting_of(row: Row) -> str:
    """Size of the catalogue and of the model, as a label of two lines."""
    return f"{row['items']:,} items, {row['layers']} layer(s),\nbatch {row['batch']}"


def step_bands(model: ModelBenchmark) -> dict[str, dict[str, tuple[float, float, float]]]:
    """The figure: setting -> threads -> (median, lowest, highest) of DMESR's step over ID-only's."""
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in model.usual_steps:
        ratio = row["ratio"]
        found.setdefault(setting_of(row), {})[threads(row)] = (ratio["median"], ratio["low"], ratio["high"])
    return found


def step_aims(model: ModelBenchmark) -> dict[str, float]:
    """The limits of the figure: setting -> ratio."""
    steps = [row for row in model.usual_steps if row["items"] in model.step_limits]
    return {setting_of(row): model.step_limits[row["items"]] for row in steps}


def ranking_texts(model: ModelBenchmark, evaluators: Spread | None) -> dict[str, str]:
    """What a full ranking spends its time on, and how fast our evaluator could be at most; by name in the prose.

    Args:
        evaluators: our evaluator against that of the best framework.
    """
    ranking = model.first("ranking")
    shares = {"scores": ranking and ranking["ratio"], "product": ranking and ranking["product"]}
    texts = {
        "scores_share": with_range(shares["scores"], ".0%"),
        "ranking_product_share": with_range(shares["product"], ".0%"),
    }
    for name, share in shares.items():
        bound = evaluators["median"] / share["median"] if evaluators and share else None
        texts[f"evaluators_by_{name}"] = f"{bound:.1f}" if bound else MISSING
    return texts


def cost_texts(model: ModelBenchmark) -> dict[str, str]:
    """Steps with all items encoded, ranking, the item table and extraction; by name in the prose."""
    every = next((row for row in select(model.parts, part="step") if row["changes"]), None)
    extraction = model.first("extract")
    evaluation = [
        f"{with_range(row['ratio'], '.2f')} at {row['items']:,} items" for row in select(model.parts, part="evaluation")
    ]
    tables = [
        f"{1000 * row['seconds']['median']:.1f} ms for {row['items']:,} items"
        for row in select(model.parts, part="table")
    ]
    return {
        "every_ratio": with_range(every and every["ratio"]),
        "evaluation_ratio": "; ".join(evaluation) or MISSING,
        "table_seconds": "; ".join(tables) or MISSING,
        "extraction_ratio": with_range(extraction and extraction["ratio"], ".2f"),
    }


def million_texts(model: ModelBenchmark) -> dict[str, str]:
    """Ranking among very many items: what, memory and speed; by name in the prose."""
    million = model.first("million")
    if million is None:
        return {"million_what": million_what(None), "million_gb": MISSING, "million_speed": MISSING}
    return {
        "million_what": million_what(million),
        "million_gb": f"{million['peak_mb'] / 1024:.1f}",
        "million_speed": f"{million['users_per_second']:,.0f}",
    }


def million_what(row: Row | None) -> str:
    """What was ranked: "best 100 of 1,000,000 items for 10,000 users"."""
    return "best of very many items" if row is None else "best {k} of {items:,} items for {users:,} users".format(**row)
