"""The study of learned words and of the mixture of views: its variants, their names, its records and its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dmesr_core import files
from dmesr_core.data.datasets import Dataset
from dmesr_core.errors import DataError
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments import grids, own_data, sweep
from dmesr_core.experiments.grid import Job
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.records import RunRecord, complete, read_records, table
from dmesr_core.experiments.study import BACKBONE_NAMES
from dmesr_core.features.item_features import Features
from dmesr_core.profiles import Profile

METRIC = "ndcg@10"
OURS = "dmesr_views"
DATA_TITLES = {"bazaar": "the Bazaar", "bazaar-sparse": "the sparse Bazaar"}  # others are "your data"
LABELS = {  # in the order of figures and tables
    "popularity": "popularity",
    "id_unit": "ID only, of one length",
    "id_mixture": "ID only, mixed",
    "raw": "raw vectors",
    "llm_esr": "LLM-ESR-like",
    "llm_emb": "LLMEmb-like",
    "words": "words",
    "words_unit": "words + ID, of one length",
    "words_mixture": "words, mixed",
    "words_both_mixture": "words of text and picture, mixed",
    "raw_mixture": "raw vectors, mixed",
    "dmesr": "DMESR, as in chapter 6",
    OURS: "DMESR, words and mixture",
    "fact_oracle": "fact oracle",
    "fact_mixture": "fact oracle, mixed",
}
# Other settings of an opponent's ID vectors: the best by validation stands for all, under this name.
SETTING_OF = {
    "words_quiet": "words",
    "words_no_id": "words",
    "words_mixture_quiet": "words_mixture",
    "words_mixture_no_id": "words_mixture",
    "words_both_mixture_no_id": "words_both_mixture",
    "raw_mixture_quiet": "raw_mixture",
    "fact_oracle_quiet": "fact_oracle",
    "fact_oracle_no_id": "fact_oracle",
    "fact_mixture_quiet": "fact_mixture",
    "fact_mixture_no_id": "fact_mixture",
}
EARLIER = ("raw", "llm_esr")  # trained for the chapters before, with one setting, and not again
PARTS = (
    "learned words", "mixture", "picture view", "alignment", "attention to the text", "ID vector", "ID kept quiet"
)  # fmt: skip
ABLATION: dict[str, tuple[str, tuple[str, ...]]] = {  # variant -> label, the parts that it lacks
    OURS: ("DMESR, words and mixture", ()),
    "views_no_words": ("no learned words", ("learned words",)),
    "views_one_softmax": ("one softmax", ("mixture",)),
    "views_text_only": ("text view only", ("picture view", "alignment")),
    "views_no_alignment": ("no alignment", ("alignment",)),
    "views_no_fusion": ("no attention to the text", ("attention to the text",)),
    "views_no_id": ("no ID vector", ("ID vector", "ID kept quiet")),
    "views_loud_id": ("ID vector as in chapter 6", ("ID kept quiet",)),
    "dmesr": ("DMESR, as in chapter 6", ("learned words", "mixture", "ID kept quiet")),
}


def parts_by_label() -> dict[str, tuple[str, ...]]:
    """Label of each variant of the ablation -> the parts that it has."""
    return {label: tuple(part for part in PARTS if part not in lacking) for label, lacking in ABLATION.values()}


def records_for(
    data: str, profile: Profile, dataset: Callable[[], Dataset], features: Callable[[], Features]
) -> list[RunRecord]:
    """The stored records for the book's own data; else trained now, SASRec with one seed, on leave-one-out.

    Of opponents with several settings the best one by validation is taken, on each data set by itself.

    Args:
        dataset, features: called only where trainings are needed.
    """
    if data == "bazaar":
        records = sweep.load_or_run("views", profile=profile.name)
        return best_settings(records if profile.name == "smoke" else [*records, *earlier_records(records)])
    grid = grids.get("views")
    grid = grids.only_on(grid, "bazaar")  # one's own data takes its place
    budget = own_data.scaled_epochs(grid, profile.max_epochs)
    work = own_data.jobs_on(grid, dataset().interactions.leave_one_out(), features(), data, budget)
    work = [(job, material) for job, material in work if job.backbone.name == "sasrec"]
    return best_settings(own_data.train(first_settings(work), files.cache_dir() / "experiments"))


def first_settings(work: Sequence[tuple[Job, Material]]) -> list[tuple[Job, Material]]:
    """Of each variant with each backbone the first training alone: other settings are for choosing between them."""
    once: dict[tuple[str, str], tuple[Job, Material]] = {}
    for job, material in work:
        if job.name not in SETTING_OF:
            once.setdefault((job.name, job.backbone.name), (job, material))
    return list(once.values())


def earlier_records(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Trainings of the same variants, and of `EARLIER`, in the tables of the chapters before.

    They are of the same data, with backbones and seeds that are among the `records` there, and with other settings.
    """
    records = [record for record in records if record.report]
    places, variants = {_place(record) for record in records}, {_variant(record) for record in records}
    found = {(*_variant(record), record.seed, record.backbone["dropout"]): record for record in records}
    there = len(found)
    for name in _TABLES:
        for record in read_records(sweep.results_file(name)):
            wanted = record.get("variant") in EARLIER or _variant(record) in variants
            if record.report and _place(record) in places and wanted:
                found.setdefault((*_variant(record), record.seed, record.backbone["dropout"]), record)
    return list(found.values())[there:]


