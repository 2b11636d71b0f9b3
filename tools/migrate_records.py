"""Run once: gives the records in `dmesr_core/results/*.jsonl` the present names of settings. Then it is removed."""

import json
from pathlib import Path

VARIANTS = {"entry_concat": "injection_concat", "entry_two_towers": "injection_two_towers"}
TRAIN = {"clip": "max_grad_norm", "averaging": "ema_decay", "not_again": "history_loss_weight"}
LATER = {"ema_decay": 0.0, "history_loss_weight": 0.0, "item_dropout": 0.0}  # settings that came later, as they were

for file in sorted(Path("dmesr_core/results").glob("*.jsonl")):
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        variant, report = record["variant"], record["report"]
        variant["name"] = VARIANTS.get(variant["name"], variant["name"])
        variant["changes"] = {("injection" if k == "entry" else k): v for k, v in variant["changes"].items()}
        record["train"] = LATER | {TRAIN.get(k, k): v for k, v in record["train"].items()}
        record["backbone"] = {"head": False} | record["backbone"]
        if "side_loss" in report:
            report["auxiliary_loss"] = report.pop("side_loss")
        if "settings" in report:
            report["settings"] = LATER | {TRAIN.get(k, k): v for k, v in report["settings"].items()}
        lines.append(json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
