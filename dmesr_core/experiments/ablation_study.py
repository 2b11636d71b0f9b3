"""The ablation of DMESR: its variants, what each is called and which parts it has, its records and its results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dmesr_core import files
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Split
from dmesr_core.errors import DataError
from dmesr_core.evaluation.ranking import Ranks
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments import grids, own_data, sweep
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.variants import VARIANTS
from dmesr_core.features.item_features import Features
from dmesr_core.models.dmesr_settings import DMESRSettings
from dmesr_core.profiles import Profile

PARTS = ("picture view", "text view", "alignment", "original words", "ID vector")


def _without(*lacking: str) -> tuple[str, ...]:
    return tuple(part for part in PARTS if part not in lacking)


_ABLATION: dict[str, tuple[str, tuple[str, ...]]] = {  # variant -> label, the parts that it has
    "dmesr": ("DMESR", PARTS),
    "no_alignment": ("no alignment", _without("alignment")),
    "no_fusion": ("no fusion", _without("original words")),
    "picture_only": ("picture view only", _without("text view", "alignment")),
    "text_only": ("text view only", _without("picture view", "alignment")),
    "no_id": ("no ID vector", _without("ID vector")),
    "injection_concat": ("enters by concatenation", PARTS),
    "injection_two_towers": ("enters as two towers", PARTS),
    "dmesr_unit": ("all vectors of one length", PARTS),
    "raw": ("raw vectors", _without("alignment", "original words")),
    "id_only": ("ID only", ("ID vector",)),
    "id_unit": ("ID only, of one length", ("ID vector",)),
}
LABELS = {name: label for name, (label, _) in _ABLATION.items()}  # in the order of figures and tables
PARTS_BY_LABEL = dict(_ABLATION.values())  # label -> parts

# The models that are compared by group of cases and by amount of data; only the Bazaar has a fact oracle.
MODELS = {
    "id_only": "ID only",
    "id_unit": "ID only, of one length",
    "raw": "raw vectors",
    "dmesr": "DMESR",
    "dmesr_unit": "DMESR, of one length",
    "fact_oracle": "fact oracle",
}
# DMESR and its opponent, once with vectors of any length, once with vectors of length 1.
SIDES = {"plain": ("dmesr", "id_only"), "unit": ("dmesr_unit", "id_unit")}

SETTINGS = {  # settings that only DMESR has -> label
    "alpha": "weight of the alignment",
    "temperature": "temperature of InfoNCE",
    "fine_tokens": "tokens of the original words",
    "items_per_step": "items that a step encodes",
}
DEFAULTS = {name: float(getattr(DMESRSettings(), name)) for name in SETTINGS}

_MAX_RANK = 255  # records store no rank beyond this one


def variants_table() -> pd.DataFrame:
    """Kind and changed settings of each variant of the ablation."""
    rows = {name: {"kind": VARIANTS[name].kind, "changed": str(VARIANTS[name].changes or "")} for name in LABELS}
    return pd.DataFrame(rows).T


def stored_records(profile: str) -> tuple[list[RunRecord], dict[str, list[RunRecord]]]:
    """Records of the ablation, and of the losses by data set, on the book's own data.

    Profile `smoke` runs tiny grids instead, and leaves out data that would have to be downloaded.
    """
    losses = {"the Bazaar": sweep.load_or_run("losses", profile=profile)}
    if profile != "smoke" and sweep.results_file("losses_beauty").is_file():
        losses["Amazon Beauty"] = sweep.load_or_run("losses_beauty")
    return sweep.load_or_run("ablations", profile=profile), losses


def train_records(
    split: Split, features: Features, name: str, epochs: int
) -> tuple[list[RunRecord], dict[str, list[RunRecord]]]:
    """As `stored_records`, trained now on data of one's own, with one seed.

    Args:
        name: what the data set is called in the records.
        epochs: of a training that has the maximum of the grid in the book; the others in proportion.
    """

    def trained(grid_name: str) -> list[RunRecord]:
        grid = grids.get(grid_name)
        work = own_data.jobs_on(grid, split, features, name, own_data.scaled_epochs(grid, epochs))
        return own_data.train(work, files.cache_dir() / "experiments")

    ablations = trained("ablations")
    return ablations, {"your data": trained("losses")}


def records_for(
    data: str, profile: Profile, dataset: Callable[[], Dataset], features: Callable[[], Features]
) -> tuple[list[RunRecord], dict[str, list[RunRecord]]]:
    """`stored_records` for the book's own data, else `train_records`.

    Args:
        data: name of the data set.
        dataset, features: called only where trainings are needed.
    """
    if data == "bazaar":
        return stored_records(profile.name)
    return train_records(dataset().interactions.leave_one_out(), features(), data, profile.max_epochs)


def models_among(results: Collection[str], without: Collection[str] = ()) -> dict[str, str]:
    """Those of `MODELS` that have a result, but for `without`: variant -> label."""
    return {name: label for name, label in MODELS.items() if name in results and name not in without}


def count_trainings(records: Iterable[RunRecord]) -> int:
    """Number of records of a training; what needs none, like a ceiling, has no report."""
    return sum(bool(record.report) for record in records)


def case_masks(records: Iterable[RunRecord]) -> dict[str, np.ndarray]:
    """Group of test cases -> (C,) bool, as the first record of DMESR on all training sequences has them."""
    return next(r for r in records if r.get("variant") == "dmesr" and r.share == 1).groups()


def find_record(records: Iterable[RunRecord], fingerprint: str, variant: str, seed: int) -> RunRecord | None:
    """The record of a variant with this seed on the split with this fingerprint, if there is one."""
    for record in records:
        if record.fingerprint == fingerprint and record.get("variant") == variant and record.seed == seed:
            return record
    return None


def rank_agreement(record: RunRecord | None, ranks: Ranks) -> float | None:
    """Share of the test cases in which the target has the rank that was stored; None without a record."""
    if record is None:
        return None
    stored = record.ranks_of("full").greater
    return float((stored == np.minimum(ranks.greater, _MAX_RANK)).mean())


def results_by_amount(
    results: Mapping[tuple[float, str], Result], records: Iterable[RunRecord]
) -> dict[int, dict[str, Result]]:
    """Training sequences -> variant -> result, the smallest amount first.

    Args:
        results: by share of the training sequences and variant.
    """
    amounts = {record.share: record.sizes["train_sequences"] for record in records}
    found: dict[int, dict[str, Result]] = {amounts[share]: {} for share in sorted(amounts)}
    for (share, variant), result in results.items():
        found[amounts[share]][variant] = result
    return found


def setting_results(results: Mapping[str, Result], n_items: int) -> dict[tuple[str, float], Result]:
    """Results of DMESR with one setting changed: (setting, value) -> result.

    Args:
        results: by variant; one called "alpha=0.2" has that setting, the value None stands for all items, and
            `no_alignment` for a weight of 0.
    """
    found: dict[tuple[str, float], Result] = {}
    for variant, result in results.items():
        name, _, value = variant.partition("=")
        if name in SETTINGS:
            found[name, float(n_items if value == "None" else value)] = result
    found["alpha", 0.0] = results["no_alignment"]
    return found


def by_setting(moves: Mapping[tuple[str, float], Sequence[float]]) -> dict[str, dict[float, Sequence[float]]]:
    """Setting -> value -> what `moves` holds for it."""
    return {name: {value: move for (other, value), move in moves.items() if other == name} for name in SETTINGS}


def setting_panels(
    moves: Mapping[tuple[str, float], Sequence[float]],
) -> dict[str, dict[float, tuple[float, float, float]]]:
    """Label of a setting -> value -> difference to the default with its interval; the default itself moves nothing."""
    return {
        SETTINGS[name]: {DEFAULTS[name]: (0.0, 0.0, 0.0)} | {v: (m[0], m[1], m[2]) for v, m in of_value.items()}
        for name, of_value in by_setting(moves).items()
    }


def whole_data(results: Mapping[tuple[float, str], Result]) -> dict[str, Result]:
    """Variant -> result, only of trainings on all training sequences.

    Raises:
        DataError: there is none of DMESR, with which all others are compared.
    """
    found = {variant: result for (share, variant), result in results.items() if share == 1}
    if "dmesr" not in found:
        raise DataError("no record of `dmesr` on all training sequences: there is nothing to compare with")
    return found
