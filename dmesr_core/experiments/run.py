"""One training of one variant with one seed: train, test, and keep the row under a hash of all that made it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.groups import case_groups
from dmesr_core.evaluation.metrics import describe_full_ranking, describe_sampled_ranking, to_result
from dmesr_core.evaluation.ranking import EvalSettings, Ranks, rank_cases, rank_in_sample
from dmesr_core.evaluation.scorers import Scorer, model_scorer, popularity
from dmesr_core.experiments.grid import Data, Job
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.records import RunRecord, pack_kinds, pack_ranks, pack_units, split_sizes
from dmesr_core.experiments.variants import Variant, build, needs_of
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.provenance import PeakMemory, code_hash, commit, versions
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

NEGATIVES, SAMPLE_SEED = 100, 0  # of the sampled protocol


def run(
    name: str,
    variant: Variant,
    material: Material,
    backbone: BackboneSettings,
    train: TrainSettings,
    folder: str | Path | None,
) -> RunRecord:
    """Train and test one variant with the seed of `train`; from `folder` where the same code did it before.

    `name` is what the variant is called in a table.
    """
    return run_job(Job(name, variant, backbone, train), material, folder, commit())


def run_job(job: Job, material: Material, folder: str | Path | None, made_in: str | None) -> RunRecord:
    """As `run`; `made_in` is the commit of the code that runs."""
    stored = stored_record(job, material, folder)
    if stored is not None:
        return stored
    memory, split, seed = PeakMemory(), material.split, job.train.seed
    report: dict[str, Any] = {}
    if job.variant.kind == "popularity":
        scorer, parameters = popularity(split), 0
    else:
        model = build(job.variant, material, job.backbone, seed)
        report = asdict(fit(model, split, job.train, progress=False))
        scorer, parameters = model_scorer(model, split.n_items), sum(p.numel() for p in model.parameters())
    ranks = rank_under_protocols(scorer, split)
    results = {
        protocol: to_result(job.name, r, split.test, words, f"{split.name} test")
        for protocol, (r, words) in ranks.items()
    }
    row = RunRecord(
        **_names(job, material), split=split.name, backbone=asdict(job.backbone), train=asdict(job.train), seed=seed,
        key=key_of(job, material), code=code_hash(), fingerprint=material.fingerprint, sizes=split_sizes(split),
        protocols={protocol: result.protocol for protocol, result in results.items()},
        cases=len(split.test), metrics={protocol: result.mean() for protocol, result in results.items()},
        ranks={protocol: pack_ranks(r) for protocol, (r, _) in ranks.items()},
        units=pack_units(split.test.users), kinds=pack_kinds(case_groups(split, split.test)),
        report=report, parameters=parameters, peak_memory_mb=memory.megabytes(), threads=torch.get_num_threads(),
        device="cuda" if torch.cuda.is_available() else "cpu", versions=versions(), commit=made_in,
    )  # fmt: skip
    line = row.to_json()
    if folder is not None:
        file = _file(job, material, folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.tmp")
        part.write_text(line, encoding="utf-8")
        part.replace(file)  # a row is there whole or not at all
    return RunRecord.from_json(line)  # so that a row is the same whether it was trained or read


def rank_under_protocols(scorer: Scorer, split: Split) -> dict[str, tuple[Ranks, str]]:
    """Ranks of the test cases, and what was ranked in words, under three protocols.

    full: among all items, those of the history left out; unmasked: among all items; sampled: among 100 random items
    that are not in the history. The first is the book's; the other two are what many papers print.
    """
    n, unmasked = split.n_items, EvalSettings(mask_seen=False)
    sample, short = rank_in_sample(scorer, split.test, n, NEGATIVES, SAMPLE_SEED)
    return {
        "full": (rank_cases(scorer, split.test, n), describe_full_ranking(n)),
        "unmasked": (rank_cases(scorer, split.test, n, unmasked), describe_full_ranking(n, unmasked)),
        "sampled": (sample, describe_sampled_ranking(n, NEGATIVES, SAMPLE_SEED, short)),
    }


def called(job: Job, material: Material) -> str:
    share = "" if material.share == 1 else f", {material.share:.3g} of the shoppers"
    return f"{material.name}, {material.split.name}{share}: {job}"


def _names(job: Job, material: Material) -> dict[str, Any]:
    """The fields of a row that say what it is called; they have no part in what it came to."""
    variant = {"name": job.name, **asdict(job.variant)}
    return {"grid": job.grid, "data": material.name, "share": material.share, "variant": variant}


def key_of(job: Job, material: Material) -> str:
    """Hash of all that decides a result, but for the code."""
    settings: list = []
    if job.variant.kind != "popularity":
        settings = [asdict(job.backbone), asdict(job.train), torch.__version__]
    parts = [asdict(job.variant), material.hashes(needs_of(job.variant)), settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def identity(job: Job, data: Data) -> str:
    """What a job is: all that the grid says about it. Neither the code nor the version of torch has a part in it."""
    variant = {"name": job.name, **asdict(job.variant)}
    return _identity(job.grid, data, variant, asdict(job.backbone), asdict(job.train))


def identity_of(row: RunRecord) -> str:
    """The `identity` of the job whose row this is, whatever code made it and whichever settings there were then."""
    return _identity(row.grid, Data(row.data, row.split, row.share), row.variant, row.backbone, row.train)


def _identity(grid: str, data: Data, variant: dict, backbone: dict, train: dict) -> str:
    settings = [] if variant["kind"] == "popularity" else [backbone, train]  # it has neither
    return json.dumps([grid, data.name, data.split, float(data.share), variant, settings], sort_keys=True)


def _file(job: Job, material: Material, folder: str | Path) -> Path:
    return Path(folder) / f"{key_of(job, material)}-{code_hash()}.json"


def stored_record(job: Job, material: Material, folder: str | Path | None) -> RunRecord | None:
    """The row of a job under the names that it has now, if it was made before."""
    if folder is None or not _file(job, material, folder).exists():
        return None
    row = RunRecord.from_json(_file(job, material, folder).read_text(encoding="utf-8"))
    return replace(row, **json.loads(json.dumps(_names(job, material))))
