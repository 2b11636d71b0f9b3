"""The libraries a reader would pick instead, and this one, on the same data, model size, threads and ranking.

    make bench-peers BENCH="--data beauty toys --repeats 5 --wall 180"
    python -m benchmarks.bench_peers --help

Each framework has an environment of its own below _build/peers, made when first needed. A run is a process; the
frameworks take turns, so that what else happens on the machine meets all of them. What is done is kept: an interrupted
benchmark goes on where it stopped. Writes benchmarks/peers.json after every run, and prints tables at the end. What the
file holds of other data, models and phases than those that are asked for stays in it.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers import report
from benchmarks.peers.common import RunSettings

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "_build" / "peers"
SEQUENCES = {"beauty": "Beauty.txt", "toys": "Toys_and_Games.txt"}
MODELS = {
    "ours": ("sasrec", "gru4rec", "bert4rec"),
    "plain": ("sasrec",),
    "recbole": ("sasrec", "gru4rec", "bert4rec"),
    "rectools": ("sasrec", "bert4rec"),
    "replay": ("sasrec", "bert4rec"),
}
OF_OURS = ("backbones", "evaluate", "interactions", "losses", "ranking", "sequences", "train")  # what `ours` runs


def requirements(peer: str) -> Path:
    return ROOT / "benchmarks" / "peers" / f"requirements-{peer}.txt"


def python_of(peer: str) -> Path:
    """The interpreter that runs a framework; ours and the plain recipe need nothing of their own."""
    return PLACE / peer / "bin" / "python" if requirements(peer).exists() else Path(sys.executable)


def install(peer: str, torch_index: str = "") -> None:
    """Make the environment of a framework, unless it is there as its requirements file wants it."""
    wanted = requirements(peer)
    if not wanted.exists():
        return
    torch = next(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch=="))
    stamp, content = PLACE / peer / ".installed", f"{torch}\n{wanted.read_text()}"
    if stamp.exists() and stamp.read_text() == content:
        return
    print(f"installing {peer} and {torch} in {PLACE / peer}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", PLACE / peer], check=True)
    index = ["--extra-index-url", torch_index] if torch_index else []
    pip = [python_of(peer), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--quiet", *index, torch]
    subprocess.run(pip, check=True)  # torch first and alone, so that no peer brings another one
    subprocess.run([*pip, "--requirement", wanted], check=True)
    stamp.write_text(content)


def find_data(name: str) -> tuple[str, Path]:
    """A data set and the file of its sequences; the Bazaar where the file is not at hand."""
    folder = os.environ.get("DMESR_DATA")
    if name in SEQUENCES:
        path = Path(folder or "", "sequences", SEQUENCES[name]).resolve()
        if folder and path.exists():
            return name, path
        print(f"{name}: no {path if folder else 'folder DMESR_DATA'}; using the Bazaar in its place", flush=True)
    return "bazaar", write_bazaar()


def write_bazaar() -> Path:
    """The Bazaar's sequences in the format of the other data sets; items that nobody took are left out."""
    import numpy as np

    from dmesr_core import sources

    path = PLACE / "data" / "bazaar.txt"
    histories = [h for h in sources.load("bazaar", "cpu", 0).interactions.histories() if len(h) >= 3]
    numbers = {item: number for number, item in enumerate(np.unique(np.concatenate(histories)), start=1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (" ".join(map(str, [user, *(numbers[i] for i in h)])) for user, h in enumerate(histories, start=1))
    path.write_text("\n".join(lines) + "\n")
    return path


def code_digest(peers: tuple[str, ...]) -> str:
    """Changes with the code that runs these frameworks: rows of other code are not taken up again."""
    files = [ROOT / "benchmarks" / "peers" / f"{name}.py" for name in ("common", "instruments", *peers)]
    if "ours" in peers:
        files += [ROOT / "dmesr_core" / f"{name}.py" for name in OF_OURS]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files if f.exists())).hexdigest()[:12]


def plan(options: argparse.Namespace) -> list[dict]:
    """All runs in the order in which they happen: first speed, turn by turn, then quality."""
    data = list(dict(find_data(name) for name in options.data).items())
    phases = [("speed", turn, options.seconds) for turn in range(options.repeats)]
    phases += [("wall", turn, options.wall) for turn in range(options.wall_repeats) if options.wall > 0]
    phases += [("converge", 0, options.converge)] if options.converge > 0 else []
    every, mine = code_digest(tuple(options.peers)), json.loads(options.ours)
    runs = []
    for phase, turn, seconds in phases:
        first = turn % len(options.peers)  # each turn begins with another framework
        for name, path in data:
            for model in options.models:
                for peer in options.peers[first:] + options.peers[:first]:
                    if model not in MODELS[peer]:
                        continue
                    settings = RunSettings(
                        str(path), model, phase, seconds, seed=turn, threads=options.threads,
                        own_users=options.own_users if phase == "speed" else 0, score_users=options.score_users,
                        patience=options.patience, ours=json.dumps(mine.get(model, {})),
                    )  # fmt: skip
                    # Speeds are compared within a turn, so all of them belong to one state of the code.
                    code = every if phase == "speed" else code_digest((peer,))
                    runs.append({"peer": peer, "data": name, "turn": turn, "code": code, "settings": settings})
    return runs


