"""Rows of benchmarks/peers.json as ratios within turns and as tables for a terminal."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dmesr_core.book.narration.speed.rows import median_of, product_share, spread_of, value

OURS = "ours"
# Fields that two rows must have in common to be compared. Times of training until convergence may differ.
IN_COMMON = {
    "speed": ("users", "items", "ranked_users", "machine", "threads", "seconds", "code"),
    "wall": ("users", "items", "machine", "threads", "seconds"),
    "converge": ("users", "items"),
}


@dataclass(frozen=True)
class Measure:
    """A number of every run, compared as the ratio of ours and a peer's (above 1: ours is better)."""

    name: str
    key: str  # its field in the row of a peer
    ours: str = ""  # its field in our row, if another
    more: bool = True  # whether more is better


SPEED = (
    Measure("training targets per second", "targets_per_second"),
    Measure("time per epoch", "seconds_per_epoch", more=False),
    Measure("full ranking, our code against theirs in the shared ranking", "rank_users_per_second",
            "own_ranking_users_per_second"),
    Measure("full ranking, both in the shared ranking", "rank_users_per_second"),
    Measure("own evaluators", "own_users_per_second"),
    Measure("peak memory of training", "peak_mb_trained", more=False),
    Measure("import and set-up", "setup_seconds", more=False),
)  # fmt: skip
QUALITY = (
    Measure("NDCG@10, seen items not masked", "quality.ndcg@10"),
    Measure("HR@10, seen items not masked", "quality.hr@10"),
    Measure("NDCG@10, seen items masked", "quality_masked.ndcg@10"),
    Measure("HR@10, seen items masked", "quality_masked.hr@10"),
)
TIMES = (
    ("set-up s", "setup_seconds", ".1f"), ("targets/s", "targets_per_second", ",.0f"),
    ("rows/s", "rows_per_second", ",.0f"), ("s/epoch", "seconds_per_epoch", ".1f"),
    ("scored/s", "score_users_per_second", ",.0f"), ("ranked/s", "rank_users_per_second", ",.0f"),
    ("own ranked/s", "own_ranking_users_per_second", ",.0f"), ("own eval/s", "own_users_per_second", ",.0f"),
    ("peak MB", "peak_mb_trained", ",.0f"), ("GFLOP/s", "gflops_before", ".0f"), ("after", "gflops_after", ".0f"),
)  # fmt: skip
FOUND = (
    ("trained s", "train_seconds", ".0f"), ("epochs", "train_epochs", ".1f"), ("HR@10", "quality.hr@10", ".4f"),
    ("NDCG@10", "quality.ndcg@10", ".4f"), ("HR@10 masked", "quality_masked.hr@10", ".4f"),
    ("NDCG@10 masked", "quality_masked.ndcg@10", ".4f"),
)  # fmt: skip


def state(row: dict) -> str:
    """The conditions of a row that must be the same on both sides of a ratio."""
    return json.dumps([row.get(key) for key in IN_COMMON[row["phase"]]], sort_keys=True)


def paired_ratios(rows: Iterable[dict], peer: str, measure: Measure) -> list[float]:
    """The ratio of ours and a peer's in each turn, whose runs are close in time; without pairs that divide by zero."""
    turns: dict[tuple[int, str], dict[str, float]] = {}
    for row in rows:
        key = (measure.ours or measure.key) if row["peer"] == OURS else measure.key
        number = value(row, key)
        if row["peer"] in (OURS, peer) and number is not None:
            turns.setdefault((row["turn"], state(row)), {})["ours" if row["peer"] == OURS else "theirs"] = number
    pairs = [(t["ours"], t["theirs"]) for _, t in sorted(turns.items()) if len(t) == 2]
    pairs = pairs if measure.more else [(theirs, ours) for ours, theirs in pairs]
    return [above / below for above, below in pairs if below]


def ratios(rows: Sequence[dict]) -> list[dict]:
    """Median and range of the paired ratios, for each data set, model, phase, peer and measure."""
    out = []
    for data, model, phase, group in grouped(rows):
        for measure in SPEED if phase == "speed" else QUALITY:
            for peer in _peers(group):
                found = paired_ratios(group, peer, measure)
                if peer != OURS and found:
                    out.append({
                        "data": data, "model": model, "phase": phase, "measure": measure.name, "peer": peer,
                        **spread_of(found),
                    })  # fmt: skip
    return out


def grouped(rows: Sequence[dict]) -> list[tuple[str, str, str, list[dict]]]:
    """Rows of one data set, model and phase together, in order of appearance."""
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["model"], row["phase"]), []).append(row)
    return [(*key, group) for key, group in groups.items()]


def text(rows: Sequence[dict]) -> str:
    """Measurements and ratios as tables for a terminal."""
    lines: list[str] = []
    compared = ratios(rows)
    for data, model, phase, group in grouped(rows):
        title = {"speed": "speed", "wall": "quality after equal training time", "converge": "quality at convergence"}
        lines += ["", f"{data}, {model}: {title[phase]} (medians of {1 + max(r['turn'] for r in group)} turns)"]
        columns = TIMES if phase == "speed" else FOUND
        table = [["", *(name for name, _, _ in columns)]]
        for peer in _peers(group):
            mine = [row for row in group if row["peer"] == peer]
            table.append([peer, *(_median(mine, key, form) for _, key, form in columns)])
        lines += _aligned(table)
        shares = [share for row in group if phase == "speed" and (share := product_share(row)) is not None]
        if shares:
            lines.append(f"ours reaches {statistics.median(shares):.0%} of the square matrix product of the same run "
                         f"({min(shares):.0%} to {max(shares):.0%}), counting the item product alone")  # fmt: skip
        table = [["ours against", "", "median", "lowest", "highest"]]
        for r in compared:
            if (r["data"], r["model"], r["phase"]) == (data, model, phase):
                table.append([r["peer"], r["measure"], *(f"{r[k]:.2f}" for k in ("median", "low", "high"))])
        if len(table) > 1:
            lines += ["", *_aligned(table, left=2)]
    return "\n".join(lines)


def _peers(rows: Sequence[dict]) -> list[str]:
    return list(dict.fromkeys(row["peer"] for row in sorted(rows, key=lambda row: row["peer"] != OURS)))


def _median(rows: Sequence[dict], key: str, form: str) -> str:
    median = median_of(rows, key)
    return "-" if median is None else format(median, form)


def _aligned(table: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows as lines with aligned columns: the first `left` columns to the left, the others to the right."""
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    return [
        "  ".join(c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in table
    ]
