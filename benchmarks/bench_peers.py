"""The libraries a reader would pick instead, and this one, on the same data, model size, threads and ranking.

    make bench-peers BENCH="--data beauty toys --repeats 5 --wall 180"
    python -m benchmarks.bench_peers --help

Each framework has an environment of its own below _build/peers, made when first needed. A run is a process; the
frameworks take turns, so that what else happens on the machine meets all of them. What is done is kept: an interrupted
benchmark goes on where it stopped. Writes benchmarks/peers.json after every run, and prints tables at the end. A row of
that file stays until it is measured again.
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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import kept, report
from benchmarks.peers.common import RunSettings
from dmesr_core.provenance import commit

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


def torch_pin() -> str:
    return next(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch=="))


def install(peer: str, torch_index: str = "") -> None:
    """Make the environment of a framework, unless it is there as its requirements file wants it."""
    wanted = requirements(peer)
    if not wanted.exists():
        return
    torch = torch_pin()
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

    from dmesr_core.data import datasets

    path = PLACE / "data" / "bazaar.txt"
    histories = [h for h in datasets.load("bazaar", "cpu", 0).interactions.histories() if len(h) >= 3]
    numbers = {item: number for number, item in enumerate(np.unique(np.concatenate(histories)), start=1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (" ".join(map(str, [user, *(numbers[i] for i in h)])) for user, h in enumerate(histories, start=1))
    path.write_text("\n".join(lines) + "\n")
    return path


def code_digest(peers: tuple[str, ...]) -> str:
    """Changes with the code that runs these frameworks and what is installed: rows of other code are not taken up."""
    files = [requirements(name) for name in sorted(peers)]
    files += [ROOT / "benchmarks" / "peers" / f"{name}.py" for name in ("common", "instruments", *sorted(peers))]
    if "ours" in peers:
        files += [ROOT / "dmesr_core" / f"{name}.py" for name in OF_OURS]
    content = torch_pin().encode() + b"".join(f.read_bytes() for f in files if f.exists())
    return hashlib.sha256(content).hexdigest()[:12]


def plan(options: argparse.Namespace) -> list[dict]:
    """All runs in the order in which they happen: first speed, turn by turn, then quality."""
    data = list(dict(find_data(name) for name in options.data).items())
    phases = [("speed", turn, options.seconds) for turn in range(options.repeats)]
    phases += [("wall", turn, options.wall) for turn in range(options.wall_repeats) if options.wall > 0]
    phases += [("converge", 0, options.converge)] if options.converge > 0 else []
    contents = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in data}
    every = code_digest(tuple(options.peers))
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
                    )  # fmt: skip
                    # What plays no part in a run must not make another run of it.
                    if phase == "converge":
                        settings = replace(settings, patience=options.patience)
                    if peer == "ours" and phase != "speed":
                        settings = replace(settings, ours=json.dumps(options.ours.get(model, {}), sort_keys=True))
                    # Speeds are compared within a turn, so all of them belong to one state of the code.
                    code = every if phase == "speed" else code_digest((peer,))
                    runs.append({"peer": peer, "data": name, "content": contents[name], "turn": turn, "code": code,
                                 "settings": settings})  # fmt: skip
    return runs


def row_file(run: dict) -> Path:
    """Where the row of a run is kept: under all that decides what it comes to, wherever the data lie."""
    settings = {key: value for key, value in vars(run["settings"]).items() if key not in ("path", "out")}
    content = json.dumps([run["peer"], run["data"], run["content"], run["turn"], run["code"], settings])
    return PLACE / "rows" / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"


def environment(threads: int) -> dict[str, str]:
    """The variables of a run's process."""
    return os.environ | {
        "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT),
        # Waiting threads sleep: on a shared machine spinning ones take the core away from those that work.
        "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0",
        # All on the processor, whatever else the machine has.
        "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true",
        "BENCH_SPAWNED": str(time.time()),
    }  # fmt: skip