def row_file(run: dict) -> Path:
    content = json.dumps([run["peer"], run["data"], run["turn"], run["code"], vars(run["settings"])])
    return PLACE / "rows" / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"


def execute(run: dict, threads: int) -> dict | None:
    """One run in a process of its own; its row, or None where it failed (and said why in its log)."""
    settings, target = run["settings"], row_file(run)
    folder, log = PLACE / "scratch" / run["peer"], PLACE / "logs" / f"{target.stem}.log"
    for place in (folder, log.parent, target.parent):
        place.mkdir(parents=True, exist_ok=True)
    out = folder / "row.json"
    out.unlink(missing_ok=True)
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": "",
        # Waiting threads sleep: on a shared machine spinning ones take the core away from those that work.
        "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "PYTHONPATH": str(ROOT),
        "BENCH_SPAWNED": str(time.time()),
    }  # fmt: skip
    program = [python_of(run["peer"]), "-m", f"benchmarks.peers.{run['peer']}"]
    with log.open("w") as stream:
        done = subprocess.run([*program, json.dumps({**vars(settings), "out": str(out)})],
                              cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT)  # fmt: skip
    if done.returncode or not out.exists():
        print(f"  failed, see {log}:\n" + "\n".join(log.read_text().splitlines()[-3:]), flush=True)
        return None
    keys = {k: run[k] for k in ("peer", "data", "turn", "code")} | {"commit": commit()}
    row = keys | {"load_average": list(os.getloadavg())} | json.loads(out.read_text())
    target.write_text(json.dumps(row))
    return row


def machine() -> dict:
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.M) if cpuinfo.exists() else []
    return {"cpu": names[0] if names else platform.processor(), "cores": os.cpu_count(), "system": platform.system()}


def commit() -> str:
    """The commit of the repository, "-dirty" where the benchmark or the package differ from it."""
    head, changed = (
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "dmesr_core", "benchmarks/peers"])
    )
    return head + ("-dirty" if changed else "")


def untouched(path: Path, runs: list[dict]) -> list[dict]:
    """Rows in the file that are of other data, models and phases than `runs`."""
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    asked = {(run["data"], run["settings"].model, run["settings"].phase) for run in runs}
    return [row for row in before if (row["data"], row["model"], row["phase"]) not in asked]


def write(rows: list[dict], path: Path, threads: int) -> None:
    """Rows and ratios, replaced as a whole: an interruption leaves the file of the run before."""
    content = {
        "benchmark": "peers", "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(), "machine": machine(), "threads": threads, "ratios": report.ratios(rows), "rows": rows,
    }  # fmt: skip
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["beauty"], choices=[*SEQUENCES, "bazaar"])
    parser.add_argument("--models", nargs="+", default=["sasrec"], choices=MODELS["ours"])
    parser.add_argument("--peers", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--repeats", type=int, default=5, help="turns of the speed runs")
    parser.add_argument("--seconds", type=float, default=20, help="training time of a speed run")
    parser.add_argument("--wall", type=float, default=0, help="training time of a quality run (0: none)")
    parser.add_argument("--wall-repeats", type=int, default=1, help="quality runs of each, with other seeds")
    parser.add_argument("--converge", type=float, default=0, help="longest training until convergence (0: none)")
    parser.add_argument("--patience", type=int, default=5,
                        help="epochs without a better validation before a run to convergence stops")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--own-users", type=int, default=5000, help="users for the frameworks' own evaluators")
    parser.add_argument("--score-users", type=int, default=0, help="users of the full ranking (0: all)")
    parser.add_argument("--ours", default="{}", help="JSON: model -> our training settings for the quality runs")
    parser.add_argument("--torch-index", default="", help="where pip finds torch, if not where it usually looks")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "peers.json")
    parser.add_argument("--fresh", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--report", action="store_true", help="measure nothing; show what there is for these options")
    parser.add_argument("--install", action="store_true", help="make the environments, and nothing else")
    options = parser.parse_args()
    if not options.report:
        for peer in options.peers:
            install(peer, options.torch_index)
    if options.install:
        return
    runs, rows = plan(options), []
    kept = untouched(options.out, runs)
    for number, run in enumerate(runs, start=1):
        s = run["settings"]
        known = row_file(run)
        if known.exists() and not options.fresh:
            rows.append(json.loads(known.read_text()))
            continue
        if options.report:
            continue
        print(f"{number}/{len(runs)}  {s.phase} {run['data']} {s.model} {run['peer']} turn {run['turn']}", flush=True)
        row = execute(run, options.threads)
        if row is not None:
            rows.append(row)
            write(kept + rows, options.out, options.threads)
    print(report.text(rows) if rows else "nothing was measured with these options and the code as it is now")
    if rows:
        write(kept + rows, options.out, options.threads)


if __name__ == "__main__":
    main()
