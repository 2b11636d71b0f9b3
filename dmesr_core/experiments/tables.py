"""Tables of a study: records, scores, gains and budgets as data frames, and the same numbers as plots take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.results import Result
from dmesr_core.experiments.budget import LongerTraining
from dmesr_core.experiments.contrasts import Interval
from dmesr_core.experiments.records import RunRecord, read_records
from dmesr_core.experiments.repeat import same_ranks
from dmesr_core.experiments.study import BACKBONE_NAMES, DATA_TITLES, VARIANT_NAMES, Cell, DataSplit, Study

V = TypeVar("V")
_SPACE = "\u00a0"  # does not break
_SCORE = f"{{:.3f}}{_SPACE}[{{:.3f}},{_SPACE}{{:.3f}}]"


def by_title(values: Mapping[DataSplit, V]) -> dict[str, V]:
    """Data sets by their titles."""
    return {DATA_TITLES[at]: value for at, value in values.items()}


def flat(values: Mapping[Cell, V]) -> dict[str, V]:
    """Cells by one text each, such as "Bazaar|sasrec|dmesr"."""
    return {"|".join((DATA_TITLES[at], backbone, name)): value for (at, backbone, name), value in values.items()}


def over(opponents: Iterable[str]) -> dict[str, str]:
    """Labels of the gains over these variants."""
    return {variant: f"over {VARIANT_NAMES[variant]}" for variant in opponents}


def panels(values: Mapping[Cell, Interval | Paired], labels: Mapping[str, str] | None = None) -> dict[str, dict]:
    """Means or differences with their intervals by title, backbone and label: what plots of many cells take.

    Args:
        labels: name of a variant or comparison -> label; None: the name is the label.
    """
    found: dict[str, dict[str, dict[str, Interval]]] = {}
    for (at, backbone, name), (mean, low, high, *_) in values.items():
        bands = found.setdefault(DATA_TITLES[at], {})
        bands.setdefault(BACKBONE_NAMES[backbone], {})[labels[name] if labels else name] = (mean, low, high)
    return found


def sizes(study: Study) -> pd.DataFrame:
    """A row per data set: how large it is, how many trainings there are, and how long they took."""
    return pd.DataFrame({DATA_TITLES[at]: _sizes(study, at) for at in study.backbones}).T


def _sizes(study: Study, at: DataSplit) -> dict[str, object]:
    first = study.records_of(at)[0]
    trained = [r for r in study.trained if (r.data, r.split) == at]
    seeds = {b: {r.seed for r in trained if r.get("backbone") == b} for b in study.backbones[at]}
    return {
        "items": first.sizes["items"],
        "training events": first.sizes["train_events"],
        "test cases": first.sizes["test_cases"],
        "cold targets": f"{cold_share(first):.0%}",
        "trainings": len(trained),
        "seeds": ", ".join(f"{BACKBONE_NAMES[b]} {len(some)}" for b, some in seeds.items()),
        "hours": f"{hours(trained):.2f}",
    }


def hours(records: Iterable[RunRecord]) -> float:
    """Hours of training behind these records, one thread each."""
    return sum(record.report["seconds"] for record in records if record.report) / 3600


def stored_hours(folder: Path) -> dict[str, float]:
    """Grid -> `hours` of its records, for each file `<grid>.jsonl` in a folder (such as `sweep.RESULTS`)."""
    return {file.stem: hours(read_records(file)) for file in sorted(folder.glob("*.jsonl"))}


def cold_share(record: RunRecord) -> float:
    """The share of test cases whose target does not occur in training."""
    return float(record.groups()["cold"].mean())


def scores(cells: Mapping[Cell, Interval], popularity: Mapping[DataSplit, Interval]) -> pd.DataFrame:
    """A row per data set and contender, a column per backbone; popularity stands in each of them."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for (at, backbone, variant), interval in cells.items():
        title, column = DATA_TITLES[at], BACKBONE_NAMES[backbone]
        rows.setdefault((title, "popularity"), {})[column] = _SCORE.format(*popularity[at])
        rows.setdefault((title, VARIANT_NAMES[variant]), {})[column] = _SCORE.format(*interval)
    table = pd.DataFrame(rows).T
    return table[[name for name in BACKBONE_NAMES.values() if name in table]].fillna("")


