"""One training of one variant with one seed: train, test, store the record under a hash of settings and data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.groups import case_groups
from dmesr_core.evaluation.metrics import describe_full_ranking, describe_sampled_ranking, to_result
from dmesr_core.evaluation.ranking import EvalSettings, Ranks, rank_cases, rank_in_sample
from dmesr_core.experiments.grid import Data, Job
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.records import RunRecord, pack_kinds, pack_ranks, pack_units, split_sizes
from dmesr_core.experiments.variants import Variant, build, needs_of
from dmesr_core.files import write_atomically
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.scorers import Scorer, model_scorer, popularity
from dmesr_core.provenance import PeakMemory, code_hash, commit, versions
from dmesr_core.training.callbacks import EMA
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
    """Train and test one variant with the seed of `train`; a record of the same code in `folder` is returned.

    `name` is the variant's name in tables.
    """
    return run_job(Job(name, variant, backbone, train), material, folder, commit())


def run_job(job: Job, material: Material, folder: str | Path | None, code_commit: str | None) -> RunRecord:
    """As `run`; `code_commit` is the commit of the present code."""
    stored = stored_record(job, material, folder)
    if stored is not None:
        return stored
    memory, split, seed = PeakMemory(), material.split, job.train.seed
    report: dict[str, Any] = {}
    if job.variant.kind == "popularity":
        scorer, parameters = popularity(split), 0
    else:
        model = build(job.variant, material, job.backbone, seed)
        callbacks = [EMA(job.ema_decay)] if job.ema_decay else []
        report = asdict(fit(model, split, job.train, callbacks=callbacks, progress=False))
        scorer, parameters = model_scorer(model, split.n_items), sum(p.numel() for p in model.parameters())
    ranks = rank_under_protocols(scorer, split)
    results = {
        protocol: to_result(job.name, r, split.test, words, f"{split.name} test")
        for protocol, (r, words) in ranks.items()
    }
    record = RunRecord(
        **_names(job, material), split=split.name, backbone=asdict(job.backbone), train=asdict(job.train),
        ema_decay=job.ema_decay, seed=seed, key=key_of(job, material), code=code_hash(),
        fingerprint=material.fingerprint, sizes=split_sizes(split),
        protocols={protocol: result.protocol for protocol, result in results.items()},
        cases=len(split.test), metrics={protocol: result.mean() for protocol, result in results.items()},
        ranks={protocol: pack_ranks(r) for protocol, (r, _) in ranks.items()},
        units=pack_units(split.test.users), kinds=pack_kinds(case_groups(split, split.test)),
        report=report, parameters=parameters, peak_memory_mb=memory.megabytes(), threads=torch.get_num_threads(),
        device="cuda" if torch.cuda.is_available() else "cpu", versions=versions(), commit=code_commit,
    )  # fmt: skip
    line = record.to_json()
    if folder is not None:
        file = _file(job, material, folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, line.encode())
    return RunRecord.from_json(line)  # the same whether it was trained now or read


def rank_under_protocols(scorer: Scorer, split: Split) -> dict[str, tuple[Ranks, str]]:
    """Ranks of the test cases under three protocols, each with its description.

    full: among all items but those of the history; unmasked: among all items; sampled: among 100 random items that
    are not in the history. The book uses the first; many papers print one of the other two.
    """
    n, unmasked = split.n_items, EvalSettings(mask_seen=False)
    sample, short = rank_in_sample(scorer, split.test, n, NEGATIVES, SAMPLE_SEED)
    return {
        "full": (rank_cases(scorer, split.test, n), describe_full_ranking(n)),
        "unmasked": (rank_cases(scorer, split.test, n, unmasked), describe_full_ranking(n, unmasked)),
        "sampled": (sample, describe_sampled_ranking(n, NEGATIVES, SAMPLE_SEED, short)),
    }


def describe(job: Job, material: Material) -> str:
    share = "" if material.share == 1 else f", {material.share:.3g} of the shoppers"
    return f"{material.name}, {material.split.name}{share}: {job}"


def _names(job: Job, material: Material) -> dict[str, Any]:
    """The fields of a record that are names: they do not influence its results."""
    variant = {"name": job.name, **asdict(job.variant)}
    return {"grid": job.grid, "data": material.name, "share": material.share, "variant": variant}


def key_of(job: Job, material: Material) -> str:
    """Hash of everything that decides a result, except the code."""
    settings: list = []
    if job.variant.kind != "popularity":
        settings = [asdict(job.backbone), asdict(job.train), job.ema_decay, torch.__version__]
    parts = [asdict(job.variant), material.hashes(needs_of(job.variant)), settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def identity(job: Job, data: Data) -> str:
    """Identifies a job by its grid, data and settings, whatever the code and the version of torch."""
    variant = {"name": job.name, **asdict(job.variant)}
    settings = asdict(job.backbone), asdict(job.train), job.ema_decay
    return _identity(job.grid, data, variant, *settings)


def identity_of(record: RunRecord) -> str:
    """The `identity` of the job that made this record."""
    data = Data(record.data, record.split, record.share)
    return _identity(record.grid, data, record.variant, record.backbone, record.train, record.ema_decay)


def _identity(grid: str, data: Data, variant: dict, backbone: dict, train: dict, ema_decay: float) -> str:
    # Popularity has no settings.
    settings = [] if variant["kind"] == "popularity" else [backbone, train, float(ema_decay)]
    return json.dumps([grid, data.name, data.split, float(data.share), variant, settings], sort_keys=True)


def _file(job: Job, material: Material, folder: str | Path) -> Path:
    return Path(folder) / f"{key_of(job, material)}-{code_hash()}.json"


def stored_record(job: Job, material: Material, folder: str | Path | None) -> RunRecord | None:
    """The stored record of a job, with the job's present names; None if there is none of the present code."""
    if folder is None or not _file(job, material, folder).exists():
        return None
    record = RunRecord.from_json(_file(job, material, folder).read_text(encoding="utf-8"))
    return replace(record, **json.loads(json.dumps(_names(job, material))))
