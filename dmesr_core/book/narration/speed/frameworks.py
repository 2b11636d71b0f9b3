"""Speed against other frameworks: who takes part, ratios within turns, and how near training is to the machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dmesr_core.book.narration.speed.rows import (
    Row,
    Spread,
    learning_rate,
    median_of,
    product_share,
    select,
    spread_of,
)
from dmesr_core.book.narration.speed.text import unique, with_range

OURS, FRAMEWORKS = "ours", ("recbole", "rectools", "replay")
NAMES = {
    "ours": "this book", "plain": "the plain recipe", "recbole": "RecBole", "rectools": "RecTools", "replay": "RePlay",
}  # fmt: skip

# Names of measures in `benchmarks/peers.json`.
TRAINING, EPOCH, EVALUATORS = "training targets per second", "time per epoch", "own evaluators"
RANKED_BY_OURS = "full ranking, our code against theirs in the shared ranking"
RANKED_ALIKE = "full ranking, both in the shared ranking"

# Measures of the figure, and what they are called there.
BANDS = {
    TRAINING: "training targets\nper second",
    EPOCH: "time per epoch",
    RANKED_BY_OURS: "full ranking,\nours by our code",
    RANKED_ALIKE: "full ranking,\nboth by the same code",
    EVALUATORS: "own evaluators",
    "peak memory of training": "peak memory",
    "import and set-up": "set-up",
}
# Ratios to reach: against the best framework, and for the time of an epoch against the plain recipe.
AIMS = {TRAINING: 15.0, EPOCH: 1.5, EVALUATORS: 10.0, RANKED_BY_OURS: 3.0, RANKED_ALIKE: 3.0}

# Columns of the table of speeds, and the fields of a row that they show.
SPEEDS = {
    "targets/s": "targets_per_second", "s/epoch": "seconds_per_epoch",
    "ranked/s by the benchmark's code": "rank_users_per_second",
    "ranked/s by our code": "own_ranking_users_per_second",
    "own evaluator, users/s": "own_users_per_second", "peak MB": "peak_mb_trained",
    "set-up s": "setup_seconds",
}  # fmt: skip


@dataclass(frozen=True)
class PeerBenchmark:
    """What `make bench-peers` measured."""

    rows: list[Row]
    ratios: list[Row]  # ours against each contender, by data set, model, phase and measure

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> PeerBenchmark:
        """From the content of `benchmarks/peers.json`; empty without it."""
        return cls([], []) if content is None else cls(content["rows"], content["ratios"])

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(row["data"] for row in self.rows))

    @property
    def main_data(self) -> str:
        """The data set of the first speed run of SASRec, which the figure and the ratios are about; "" without one."""
        speeds = select(self.rows, model="sasrec", phase="speed")
        return speeds[0]["data"] if speeds else ""

    def best_ratio(
        self, measure: str, peers: Collection[str], phase: str = "speed", data: str = "", model: str = "sasrec"
    ) -> Row | None:
        """The smallest of our ratios over these contenders, which is the one against the best of them.

        Args:
            data: name of the data set; "": the main one.
        """
        known = select(self.ratios, data=data or self.main_data, model=model, phase=phase, measure=measure)
        return min((r for r in known if r["peer"] in peers), key=lambda r: r["median"], default=None)


def contenders(peers: PeerBenchmark) -> list[dict[str, str]]:
    """Table of the contenders: versions, loss, parameters, learning rates, data sets and models."""
    lines = []
    for peer, name in NAMES.items():
        own = select(peers.rows, peer=peer)
        if not own:
            continue
        about = own[0]
        size = median_of(select(own, data=peers.main_data, model="sasrec"), "parameters")
        speed = unique(f"{learning_rate(r):g}" for r in own if r["phase"] == "speed")
        quality = unique(f"{learning_rate(r):g}" for r in own if r["phase"] != "speed")
        lines.append({
            "contender": name, "version": about["versions"].get(about["package"], "-"),
            "torch": unique(row["versions"]["torch"] for row in own), "loss": about["loss"],
            f"parameters (SASRec, {peers.main_data})": "-" if size is None else f"{size:,.0f}",
            "learning rate: speed": speed or "-", "learning rate: quality": quality or "-",
            "data": unique(row["data"] for row in own), "models": unique(row["model"] for row in own),
        })  # fmt: skip
    return lines


def bands(peers: PeerBenchmark) -> dict[str, dict[str, tuple[float, float, float]]]:
    """The figure: what -> contender -> (median, lowest, highest). Time per epoch is compared with the plain recipe."""
    out: dict[str, dict[str, tuple[float, float, float]]] = {}
    for r in select(peers.ratios, data=peers.main_data, model="sasrec", phase="speed"):
        if r["measure"] in BANDS and not (r["measure"] == EPOCH and r["peer"] != "plain"):
            out.setdefault(BANDS[r["measure"]], {})[NAMES[r["peer"]]] = (r["median"], r["low"], r["high"])
    return out


def band_aims() -> dict[str, float]:
    """The ratios to reach, by band of the figure."""
    return {BANDS[measure]: aim for measure, aim in AIMS.items()}


def ratio_texts(peers: PeerBenchmark) -> dict[str, str]:
    """Our ratios against the best framework, and for the epoch against the plain recipe, by name in the prose."""
    measures = {
        "training_ratio": TRAINING, "evaluators_ratio": EVALUATORS, "ranking_ratio": RANKED_BY_OURS,
        "same_ranking_ratio": RANKED_ALIKE,
    }  # fmt: skip
    texts = {name: with_range(peers.best_ratio(measure, FRAMEWORKS)) for name, measure in measures.items()}
    epoch = peers.best_ratio(EPOCH, ("plain",))
    return texts | {"epoch_ratio": with_range(epoch), "epoch_note": epoch_note(epoch)}


def epoch_note(ratio: Spread | None) -> str:
    """How the two losses differ; "although" where ours is faster in spite of it."""
    compared = "ours compares with all items and it with one"
    return f", although {compared}" if ratio and ratio["median"] > 1 else f"; {compared}"


def speeds(peers: PeerBenchmark) -> list[dict[str, str]]:
    """Table of medians over the turns: SASRec by data set and contender."""
    lines = []
    for data in peers.datasets:
        for peer, name in NAMES.items():
            own = select(peers.rows, peer=peer, data=data, model="sasrec", phase="speed")
            if own:
                values = {column: median_of(own, key) for column, key in SPEEDS.items()}
                shown = {c: "-" if v is None else format(v, ",.1f" if v < 100 else ",.0f") for c, v in values.items()}
                lines.append({"data": data, "contender": name} | shown)
    return lines


def product_shares(peers: PeerBenchmark, parts: list[Row]) -> dict[str, tuple[Spread, int]]:
    """How much of a square matrix product training reaches: what -> (share, number of items).

    Args:
        parts: rows of `make bench-model`, whose part "roofline" has the shares of single training steps.
    """
    shares: dict[str, tuple[Spread, int]] = {}
    for data in peers.datasets:
        own = select(peers.rows, peer=OURS, data=data, model="sasrec", phase="speed")
        known = [share for row in own if (share := product_share(row)) is not None]
        if known:
            shares[f"training by fit, {data}"] = spread_of(known), own[0]["items"]
    for row in select(parts, part="roofline"):
        where = f"{row['items']:,} items, {row['layers']} layer(s), batch {row['batch']}, {row['threads']} thread(s)"
        shares[f"training steps, {where}"] = row["ratio"], row["items"]
    return shares


def share_lines(shares: Mapping[str, tuple[Spread, int]]) -> list[dict[str, str]]:
    """Table of `product_shares`."""
    return [{"what": what, "share": with_range(spread, ".0%")} for what, (spread, _) in shares.items()]
