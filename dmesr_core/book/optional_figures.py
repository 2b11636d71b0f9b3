"""Figures of what some data lack: known facts, reasons of purchases, models that disagree; None: nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from dmesr_core.book.fact_probes import marked
from dmesr_core.book.fact_study import ErasureCosts, FactFindings
from dmesr_core.book.narration import mistakes
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.disagreements import OURS, THEIRS, draw_cases, recommendations
from dmesr_core.evaluation.ranking import Ranks, Scorer
from dmesr_core.plots.ablations import probe_heatmaps, stacked_shares
from dmesr_core.plots.data import picture_rows
from dmesr_core.plots.mistakes import case_tiles
from dmesr_core.plots.results import paired_differences


def fact_tables(found: FactFindings) -> Figure | None:
    """What probes recover from the vectors of each model, as coloured tables."""
    return probe_heatmaps(found.tables, found.groups) if found.tables is not None else None


def erasure_costs(erased: ErasureCosts) -> Figure | None:
    """The cost of erasing each fact, the largest first."""
    costs = erased.costs
    if costs is None:
        return None
    order = sorted(costs, key=lambda fact: costs[fact].diff)
    differences = {marked(fact, erased.unused): costs[fact][:3] for fact in order}
    return paired_differences(differences, "a fact dealt by lot\n(all intervals at once)", "NDCG@10")


def disagreements(
    dataset: Dataset, split: Split, kinds: Mapping[str, np.ndarray], ranks: Mapping[str, Ranks],
    scorers: Mapping[str, Scorer], chances: np.ndarray | None, seed: int,
) -> Figure | None:  # fmt: skip
    """Two random cases of each kind in which one model is right and the other wrong, as rows of pictures.

    Args:
        kinds: kind of case -> (C,) bool.
        ranks, scorers: "dmesr" and "id_only" -> ranks of the test cases, and the scorer.
        chances: (C, R) of each reason, where they are known.
    """
    strips, headings = [], []
    named = {"DMESR": scorers["dmesr"], "ID only": scorers["id_only"]}
    for kind, case in draw_cases(kinds, (OURS, THEIRS), 2, seed):
        history, target = split.test.histories[case], int(split.test.targets[case])
        first = recommendations(named, history, 2, split.n_items)
        strips.append(
            case_tiles(dataset.require_catalogue(), history, target, first, lambda k: mistakes.item(dataset, k))
        )
        headings.append(mistakes.heading(kind, case, ranks, chances))
    return picture_rows(strips, headings, lines=4) if strips else None


def reasons(by_kind: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]) -> Figure | None:
    """Why things were bought, by kind of case: kind -> reason -> mean chance; counts: kind -> number of cases."""
    return stacked_shares(by_kind, counts) if by_kind else None