_TABLES = ("three_backbones_bazaar", "three_backbones_sparse", "three_backbones_time", "three_backbones_movielens",
           "ablations")  # fmt: skip


def _place(record: RunRecord) -> tuple:
    return record.data, record.split, record.share, record.get("backbone"), record.seed


def _variant(record: RunRecord) -> tuple:
    """A variant where it was trained, whatever the seed."""
    return *_place(record)[:-1], record.variant["name"], record.variant["kind"], str(record.variant["changes"])


def best_settings(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Of each model the trainings with those settings (dropout, ID vectors) that do best in validation.

    The mean is over the seeds that all of its settings have. What is chosen gets the name in `SETTING_OF`. Ours has
    one setting for all data, so there is nothing to choose.
    """
    records = list(records)
    cells: dict[tuple, dict[tuple, dict[int, RunRecord]]] = {}
    for r in records:
        if r.report:
            name = r.get("variant")
            at = r.data, r.get("backbone"), SETTING_OF.get(name, name)
            cells.setdefault(at, {}).setdefault((name, r.backbone["dropout"]), {})[r.seed] = r
    best = [r for r in records if not r.report]
    for (_, _, name), settings in cells.items():
        seeds = set.intersection(*(set(some) for some in settings.values()))
        score = {
            setting: np.mean([max(some[seed].report["valid"]) for seed in seeds]) for setting, some in settings.items()
        }
        chosen = settings[max(score, key=lambda setting: score[setting])].values()
        best += [replace(r, variant=r.variant | {"name": name}) for r in chosen]
    return best


@dataclass(frozen=True)
class ViewStudy:
    """Results of all variants with those seeds that every one of them has, on the same data with the same backbone."""

    records: list[RunRecord]
    results: dict[tuple[str, str, str], Result]  # data, backbone, variant

    @classmethod
    def of(cls, records: Iterable[RunRecord]) -> ViewStudy:
        """The study of these records.

        Raises:
            DataError: none of `OURS`, with which all others are compared.
        """
        records = complete(records, within=("data", "split", "backbone"))
        results: dict[tuple, Result] = {}
        for backbone in dict.fromkeys(record.get("backbone") for record in records):
            own = (record for record in records if record.get("backbone") == backbone)
            results |= table(own, by=("data", "backbone", "variant"))
        if not any(variant == OURS for _, _, variant in results):
            raise DataError(f"no record of {OURS!r}: there is nothing to compare with")
        return cls(records, results)

    @property
    def data(self) -> list[str]:
        """Names of the data sets, the Bazaar first."""
        return list(dict.fromkeys(data for data, _, _ in self.results))

    @property
    def home(self) -> str:
        """The first data set."""
        return self.data[0]

    def of_data(self, data: str, backbone: str = "sasrec") -> dict[str, Result]:
        """Variant -> result, in the order of `LABELS` and `ABLATION`; popularity is the same for every backbone."""
        found = {v: r for (d, b, v), r in self.results.items() if d == data and (b == backbone or v == "popularity")}
        order = [*LABELS, *(variant for variant in ABLATION if variant not in LABELS)]
        return {variant: found[variant] for variant in order if variant in found}

    def gains(self, n: int, seed: int) -> dict[tuple[str, str, str], Paired]:
        """Ours minus each other variant, data set by data set and backbone by backbone; all intervals hold at once."""
        pairs = {
            (data, backbone, variant): (self.results[data, backbone, OURS], result)
            for (data, backbone, variant), result in self.results.items()
            if variant in LABELS and variant not in (OURS, "popularity") and (data, backbone, OURS) in self.results
        }
        return simultaneous(pairs, METRIC, n, seed)

    def losses(self, data: str, n: int, seed: int) -> dict[str, Paired]:
        """Each variant of the ablation minus ours, with SASRec; all intervals hold at once."""
        here = self.of_data(data)
        pairs = {variant: (here[variant], here[OURS]) for variant in ABLATION if variant in here and variant != OURS}
        return simultaneous(pairs, METRIC, n, seed)

    def mixing(self, data: str, n: int, seed: int) -> dict[str, Paired]:
        """Mixed minus unmixed of models other than ours, with SASRec; all intervals hold at once."""
        here = self.of_data(data)
        both = {"words": "words_mixture", "fact_oracle": "fact_mixture", "id_unit": "id_mixture"}
        pairs = {name: (here[mixed], here[name]) for name, mixed in both.items() if name in here and mixed in here}
        return simultaneous(pairs, METRIC, n, seed) if pairs else {}

    def groups(self, data: str) -> dict[str, np.ndarray]:
        """Group of test cases -> (C,) bool."""
        return next(r for r in self.records if r.data == data and r.report).groups()

    def epoch_seconds(self, data: str, variant: str, backbone: str = "sasrec") -> float | None:
        """Median seconds of an epoch over the trainings of a variant; None where there are none."""
        found = [
            r.report["seconds"] / len(r.report["valid"])
            for r in self.records
            if (r.data, r.get("backbone"), r.get("variant")) == (data, backbone, variant) and r.report
        ]
        return float(np.median(found)) if found else None

    def settings(self, data: str, backbone: str = "sasrec") -> dict[str, str]:
        """Variant -> the settings of its trainings that are not the same for all."""
        here = [r for r in self.records if r.report and (r.data, r.get("backbone")) == (data, backbone)]
        return {r.get("variant"): f"{_ids(r)}, dropout {r.backbone['dropout']:g}" for r in here}

    @property
    def backbones(self) -> list[str]:
        """With which ours was trained, in the order of the book."""
        have = {backbone for _, backbone, variant in self.results if variant == OURS}
        return [backbone for backbone in BACKBONE_NAMES if backbone in have]


def _ids(record: RunRecord) -> str:
    """How much ID vectors say in a model."""
    kind, changes = record.variant["kind"], record.variant["changes"]
    if kind == "llm_emb" or not changes.get("id_embedding", True):
        return "no ID"
    return "quiet ID" if changes.get("id_share", 1) < 1 else "ID"


def by_variant(gains: Mapping[tuple[str, str, str], Paired], data: str, backbone: str = "sasrec") -> dict[str, Paired]:
    """Variant -> gain of ours over it on one data set with one backbone, in the order of `LABELS`."""
    return {variant: gains[data, backbone, variant] for variant in LABELS if (data, backbone, variant) in gains}
