"""Figures of known facts; None for data without them."""

from __future__ import annotations

from matplotlib.figure import Figure

from dmesr_core.book.fact_probes import marked, with_means
from dmesr_core.book.fact_study import ErasureCosts, FactFindings
from dmesr_core.plots.ablations import probe_heatmaps
from dmesr_core.plots.results import paired_differences


def fact_tables(found: FactFindings) -> Figure | None:
    """What probes recover from the vectors of each model, as coloured tables with the mean of each group."""
    return None if found.tables is None else probe_heatmaps(*with_means(found.tables, found.groups))


def erasure_costs(erased: ErasureCosts) -> Figure | None:
    """The cost of erasing each fact, the largest first."""
    costs = erased.costs
    if costs is None:
        return None
    order = sorted(costs, key=lambda fact: costs[fact].diff)
    differences = {marked(fact, erased.unused): costs[fact][:3] for fact in order}
    return paired_differences(differences, "a random control\n(all intervals at once)", "NDCG@10")
