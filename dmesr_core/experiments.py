"""Many trainings, fairly compared: the same data, budget and seeds for every variant; each done once, then remembered.

A *variant* is a row of a table of the book: a kind of model and what is changed about it. A run is one variant with
one seed; its result (metrics of every test case) is kept on disk under a hash of all that made it, so a chapter
that was interrupted, or another chapter that needs the same row, does not train again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from dmesr_core.backbones import BackboneSettings, IDRecommender, Recommender
from dmesr_core.dmesr import DMESR, DMESRSettings, FeatureRecommender
from dmesr_core.errors import SettingsError
from dmesr_core.evaluate import Result, evaluate, model_scorer, stack
from dmesr_core.features import Features
from dmesr_core.interactions import Split
from dmesr_core.train import TrainReport, TrainSettings, fit, known_items


@dataclass(frozen=True)
class Variant:
    """One row of a comparison."""

    kind: str  # id | raw | facts | dmesr
    changes: dict[str, Any] = field(default_factory=dict)  # of `DMESRSettings` (kind dmesr) or keyword arguments


# The rows of the book. What each is compared with differs from it in one thing only.
VARIANTS: dict[str, Variant] = {
    "id_only": Variant("id"),
    "raw": Variant("raw"),
    "fact_oracle": Variant("facts"),
    "dmesr": Variant("dmesr"),
    "no_fusion": Variant("dmesr", {"fusion": False}),
    "no_alignment": Variant("dmesr", {"align": False}),
    "picture_only": Variant("dmesr", {"views": ("picture",)}),
    "text_only": Variant("dmesr", {"views": ("text",)}),
    "no_id": Variant("dmesr", {"id_embedding": False}),
    "entry_concat": Variant("dmesr", {"entry": "concat"}),
    "entry_two_towers": Variant("dmesr", {"entry": "two_towers"}),
}


@dataclass(frozen=True, eq=False)
class Material:
    """All that a run may use; what a variant does not need may be None."""

    split: Split
    features: Features | None = None  # for raw and dmesr
    facts: np.ndarray | None = None  # (N+1, F) true facts, Bazaar only

    def fingerprint(self) -> str:
        """Hash of the data, so that a stored result is never taken for another data set's."""
        digest = hashlib.sha256()
        arrays = [self.split.train.items, self.split.train.offsets, self.split.test.targets, self.split.valid.targets]
        if self.features is not None:
            f = self.features
            arrays += [f.coarse_picture, f.coarse_text, f.fine, f.fine_mask]
        if self.facts is not None:
            arrays.append(self.facts)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def build(variant: Variant, material: Material, backbone: BackboneSettings, seed: int) -> Recommender:
    """The untrained model of a variant; the seed decides its first weights."""
    torch.manual_seed(seed)
    known = known_items(material.split)
    if variant.kind == "id":
        return IDRecommender(backbone, known, **variant.changes)
    if variant.kind == "facts":
        if material.facts is None:
            raise SettingsError("the fact oracle needs the true facts: only the Bazaar has them")
        return FeatureRecommender(backbone, torch.as_tensor(material.facts), known, **variant.changes)
    if material.features is None:
        raise SettingsError(f"a variant of kind {variant.kind!r} needs features")
    if variant.kind == "raw":
        f = material.features
        vectors = torch.cat([torch.as_tensor(f.coarse_picture), torch.as_tensor(f.coarse_text)], dim=1)
        return FeatureRecommender(backbone, vectors, known, **variant.changes)
    if variant.kind == "dmesr":
        settings = DMESRSettings(**({"backbone": backbone} | variant.changes))
        return DMESR(settings, material.features, known)
    raise SettingsError(f"unknown kind of variant {variant.kind!r}: choose id, raw, facts or dmesr")


