"""Run once: gives the records in `dmesr_core/results/*.jsonl` the present names of settings. Then it is removed.

Each record's key is first computed the old way, from its settings under their old names and from hashes of the data, and
must equal the stored key; so the new key is known to be of the same data and settings. Needs DMESR_DATA.
"""

import hashlib
import json
from pathlib import Path

from dmesr_core.experiments import grids, load
from dmesr_core.experiments.variants import Variant, needs_of

OLD = {"max_grad_norm": "clip", "ema_decay": "averaging", "history_loss_weight": "not_again"}
LATER = {"averaging": 0.0, "not_again": 0.0, "item_dropout": 0.0, "head": False}  # left out of old keys at these values


def digest(parts: list) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def old_key(record: dict, hashes: list[str]) -> str:
    train = {OLD.get(k, k): v for k, v in record["train"].items()} | {"max_seconds": None}
    told = [{k: v for k, v in some.items() if LATER.get(k, v) != v or k not in LATER} for some in (record["backbone"], train)]
    changes = {("entry" if k == "injection" else k): v for k, v in record["variant"]["changes"].items()}
    popular = record["variant"]["kind"] == "popularity"
    settings = [] if popular else [*told, record["versions"]["torch"]]
    return digest([{"kind": record["variant"]["kind"], "changes": changes}, hashes, settings])


def new_key(record: dict, hashes: list[str]) -> str:
    popular = record["variant"]["kind"] == "popularity"
    settings = [] if popular else [record["backbone"], record["train"], record["ema_decay"], record["versions"]["torch"]]
    return digest([{k: record["variant"][k] for k in ("kind", "changes")}, hashes, settings])


for file in sorted(Path("dmesr_core/results").glob("*.jsonl")):
    materials = {(d.name, d.split, d.share): m for d, m in load.materials(grids.get(file.stem)).items()}
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        needs = needs_of(Variant(record["variant"]["kind"]))
        hashes = materials[record["data"], record["split"], record["share"]].hashes(needs)
        assert old_key(record, hashes) == record["key"], (file, record["variant"], record["train"])
        record["ema_decay"] = record["train"].pop("ema_decay", 0.0)
        record["train"].pop("max_seconds", None)
        report = record["report"]
        if report:
            decay = report["settings"].pop("ema_decay", 0.0)
            report["settings"].pop("max_seconds", None)
            report["callbacks"] = [f"EMA({decay!r})"] if decay else []
        record["key"] = new_key(record, hashes)
        lines.append(json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(file, len(lines))