def execute(run: dict, threads: int) -> dict | None:
    """One run in a process of its own; its row, or None where it failed (and said why in its log)."""
    settings, target = run["settings"], row_file(run)
    folder, log = PLACE / "scratch" / run["peer"], PLACE / "logs" / f"{target.stem}.log"
    for place in (folder, log.parent, target.parent):
        place.mkdir(parents=True, exist_ok=True)
    out = folder / "row.json"
    out.unlink(missing_ok=True)
    program = [python_of(run["peer"]), "-m", f"benchmarks.peers.{run['peer']}"]
    with log.open("w") as stream:
        done = subprocess.run([*program, json.dumps({**vars(settings), "out": str(out)})], cwd=folder,
                              env=environment(threads), stdout=stream, stderr=subprocess.STDOUT)  # fmt: skip
    if done.returncode or not out.exists():
        print(f"  failed, see {log}:\n" + "\n".join(log.read_text().splitlines()[-3:]), flush=True)
        return None
    row = {k: run[k] for k in ("peer", "data", "turn", "code")} | {
        "commit": commit(ROOT, ("dmesr_core", "benchmarks/peers")),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(), "load_average": list(os.getloadavg()),
    }  # fmt: skip
    row |= json.loads(out.read_text())
    target.write_text(json.dumps(row))
    return row


def machine() -> dict:
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.M) if cpuinfo.exists() else []
    return {"cpu": names[0] if names else platform.processor(), "cores": os.cpu_count(), "system": platform.system()}


def our_settings(text: str) -> dict[str, dict]:
    """The value of --ours."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        raise argparse.ArgumentTypeError(f'wanted {{"model": {{"setting": value}}}}, got {text}')
    if unknown := sorted(set(found) - set(MODELS["ours"])):
        raise argparse.ArgumentTypeError(f"unknown model {unknown[0]}: choose from {', '.join(MODELS['ours'])}")
    return found


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wanted a whole number above 0, got {text}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["beauty"], choices=[*SEQUENCES, "bazaar"])
    parser.add_argument("--models", nargs="+", default=["sasrec"], choices=MODELS["ours"])
    parser.add_argument("--peers", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--repeats", type=int, default=5, help="turns of the speed runs")
    parser.add_argument("--seconds", type=float, default=20, help="training time of a speed run")
    parser.add_argument("--wall", type=float, default=0, help="training time of a quality run (0: none)")
    parser.add_argument("--wall-repeats", type=int, default=1, help="quality runs of each, with other seeds")
    parser.add_argument("--converge", type=float, default=0, help="longest training until convergence (0: none)")
    parser.add_argument("--patience", type=positive, default=5,
                        help="epochs without a better validation before a run to convergence stops")  # fmt: skip
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--own-users", type=int, default=5000, help="users for the frameworks' own evaluators")
    parser.add_argument("--score-users", type=int, default=0, help="users of the full ranking (0: all)")
    parser.add_argument("--ours", type=our_settings, default={},
                        help="JSON: model -> our training settings for the quality runs")  # fmt: skip
    parser.add_argument("--torch-index", default="", help="where pip finds torch, if not where it usually looks")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "peers.json")
    parser.add_argument("--fresh", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--report", action="store_true", help="measure nothing and write nothing; show the file's rows")
    parser.add_argument("--install", action="store_true", help="make the environments, and nothing else")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 where a run failed."""
    options = parser().parse_args(arguments)
    before = kept.read(options.out)
    if options.report:
        print(report.text(before) if before else f"{options.out} holds nothing yet")
        return 0
    for peer in options.peers:
        install(peer, options.torch_index)
    if options.install:
        return 0
    runs, rows, failed = plan(options), [], []
    wanted = [(run["data"], run["settings"].model, run["settings"].phase) for run in runs]
    for number, (run, cell) in enumerate(zip(runs, wanted, strict=True), start=1):
        name = " ".join([*cell[::-1], run["peer"], "turn", str(run["turn"])])
        known = row_file(run)
        if known.exists() and not options.fresh:
            rows.append(json.loads(known.read_text()))
            continue
        print(f"{number}/{len(runs)}  {name}", flush=True)
        row = execute(run, options.threads)
        if row is None:
            failed.append(name)
            continue
        rows.append(row)
        kept.write(kept.merged(before, rows, wanted), options.out)
    stored = kept.merged(before, rows, wanted)
    if rows:
        kept.write(stored, options.out)
    print(report.text(rows) if rows else "nothing was measured")
    if any(row not in stored for row in rows):
        print("\nspeeds of another state of code or machine stay in the file until all the new ones are there")
    if failed:
        print("\nfailed:\n" + "\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
