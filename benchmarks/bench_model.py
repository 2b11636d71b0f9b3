"""What DMESR costs over a recommender without features, and how near training comes to the speed of the machine.

    make bench-model
    python -m benchmarks.bench_model --parts step softmax --threads 2 --turns 5

All that is compared runs in one process in alternating turns; ratios are taken within a turn. Writes
benchmarks/model.json after every part, keeps the rows of other parts, devices and precisions there, and prints a table
of results and targets.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import model_parts
from benchmarks.bench_peers import machine
from benchmarks.model_parts import Options
from dmesr_core.files import write_atomically
from dmesr_core.provenance import commit, versions

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("step", "table", "evaluation", "million", "softmax", "extract")
STEP_LIMITS = {1_200: 1.3, 12_000: 1.6}  # items -> DMESR's step over ID-only's, at most
QUICK = {"turns": 2, "steps": 2, "profile": "smoke", "large": (300, 200, 8.9)}  # replaces the defaults of Options


def measure(part: str, options: Options, quick: bool) -> list[dict]:
    """All rows of one part."""
    threads = max(options.threads)
    splits = []
    if part in ("step", "table", "evaluation"):
        splits = [model_parts.small_split(options), model_parts.large_split(options)]
    rows: list[dict] = []
    if part == "step":
        for split in splits:
            for setting in model_parts.SETTINGS:
                for n in options.threads:
                    rows += model_parts.step_time(split, setting, n, options)
        rows += model_parts.step_time(splits[0], "book", threads, options, items_per_step=None)
    elif part == "table":
        rows = [row for split in splits for row in model_parts.table_time(split, threads, options)]
    elif part == "evaluation":
        rows = [row for split in splits for row in model_parts.evaluation_time(split, threads, options)]
        rows += model_parts.ranking_floor(splits[1], threads, options)
    elif part == "softmax":
        rows = [r for n in options.threads for r in model_parts.softmax_time(options, n, 300 if quick else 2048)]
    elif part == "million":
        items, users, k = (5_000, 50, 10) if quick else (1_000_000, 10_000, 100)
        rows = [_program("-m", "benchmarks.bench_model", "--big", str(items), str(users), str(k), str(threads),
                         "--device", options.device)]  # fmt: skip
    else:
        sizes = ("--pictures", "8", "--repeats", "1") if quick else ("--repeats", str(options.turns))
        found = _program("benchmarks/bench_extract.py", "--threads", str(threads), *sizes)
        low, high = found["ratio_range"]
        ratio = {"median": found["ratio"], "low": low, "high": high, "turns": int(sizes[-1])}
        rows = [found | {"part": "extract", "ratio": ratio}]
    return rows


def _program(*arguments: str) -> dict:
    """The last line of a program's output, which is JSON. It runs in its own process, so its memory is its own."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def summary(rows: Sequence[dict]) -> list[list[str]]:
    """A line per row: what, where, median, range and target."""
    out = [["what", "where", "median", "lowest", "highest", "target"]]
    for row in rows:
        what, target, ratio, where, form = SAY[row["part"]](row)
        numbers = [form.format(ratio[k]) if k in ratio else "" for k in ("median", "low", "high")]
        out.append([what, where, *numbers, target])
    return out


def _where(row: dict, *more: str) -> str:
    threads = f"{row['threads']} thread" + "s" * (row["threads"] > 1)
    return ", ".join([f"{row['items']:,} items", *more, threads])


def _training(row: dict) -> str:
    return _where(row, f"{row['layers']} layer" + "s" * (row["layers"] > 1), f"batch {row['batch']}")


def _say_step(row: dict) -> tuple:
    every = row["changes"].get("items_per_step", 0) is None
    limit = STEP_LIMITS.get(row["items"])
    what = "training step of DMESR / of ID only" + (", all items encoded at each step" if every else "")
    return what, f"at most {limit}" if limit and not every else "", row["ratio"], _training(row), "{:.2f}"


def _say_million(row: dict) -> tuple:
    what = f"best {row['k']} for {row['users']:,} users: peak memory, GB"
    return what, "below 4", {"median": row["peak_mb"] / 1024}, _where(row), "{:.2f}"


