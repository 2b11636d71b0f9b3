"""The table of aims: what was to be reached, what was measured, and whether that is enough."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dmesr_core.book.narration.speed import frameworks, quality, sasrec
from dmesr_core.book.narration.speed.cost import ModelBenchmark, million_what
from dmesr_core.book.narration.speed.frameworks import AIMS, FRAMEWORKS, PeerBenchmark
from dmesr_core.book.narration.speed.rows import Spread, select, spread_of
from dmesr_core.book.narration.speed.text import threads, with_range
from dmesr_core.experiments.records import RunRecord

Line = dict[str, str]
VERDICTS = ("yes", "in the median", "no", "not measured")
MANY_ITEMS = 12_000  # with fewer items the product with the item table is a small part of the work: no aim


def aim_line(what: str, spread: Spread | None, limit: float, more: bool = True, fmt: str = ".1f") -> Line:
    """A line of the table.

    Args:
        spread: what was measured; None: nothing.
        limit: what was to be reached: at least if `more`, else at most.
        fmt: how the numbers read.
    """
    wanted = format(limit, ".0%" if "%" in fmt else "g")
    measured = "-" if spread is None else with_range(spread, fmt)
    return {
        "aim": what, "wanted": f"{'at least' if more else 'at most'} {wanted}", "measured": measured,
        "reached": reached(spread, limit, more),
    }  # fmt: skip


def reached(spread: Spread | None, limit: float, more: bool = True) -> str:
    """"yes" if the worst turn reaches the limit, "in the median" if only the median does, "no" or "not measured"."""
    if spread is None:
        return "not measured"
    sign = 1 if more else -1
    worst = spread["low"] if more else spread["high"]
    in_median, always = (sign * value >= sign * limit for value in (spread["median"], worst))
    return "yes" if in_median and always else "in the median" if in_median else "no"


def all_aims(peers: PeerBenchmark, model: ModelBenchmark, records: Sequence[RunRecord]) -> list[Line]:
    """The whole table.

    Args:
        records: trainings of the grids quality_beauty and quality_toys.
    """
    return [
        *speed_aims(peers), *step_aims(model), *product_aim(peers, model), *quality_aims(peers),
        *sasrec_aims(records, peers.main_data), *cost_aims(model),
    ]  # fmt: skip


def speed_aims(peers: PeerBenchmark) -> list[Line]:
    """Training and ranking against the best framework, the epoch against the plain recipe."""
    best = f"against the best framework, {peers.main_data}"
    names = {
        frameworks.TRAINING: f"training targets per second, {best}",
        frameworks.EPOCH: f"time per epoch, the plain recipe's over ours, {peers.main_data}",
        frameworks.RANKED_BY_OURS: f"full ranking, ours by our code, {best}",
        frameworks.RANKED_ALIKE: f"full ranking, both by the same code, {best}",
        frameworks.EVALUATORS: f"own evaluators, {best}",
    }
    opponents = {measure: ("plain",) if measure == frameworks.EPOCH else FRAMEWORKS for measure in names}
    return [aim_line(name, peers.best_ratio(m, opponents[m]), AIMS[m]) for m, name in names.items()]


def step_aims(model: ModelBenchmark) -> list[Line]:
    """A training step of DMESR over one of ID only, with the number of threads that suits DMESR least."""
    lines, limits = [], model.step_limits
    steps = [row for row in model.usual_steps if row["items"] in limits]
    for items, setting in dict.fromkeys((row["items"], row["setting"]) for row in steps):
        worst = max(select(steps, items=items, setting=setting), key=lambda row: row["ratio"]["median"])
        what = f"training step, DMESR / ID only, {items:,} items, size of the {setting}, {threads(worst)}"
        lines.append(aim_line(what, worst["ratio"], limits[items], more=False, fmt=".2f"))
    return lines


def product_aim(peers: PeerBenchmark, model: ModelBenchmark) -> list[Line]:
    """The largest share of the square matrix product among runs with many items."""
    shares = frameworks.product_shares(peers, model.parts)
    large = {what: spread for what, (spread, items) in shares.items() if items >= MANY_ITEMS}
    if not large:
        return []
    what = max(large, key=lambda what: large[what]["median"])
    name = f"share of the square matrix product, the best of {len(large)}: {what}"
    return [aim_line(name, large[what], 0.5, fmt=".0%")]


def quality_aims(peers: PeerBenchmark) -> list[Line]:
    """NDCG@10 against the best framework, after equal time and in the end."""
    equal = peers.best_ratio(quality.NDCG, FRAMEWORKS, phase="wall")
    lines = [aim_line(f"NDCG@10 after equal time, against the best framework, {peers.main_data}", equal, 2)]
    for data, model in quality.converged(peers):
        worst = peers.best_ratio(quality.NDCG, FRAMEWORKS, phase="converge", data=data, model=model)
        if worst is None:
            continue
        last = select(peers.rows, phase="converge", data=data, model=model, peer=worst["peer"])[-1]
        cut = ", which was still training when time was up" if quality.was_cut_off(last) else ""
        what = f"NDCG@10 in the end, {quality.KINDS[model]} on {data}, against the best framework{cut}"
        lines.append(aim_line(what, worst, 0.95, fmt=".2f"))
    return lines


def sasrec_aims(records: Sequence[RunRecord], data: str) -> list[Line]:
    """Metrics and minutes of the variant that is best on validation, as one would choose without test cases."""
    best = sasrec.best_on_validation(records, data)
    if best is None:
        return []
    variant, own = best
    lines = []
    for what, wanted, fmt, more, numbers in (
        ("HR@10, not masked", 0.085, ".4f", True, [record.metrics["unmasked"]["hr@10"] for record in own]),
        ("NDCG@10, not masked", 0.045, ".4f", True, [record.metrics["unmasked"]["ndcg@10"] for record in own]),
        ("minutes of training", 20, ".1f", False, [record.report["seconds"] / 60 for record in own]),
    ):
        name = f"{what}, {sasrec.VARIANTS[variant]}, {data}, mean of {len(own)} seeds"
        lines.append(aim_line(name, spread_of(numbers, statistics.mean(numbers)), wanted, more, fmt))
    return lines


def cost_aims(model: ModelBenchmark) -> list[Line]:
    """Ranking with DMESR, extraction, and memory with very many items."""
    lines = []
    for row in select(model.parts, part="evaluation"):
        what = f"users ranked per second, DMESR / ID only, {row['items']:,} items"
        lines.append(aim_line(what, row["ratio"], 0.95, fmt=".2f"))
    extraction, million = model.first("extract"), model.first("million")
    ratio = extraction and extraction["ratio"]
    lines.append(aim_line("pictures per second, extraction / a bare loop", ratio, 0.9, fmt=".2f"))
    memory = million and spread_of([million["peak_mb"] / 1024])
    lines.append(aim_line(f"peak memory, {million_what(million)}, GB", memory, 4.0, more=False))
    return lines


def aims_story(lines: Sequence[Mapping[str, Any]]) -> str:
    """How many lines have which verdict: "yes: 12; in the median: 4; no: 4"."""
    counts = {verdict: sum(line["reached"] == verdict for line in lines) for verdict in VERDICTS}
    return "; ".join(f"{verdict}: {n}" for verdict, n in counts.items() if n)


def aims_missed(lines: Sequence[Mapping[str, Any]]) -> str:
    """Kinds of aims of which at least one was not reached; "none" without any."""
    return "; ".join(dict.fromkeys(line["aim"].split(",")[0] for line in lines if line["reached"] == "no")) or "none"
