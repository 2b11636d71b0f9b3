"""Figures that some data lack; those of facts are tested with `fact_study`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_cases import make_cases
from helpers.small_material import make_material

from dmesr_core.book import optional_figures
from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.disagreements import OURS, THEIRS
from dmesr_core.evaluation.ranking import Ranks


def constant(histories, case_indices):
    return torch.arange(10.0).expand(len(histories), -1)


@pytest.mark.parametrize("n_ours", [0, 1, 5])
def test_at_most_two_cases_of_each_kind_are_drawn_and_none_where_models_agree(make_catalogue, n_ours):
    cases = make_cases([[1, 2]] * 6, [3] * 6)
    split = replace(make_material().split, test=cases, n_items=9)
    kinds = {OURS: np.arange(6) < n_ours, THEIRS: np.zeros(6, bool)}
    ranks = dict.fromkeys(("dmesr", "id_only"), Ranks(np.zeros(6), np.ones(6)))
    scorers = dict.fromkeys(("dmesr", "id_only"), constant)
    dataset = Dataset("folder", make_catalogue(9), None)
    fig = optional_figures.disagreements(dataset, split, kinds, ranks, scorers, None, 0)
    assert (fig is None) == (n_ours == 0)
    if fig is not None:
        texts = [text.get_text() for text in [*fig.texts, *(t for ax in fig.axes for t in [*ax.texts, ax.title])]]
        assert sum("rank 1 for DMESR" in text for text in texts) == min(n_ours, 2)


def test_reasons_are_drawn_where_they_are_known():
    assert optional_figures.reasons({}, {OURS: 3}) is None
    assert optional_figures.reasons({OURS: {"a": 0.25, "b": 0.75}}, {OURS: 3}) is not None