def gains(changes: Mapping[Cell, Paired], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row per data set and backbone, a column per comparison: difference, interval and p-value."""
    text = {key: "{:+.3f} [{:+.3f}, {:+.3f}], p = {:.4f}".format(*change) for key, change in changes.items()}
    return _by_backbone(text, labels)


def means(cells: Mapping[Cell, Result], metric: str) -> pd.DataFrame:
    """A row per data set and backbone, a column per variant: the mean over cases and seeds."""
    return _by_backbone({key: f"{result.mean()[metric]:.3f}" for key, result in cells.items()}, VARIANT_NAMES)


def _by_backbone(values: Mapping[Cell, object], labels: Mapping[str, str]) -> pd.DataFrame:
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for (at, backbone, name), value in values.items():
        rows.setdefault((DATA_TITLES[at], BACKBONE_NAMES[backbone]), {})[labels[name]] = value
    return pd.DataFrame(rows).T


def longer_training(found: LongerTraining) -> pd.DataFrame:
    """A row per backbone and opponent: its score and DMESR's gain with the usual epochs and with more."""
    usual, longer = found.usual, found.longer
    rows = {
        (BACKBONE_NAMES[b], VARIANT_NAMES[v]): {
            "usual epochs": f"{usual[b, v]:.3f}",
            "twice as many": f"{longer[b, v]:.3f}",
            "DMESR's gain, usual": f"{usual[b, 'dmesr'] - usual[b, v]:+.3f}",
            "DMESR's gain, twice": f"{{:+.3f}}{_SPACE}[{{:+.3f}},{_SPACE}{{:+.3f}}]".format(*gain[:3]),
        }
        for (_, b, v), gain in found.gains.items()
    }
    return pd.DataFrame(rows).T


def weight_decays(found: Mapping[tuple[str, str], Mapping[float, float]]) -> pd.DataFrame:
    """A row per backbone and variant, a column per weight decay: the best validation score."""
    rows = {(BACKBONE_NAMES[b], VARIANT_NAMES[v]): values for (b, v), values in found.items()}
    return pd.DataFrame(rows).T.sort_index(axis=1).rename_axis(columns="weight decay")


def splits(study: Study, score: Mapping[Cell, Interval], change: Mapping[Cell, Paired], log: str) -> pd.DataFrame:
    """ID only and DMESR under each split of one log.

    Args:
        score: NDCG@10 of each cell; change: DMESR's gain over each opponent.
        log: name of the data set.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for at, backbones in study.backbones.items():
        if at[0] != log:
            continue
        cold = cold_share(study.records_of(at)[0])
        for b in backbones:
            gain, by_id, dmesr = change[at, b, "id_only"], score[at, b, "id_only"][0], score[at, b, "dmesr"][0]
            rows[at[1], BACKBONE_NAMES[b]] = {
                "cold targets": f"{cold:.0%}",
                "ID only": f"{by_id:.3f}",
                "DMESR": f"{dmesr:.3f}",
                "gain": f"{gain.diff:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
                "times": f"{dmesr / max(by_id, 1e-9):.2f}",
            }
    return pd.DataFrame(rows).T


def trained_again(stored: Sequence[RunRecord], again: Sequence[RunRecord]) -> dict[str, dict[str, str]]:
    """What is stored and what came out now, by the name of the training."""
    return {
        f"{BACKBONE_NAMES[old.get('backbone')]}, {VARIANT_NAMES[old.get('variant')]}": {
            "stored NDCG@10": f"{old.metrics['full']['ndcg@10']:.4f}",
            "now": f"{new.metrics['full']['ndcg@10']:.4f}",
            "test cases with the same rank": f"{same_ranks(old, new):.1%}",
            "seconds": f"{new.report['seconds']:.0f}",
        }
        for old, new in zip(stored, again, strict=True)
    }
