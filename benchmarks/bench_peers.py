"""This package against RecBole, RecTools, RePlay and a plain recipe: the same data, model size, threads and ranking.

    make bench-peers BENCH="--data beauty toys --repeats 5 --wall 180"
    python -m benchmarks.bench_peers --help

Each framework has its own environment below _build/peers, made when first needed. Each run is a process. The
frameworks take turns, so that other load on the machine affects all of them. Finished runs are stored: an interrupted
benchmark continues where it stopped. Writes benchmarks/peers.json after every run, and prints tables at the end. A row
of that file stays until it is measured again.
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
from dmesr_core.provenance import code_hash, commit

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


def requirements(peer: str) -> Path:
    return ROOT / "benchmarks" / "peers" / f"requirements-{peer}.txt"


def python_of(peer: str) -> Path:
    """The interpreter that runs a framework; ours and the plain recipe use the current one."""
    return PLACE / peer / "bin" / "python" if requirements(peer).exists() else Path(sys.executable)


def torch_pin() -> str:
    return next(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch=="))


def install(peer: str, torch_index: str = "") -> None:
    """Make the environment of a framework, unless it exists and agrees with its requirements file."""
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
    subprocess.run(pip, check=True)  # torch first, so that no framework installs another version
    subprocess.run([*pip, "--requirement", wanted], check=True)
    stamp.write_text(content)


def find_data(name: str) -> tuple[str, Path]:
    """A data set and the file of its sequences; the Bazaar if the file is missing."""
    folder = os.environ.get("DMESR_DATA")
    if name in SEQUENCES:
        path = Path(folder or "", "sequences", SEQUENCES[name]).resolve()
        if folder and path.exists():
            return name, path
        print(f"{name}: no {path if folder else 'folder DMESR_DATA'}; using the Bazaar in its place", flush=True)
    return "bazaar", write_bazaar()


def write_bazaar() -> Path:
    """The Bazaar's sequences in the format of the other data sets, without items that do not occur."""
    import numpy as np

    from dmesr_core.data.datasets import load_dataset

    path = PLACE / "data" / "bazaar.txt"
    histories = [h for h in load_dataset("bazaar", profile="cpu").interactions.histories() if len(h) >= 3]
    numbers = {item: number for number, item in enumerate(np.unique(np.concatenate(histories)), start=1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (" ".join(map(str, [user, *(numbers[i] for i in h)])) for user, h in enumerate(histories, start=1))
    path.write_text("\n".join(lines) + "\n")
    return path


def code_digest(peers: tuple[str, ...]) -> str:
    """Hash of the code that runs these frameworks and of what is installed for them; stored rows of other code are not
    used again."""
    files = [path for name in sorted(peers) if (path := requirements(name)).exists()]
    files += [ROOT / "benchmarks" / "peers" / f"{name}.py" for name in ("common", "instruments", *sorted(peers))]
    ours = code_hash() if "ours" in peers else ""
    content = f"{torch_pin()}{ours}".encode() + b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:12]


def plan(options: argparse.Namespace) -> list[dict]:
    """All runs in their order: first speed, turn by turn, then quality."""
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
                    # Options that do not affect a run must not change its identity.
                    if phase == "converge":
                        settings = replace(settings, patience=options.patience)
                    if peer == "ours" and phase != "speed":
                        settings = replace(settings, ours=json.dumps(options.ours.get(model, {}), sort_keys=True))
                    # Speeds are compared within a turn, so all frameworks must be measured with one state of the code.
                    code = every if phase == "speed" else code_digest((peer,))
                    runs.append({"peer": peer, "data": name, "content": contents[name], "turn": turn, "code": code,
                                 "settings": settings})  # fmt: skip
    return runs


def row_file(run: dict) -> Path:
    """The file of a run's row, named by a hash of all that affects the run; the folder of the data does not."""
    settings = {key: value for key, value in vars(run["settings"]).items() if key not in ("path", "out")}
    content = json.dumps([run["peer"], run["data"], run["content"], run["turn"], run["code"], settings])
    return PLACE / "rows" / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"


def environment(threads: int) -> dict[str, str]:
    """The environment variables of a run's process."""
    return os.environ | {
        "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT),
        # Waiting threads sleep: on a shared machine spinning threads would slow down the working ones.
        "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0",
        # All on the processor, even if the machine has a GPU.
        "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true",
        "BENCH_SPAWNED": str(time.time()),
    }  # fmt: skip


def execute(run: dict, threads: int) -> dict | None:
    """Start a run as a process and return its row; None if it failed, with the reason in its log."""
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
    parser.add_argument("--torch-index", default="", help="pip index of torch, if not the usual one")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "peers.json")
    parser.add_argument("--fresh", action="store_true", help="repeat runs that are stored")
    parser.add_argument("--report", action="store_true", help="show the rows of the file; measure and write nothing")
    parser.add_argument("--install", action="store_true", help="only make the environments")
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
        print("\nspeeds of another state of code or machine stay in the file until all new ones are measured")
    if failed:
        print("\nfailed:\n" + "\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
