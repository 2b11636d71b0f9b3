"""A study: every variant with several backbones on several data sets; what was trained, and what came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dmesr_core import profiles
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments import grids
from dmesr_core.experiments.records import RunRecord, complete, table
from dmesr_core.experiments.sweep import load_or_run, results_file

DataSplit = tuple[str, str]  # name of the data set, name of the split
Cell = tuple[DataSplit, str, str]  # data set and split, backbone, variant (or the name of a comparison)

# Names in figures and tables, in the order in which they are shown.
DATA_TITLES: dict[DataSplit, str] = {
    ("bazaar", "leave-one-out"): "Bazaar",
    ("bazaar-sparse", "leave-one-out"): "sparse Bazaar",
    ("movielens", "leave-one-out"): "MovieLens",
    ("bazaar", "global-time"): "Bazaar by time",
    ("movielens", "global-time"): "MovieLens by time",
    ("folder", "leave-one-out"): "your data",
    ("folder", "global-time"): "your data by time",
}
BACKBONE_NAMES = {"gru4rec": "GRU4Rec", "sasrec": "SASRec", "bert4rec": "BERT4Rec"}
VARIANT_NAMES = {
    "id_only": "ID only",
    "raw": "raw vectors",
    "llm_esr": "LLM-ESR-like",
    "llm_emb": "LLMEmb-like",
    "dmesr": "DMESR",
    "id_unit": "ID only, unit",
    "dmesr_unit": "DMESR, unit",
}
CONTENDERS = ("id_only", "raw", "llm_esr", "llm_emb", "dmesr")
OPPONENTS = CONTENDERS[:-1]  # of DMESR
UNIT_LENGTH = ("id_only", "id_unit", "dmesr", "dmesr_unit")  # with and without vectors of equal length


@dataclass(frozen=True)
class Study:
    """The records of a study, and the results of those backbones with which every contender was trained."""

    records: list[RunRecord]  # only seeds that all variants of a backbone have
    backbones: dict[DataSplit, list[str]]  # data set and split -> backbones that have all contenders there
    results: dict[str, dict[tuple, Result]]  # protocol -> (data, split, backbone, variant) -> seeds stacked

    @classmethod
    def of(cls, records: Iterable[RunRecord]) -> Study:
        """The study of these records; data sets without a title in `DATA_TITLES` are left out."""
        records = complete(records, within=("data", "split", "backbone"))
        results = {protocol: table(records, protocol=protocol) for protocol in ("full", "sampled")}
        have = {
            at: [b for b in BACKBONE_NAMES if all((*at, b, variant) in results["full"] for variant in CONTENDERS)]
            for at in DATA_TITLES
        }
        return cls(records, {at: some for at, some in have.items() if some}, results)

    @classmethod
    def load(cls, grid: str, profile: str) -> Study:
        """The study of all records of a grid, see `load_or_run`; parts without records in the package are left out."""
        return cls.of(r for part in _available_parts(grid, profile) for r in load_or_run(part, profile=profile))

    @property
    def home(self) -> DataSplit:
        """The first data set and split: where the settings were chosen, or data of one's own."""
        return next(iter(self.backbones))

    @property
    def all_backbones(self) -> list[str]:
        """Backbones that any data set has."""
        return [b for b in BACKBONE_NAMES if any(b in some for some in self.backbones.values())]

    @property
    def trained(self) -> list[RunRecord]:
        """Records of the backbones that count; popularity, which is not trained, has none."""
        return [r for r in self.records if r.report and r.get("backbone") in self.backbones.get((r.data, r.split), ())]

    def records_of(self, at: DataSplit) -> list[RunRecord]:
        """All records of a data set and split."""
        return [r for r in self.records if (r.data, r.split) == at]

    def cells(self, variants: Sequence[str] = CONTENDERS, protocol: str = "full") -> dict[Cell, Result]:
        """Results by data set, backbone and variant, in the order of the titles; only backbones with all `variants`."""
        found = self.results[protocol]
        return {
            (at, b, variant): found[*at, b, variant]
            for at, backbones in self.backbones.items()
            for b in backbones
            if all((*at, b, variant) in found for variant in variants)
            for variant in variants
        }

    def popularity(self, protocol: str = "full") -> dict[DataSplit, Result]:
        """Results of popularity, which has no backbone."""
        found = {key[:2]: result for key, result in self.results[protocol].items() if key[3] == "popularity"}
        return {at: found[at] for at in self.backbones}


def _available_parts(grid: str, profile: str) -> list[str]:
    """The parts of a grid that have records in the package; in profile `smoke`, which trains its own, all of them."""
    parts = grids.get(grid).parts
    smoke = profiles.get(profile).name == "smoke"
    return [part for part in parts if smoke or results_file(part).is_file()] or list(parts[:1])
