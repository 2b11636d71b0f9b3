"""Quality against other frameworks: after the same training time, and when training has converged."""

from __future__ import annotations

from dmesr_core.book.narration.speed.frameworks import FRAMEWORKS, NAMES, OURS, PeerBenchmark
from dmesr_core.book.narration.speed.rows import Row, learning_rate, median_of, select
from dmesr_core.book.narration.speed.text import one_of, runs_each, unique, with_range

NDCG = "NDCG@10, seen items not masked"  # name of the measure in `benchmarks/peers.json`
PHASES = {"wall": "equal time", "converge": "convergence"}
KINDS = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "bert4rec": "BERT4Rec"}


def schedule(row: Row) -> str:
    """The learning rate of a run and how it changes."""
    epochs = row.get("train_settings", {}).get("epochs")
    if row["peer"] == OURS and row["phase"] == "wall":
        return f"{learning_rate(row):g}, rises, then falls until the time is up"
    if row["peer"] == OURS and epochs:
        return f"{learning_rate(row):g}, rises, then falls over {epochs} epochs"
    return f"{learning_rate(row):g}, stays"


def qualities(peers: PeerBenchmark) -> list[dict[str, str | int]]:
    """Table of HR@10 and NDCG@10 by phase, data set, model and contender: medians over the runs."""
    lines = []
    for phase in PHASES:
        for data in peers.datasets:
            for model in KINDS:
                for peer in NAMES:
                    own = select(peers.rows, peer=peer, data=data, model=model, phase=phase)
                    lines += [_quality_line(own)] if own else []
    return lines


def _quality_line(own: list[Row]) -> dict[str, str | int]:
    """The runs of one contender with one model on one data set."""
    first = own[0]
    quality = {
        f"{metric}, {masked}": f"{median_of(own, f'{place}.{metric.lower()}'):.4f}"
        for metric in ("HR@10", "NDCG@10")
        for masked, place in (("not masked", "quality"), ("masked", "quality_masked"))
    }
    return {
        "until": PHASES[first["phase"]], "data": first["data"], "model": KINDS[first["model"]],
        "contender": NAMES[first["peer"]], "runs": len(own),
        "learning rate": "; ".join(dict.fromkeys(map(schedule, own))),
        "minutes": f"{minutes_of(own):.1f}", "epochs": f"{median_of(own, 'train_epochs'):.1f}",
    } | quality  # fmt: skip


def minutes_of(rows: list[Row]) -> float:
    """Median of the minutes of training."""
    seconds = median_of(rows, "train_seconds")
    assert seconds is not None, "every run has its training time"
    return seconds / 60


def equal_time_story(peers: PeerBenchmark) -> str:
    """Our NDCG@10 after the same time against the best framework: SASRec on the main data set."""
    best = peers.best_ratio(NDCG, FRAMEWORKS, phase="wall")
    timed = select(peers.rows, phase="wall", data=peers.main_data, model="sasrec")
    if not (timed and best):
        return "No quality after equal time was measured for this page yet."
    mine, others = ([r for r in timed if (r["peer"] == OURS) == own] for own in (True, False))
    return (
        f"After {minutes_of(timed):.1f} minutes of training SASRec on {peers.main_data} ({runs_each(best['turns'])}), "
        f"our NDCG@10 is {with_range(best)} times that of the best framework. Ours trains with learning rate "
        f"{_rates(mine)}: it knows when time will be up, and its schedule falls to a tenth by then. The others keep "
        f"{_rates(others)}, and are cut off in the middle. So such a ratio mixes speed with settings. It says who is "
        "further after that time, not who would get furthest."
    )


def _rates(rows: list[Row]) -> str:
    return unique(f"{learning_rate(row):g}" for row in rows)


def converged(peers: PeerBenchmark) -> list[tuple[str, str]]:
    """The (data set, model) pairs that were trained until convergence."""
    return list(dict.fromkeys((row["data"], row["model"]) for row in select(peers.rows, phase="converge")))


def converge_rule(peers: PeerBenchmark) -> str:
    """When training until convergence stops."""
    late = select(peers.rows, phase="converge")
    if not late:
        return "until it no longer gets better"
    patience = one_of(sorted({row["patience"] for row in late}))
    minutes = one_of(f"{seconds / 60:.0f}" for seconds in sorted({row["seconds"] for row in late}))
    return f"until {patience} epochs in a row have not made it better, or for {minutes} minutes at most"


def converge_story(peers: PeerBenchmark) -> str:
    """Our NDCG@10 at convergence against each contender, who is still missing, and who had not stopped in time."""
    said: list[str] = []
    for data, model in converged(peers):
        said += _converge_sentences(peers, data, model)
    return " ".join(said) or "Nobody was trained that long for this page yet."


def _converge_sentences(peers: PeerBenchmark, data: str, model: str) -> list[str]:
    """The sentences about one model on one data set."""
    own = select(peers.rows, phase="converge", data=data, model=model)
    ratios = select(peers.ratios, phase="converge", data=data, model=model, measure=NDCG)
    said = []
    if ratios:
        epochs = select(own, peer=OURS)[0]["train_settings"].get("epochs")
        compared = " and ".join(f"{with_range(r)} times that of {NAMES[r['peer']]}" for r in ratios)
        runs = runs_each(min(r["turns"] for r in ratios))
        said.append(f"{KINDS[model]} on {data}: at the end our NDCG@10 is {compared} ({runs}).")
        if epochs:
            said.append(f"Ours has a schedule of {epochs} epochs; the others keep their learning rate, without end.")
    else:
        who = " and ".join(NAMES[peer] for peer in NAMES if select(own, peer=peer))
        said.append(f"{KINDS[model]} on {data}: so far only {who} went on, so there is nothing to compare.")
    if cut := [NAMES[row["peer"]] for row in own if was_cut_off(row)]:
        said.append(f"When the time was up, {' and '.join(dict.fromkeys(cut))} had not stopped.")
    return said


def was_cut_off(row: Row) -> bool:
    """Whether a run was still training when its time was up."""
    return row["train_seconds"] >= row["seconds"]
