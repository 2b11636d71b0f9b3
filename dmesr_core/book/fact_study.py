"""Known facts and trained models: what probes read from item vectors, and what it costs to erase a fact.

Data of one's own have no known facts. There is no study then, and all that follows from it is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmesr_core.book import fact_probes
from dmesr_core.book.fact_probes import FactProbe, FactReadings
from dmesr_core.book.narration.tables import joined_keys
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Split
from dmesr_core.evaluation import erasure
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.models.recommender import Recommender

_METRIC = "ndcg@10"


@dataclass(frozen=True)
class FactStudy:
    """The facts about the items of a data set, and what probes read of them."""

    codes: dict[str, np.ndarray]  # fact -> (N,) int, the value of each item
    unused: set[str]  # facts that no shopper goes by
    readings: FactReadings
    order: np.ndarray  # (N,) random permutation of 0..N-1, for controls
    control: list[float]  # what is recovered where every item has the vector of another one

    @property
    def probe(self) -> FactProbe:
        """The probe of all readings."""
        return self.readings.probe


def study_facts(dataset: Dataset, split: Split, vectors: Mapping[str, np.ndarray], seed: int) -> FactStudy | None:
    """Probe the vectors (N, d) of each model for all facts; None where the facts are not known."""
    world = dataset.world
    if world is None:
        return None
    probe = FactProbe.make(world.facts.codes, split.train_counts, seed=seed)
    unused = fact_probes.unused_facts(world)
    lines = fact_probes.fact_lines(fact_probes.colour_is_written(world), unused)
    readings = FactReadings.read(probe, lines, vectors)
    order = np.random.default_rng(seed).permutation(split.n_items)
    shuffled = {name: table[order] for name, table in vectors.items()}
    control = FactReadings.read(probe, lines, shuffled).training_shares()
    return FactStudy(world.facts.codes, unused, readings, order, control)


@dataclass(frozen=True)
class FactFindings:
    """What a study says about the models; nothing where there is no study."""

    control: list[float] | None = None
    tables: dict[str, dict[str, dict[str, float]]] | None = None  # as `FactReadings.tables`
    groups: dict[str, list[str]] = field(default_factory=dict)  # as `fact_probes.line_groups`
    by_model: dict[str, dict[str, float]] = field(default_factory=dict)  # model -> as `FactReadings.group_means`
    gains: dict[str, dict[str, Paired]] | None = None  # of DMESR, as `FactReadings.gains`
    kept: dict[str, tuple[float, float]] | None = None  # before and after training, as `before_and_after`
    leak: dict[str, float] | None = None  # facts of pictures that are recovered from the facts of words

    def numbers(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """Name in the chapter's file of numbers -> value, for all that is known; labels: model -> label."""
        if self.gains is None:
            return {}
        return {
            "facts": self.tables,
            "facts_by_group": {labels[name]: means for name, means in self.by_model.items()},
            "facts_gain": joined_keys(self.gains, " over "),
            "kept": self.kept,
            "leak_from_words": self.leak,
        }


def findings(study: FactStudy | None, labels: Mapping[str, str], n: int = 2000, seed: int = 0) -> FactFindings:
    """Tables and comparisons of a study that has read "untrained", "dmesr", "id_only" and "no_fusion".

    Args:
        labels: model -> label in the tables.
        n, seed: of the bootstrap.
    """
    if study is None:
        return FactFindings()
    readings = study.readings
    return FactFindings(
        control=study.control,
        tables=readings.tables(labels),
        groups=fact_probes.line_groups(readings.lines),
        by_model={name: readings.group_means(name) for name in readings.right},
        gains=readings.gains("dmesr", ("id_only", "no_fusion"), n, seed),
        kept=readings.before_and_after("untrained", "dmesr", study.unused),
        leak=study.probe.from_words(("colour", "pattern")),
    )


@dataclass(frozen=True)
class ErasureCosts:
    """What a model loses when a fact is erased from its item vectors; None where no facts are known."""

    costs: dict[str, Paired] | None = None  # fact -> change of NDCG@10, against erasing one assigned at random
    random_costs: dict[str, float] | None = None  # fact assigned at random -> change of NDCG@10, against the model
    unused: set[str] = field(default_factory=set)  # facts that no shopper goes by
    n_values: dict[str, int] = field(default_factory=dict)  # fact -> number of its values


def erase_facts(
    study: FactStudy | None, model: Recommender, split: Split, n: int = 2000, seed: int = 0
) -> ErasureCosts:  # fmt: skip
    """Erase each fact, and as a control each fact with its values assigned at random; all intervals hold at once."""
    if study is None:
        return ErasureCosts()
    table = model.item_table().detach()
    erased = erasure.erase_each(model, table, study.codes, split)
    control = erasure.erase_each(model, table, study.codes, split, study.order)
    costs = simultaneous({fact: (erased[fact], control[fact]) for fact in study.codes}, _METRIC, n, seed)
    full = erasure.evaluate_with_table(model, table, split, "DMESR").mean()[_METRIC]
    random_costs = {fact: result.mean()[_METRIC] - full for fact, result in control.items()}
    return ErasureCosts(costs, random_costs, study.unused, study.probe.n_values)


def recovered_after_erasing(
    study: FactStudy | None, model: Recommender, fact: str, erased: Iterable[str]
) -> dict[str, float] | None:  # fmt: skip
    """What is erased ("nothing" first) -> how much of `fact` a probe still recovers; None where no facts are known."""
    if study is None:
        return None
    table = model.item_table().detach()
    changed = {"nothing": table} | {name: erasure.equalise_means(table, study.codes[name]) for name in erased}
    probe = study.probe
    return {
        name: probe.recovered(probe.right(vectors.numpy()[1:], fact), fact, probe.trained)
        for name, vectors in changed.items()
    }