SAY: dict[str, Callable[[dict], tuple]] = {
    "step": _say_step,
    "roofline": lambda r: (
        "ID-only training: share of the square matrix product", "above 0.5" if r["items"] >= 12_000 else "", r["ratio"],
        _training(r), "{:.2f}",
    ),
    "table": lambda r: ("vectors of all items, seconds", "", r["seconds"], _where(r), "{:.3f}"),
    "evaluation": lambda r: (
        "ranked users per second, DMESR / ID only", "within 0.05 of 1", r["ratio"], _where(r), "{:.3f}",
    ),
    "ranking": lambda r: (
        "full ranking: share of its time that the scores take", "", r["ratio"], _where(r), "{:.2f}",
    ),
    "million": _say_million,
    "softmax": lambda r: (
        "full softmax, one plain line / ours: time", "", r["ratio"], _where(r, f"{r['positions']:,} positions"),
        "{:.2f}",
    ),
    "extract": lambda r: (
        "extraction / a bare loop of generate: pictures per second", "at least 0.9", r["ratio"],
        f"{r['pictures']} pictures, batch {r['batch_size']}, {r['threads']} threads", "{:.2f}",
    ),
}  # fmt: skip


def text(rows: Sequence[dict]) -> str:
    """The summary for a terminal, and below it the numbers that are no ratios."""
    table = summary(rows)
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = []
    for row in table:
        cells = (c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(cells).rstrip())
    for row in rows:
        if row["part"] == "million":
            lines.append(f"{row['users_per_second']:,.0f} users per second, {row['share_of_square_product']:.0%} of "
                         "what a square matrix product reaches, products with item vectors alone counted")  # fmt: skip
        if row["part"] == "softmax" and None not in row["extra_mb"].values():
            mb = row["extra_mb"]
            lines.append(f"{_where(row)}: our softmax: {mb['ours']:,.0f} MB, plain line {mb['plain']:,.0f} MB, "
                         f"the three products alone take {row['floor_share']['median']:.0%} of our time")  # fmt: skip
    return "\n".join(lines)


def read(path: Path) -> list[dict]:
    """The rows of a file; none if there is no file. Older files name the machine once for all rows."""
    content = json.loads(path.read_text()) if path.exists() else {"rows": []}
    shared = {"machine": content["machine"]} if "machine" in content else {}
    return [shared | row for row in content["rows"]]


def key_of(row: dict) -> tuple:
    """Rows with the same key replace each other in the file."""
    return row["measured"], row["device"], row["precision"]


def write(rows: Sequence[dict], path: Path) -> None:
    content = {"benchmark": "model", "targets": {"step": STEP_LIMITS}, "rows": list(rows)}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--turns", type=int, default=5, help="alternating repeats")
    parser.add_argument("--steps", type=int, default=12, help="training steps of each model in a turn")
    parser.add_argument("--threads", type=int, default=2, help="at most; steps and losses are also measured with one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="no", choices=("no", "bf16"), help="of training")
    parser.add_argument("--quick", action="store_true",
                        help="tiny sizes: numbers that mean nothing, written only where --out says")  # fmt: skip
    parser.add_argument("--out", type=Path, help="the file of all rows (benchmarks/model.json)")
    parser.add_argument("--report", action="store_true", help="measure nothing; show what the file holds")
    parser.add_argument("--big", nargs=4, type=int, metavar=("ITEMS", "USERS", "K", "THREADS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.big:
        print(json.dumps(model_parts.big_ranking(*chosen.big, chosen.device)))
        return
    if chosen.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"  # even on a machine with a GPU
    threads = tuple(sorted({1, chosen.threads}))
    options = Options(chosen.turns, chosen.steps, threads, chosen.device, chosen.precision)
    options = replace(options, **QUICK) if chosen.quick else options
    out = chosen.out or ROOT / "benchmarks" / "model.json"
    keep = chosen.out or not chosen.quick
    rows = read(out) if keep or chosen.report else []
    for part in () if chosen.report else chosen.parts:
        print(f"measuring: {part}", flush=True)
        made = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "commit": commit(),
            "machine": machine(), "versions": versions(), "device": options.device, "precision": options.precision,
        }  # fmt: skip
        if options.device != "cpu":
            made["device_name"] = torch.cuda.get_device_name()
        found = [made | row | {"measured": part} for row in measure(part, options, chosen.quick)]
        replaced = {key_of(row) for row in found}
        rows = [row for row in rows if key_of(row) not in replaced] + found
        if keep:
            write(rows, out)
    rows.sort(key=lambda row: PARTS.index(row["measured"]))
    print(text(rows) if rows else f"{out} holds nothing yet")


if __name__ == "__main__":
    main()