def run(
    name: str,
    variant: Variant,
    material: Material,
    backbone: BackboneSettings,
    train: TrainSettings,
    folder: Path | None,
) -> tuple[Result, dict[str, Any]]:
    """Train and test one variant with the seed of `train`; from disk where it was done before.

    Returns:
        metrics of each test case, and a record: settings, training curves, seconds, parameters.
    """
    key = _key(variant, material.fingerprint(), backbone, train)
    stored = None if folder is None else Path(folder) / f"{key}.json"
    if stored is not None and stored.exists():
        record = json.loads(stored.read_text())
        return Result(name, load_file(stored.with_suffix(".safetensors")), record["protocol"]), record
    model = build(variant, material, backbone, train.seed)
    report: TrainReport = fit(model, material.split, train, progress=False)
    split = material.split
    scorer = model_scorer(model, split.n_items)
    result = evaluate(scorer, split.test, split.n_items, name=name, split=f"{split.name} test")
    record = {
        "variant": asdict(variant), "backbone": asdict(backbone), "protocol": result.protocol, "report": asdict(report),
        "parameters": sum(p.numel() for p in model.parameters()),
    }  # fmt: skip
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        part = stored.with_suffix(f".{os.getpid()}.tmp")
        save_file({m: np.ascontiguousarray(v) for m, v in result.per_case.items()}, part)
        part.replace(stored.with_suffix(".safetensors"))
        part.write_text(json.dumps(record))
        part.replace(stored)  # last: a record that is there has its metrics
    return result, record


def compare_variants(
    names: Iterable[str],
    material: Material,
    seeds: Iterable[int],
    backbone: BackboneSettings | None = None,
    train: TrainSettings | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[dict[str, Result], dict[str, list[dict]]]:
    """Every variant with every seed.

    Args:
        names: rows of `VARIANTS`.
        workers: processes side by side, one thread each; None: one per CPU core, or one in all on a GPU.

    Returns:
        variant -> metrics (seeds, cases), variant -> records of its runs.
    """
    names, seeds = list(names), list(seeds)
    unknown = [n for n in names if n not in VARIANTS]
    if unknown:
        raise SettingsError(f"unknown variants {unknown}: choose from {', '.join(VARIANTS)}")
    backbone, train = backbone or BackboneSettings(), train or TrainSettings()
    folder = None if folder is None else Path(folder)
    if workers is None:
        workers = 1 if torch.cuda.is_available() else min(os.cpu_count() or 1, len(names) * len(seeds))
    jobs = [(n, VARIANTS[n], material, backbone, replace(train, seed=s), folder) for n in names for s in seeds]
    bar = tqdm(total=len(jobs), desc="trainings", disable=not progress, mininterval=1.0, leave=False)
    done: list[tuple[Result, dict]] = []
    if workers == 1:
        for job in jobs:
            done.append(run(*job))
            bar.update()
    else:
        # The data travels once, with the start of each worker; a job is then a few settings.
        start = (material, folder)
        with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, start) as pool:
            for outcome in pool.map(_work, [(n, v, b, t) for n, v, _, b, t, _ in jobs]):
                done.append(outcome)
                bar.update()
    bar.close()
    results, records = {}, {}
    for i, name in enumerate(names):
        part = done[i * len(seeds) : (i + 1) * len(seeds)]
        results[name] = stack([r for r, _ in part], name)
        records[name] = [record for _, record in part]
    return results, records


_here: dict[str, Any] = {}  # what a worker process got at its start


def _start_worker(material: Material, folder: Path | None) -> None:
    torch.set_num_threads(1)
    _here.update(material=material, folder=folder)


def _work(job: tuple) -> tuple[Result, dict]:
    name, variant, backbone, train = job
    return run(name, variant, _here["material"], backbone, train, _here["folder"])


def _key(variant: Variant, data: str, backbone: BackboneSettings, train: TrainSettings) -> str:
    """Hash of all that decides a result, the code of the model and the loop included."""
    code = hashlib.sha256()
    here = Path(__file__).parent
    for name in ("align", "fuse", "backbones", "dmesr", "train", "sequences", "ranking", "evaluate"):
        code.update((here / f"{name}.py").read_bytes())
    parts = [asdict(variant), data, asdict(backbone), asdict(train), code.hexdigest(), torch.__version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
