"""Steps of several verbs: a log numbered as a model numbers its items, splits, new items, devices."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.cli import steps
from dmesr_core.cli.settings import DataSettings
from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError


def test_a_log_is_numbered_as_the_model_numbers_its_items(make_catalogue):
    theirs, ours = make_catalogue(4), make_catalogue(4).subset([3, 1])
    log = Interactions.from_columns(list("uuvv"), ["a1", "a4", "a3", "a1"], [1, 2, 1, 2], theirs)
    moved = steps.for_model(log, ours.names)
    assert moved.item.tolist() == [2, 1, 2] and moved.user_ids == ("u", "v") and moved.n_items == 2
    assert moved.report["unknown_items_dropped"] == 1
    with pytest.raises(DataError):
        steps.for_model(log, make_catalogue(4).subset([2]).names)  # nothing is left


def test_both_splits(make_catalogue):
    rng = np.random.default_rng(0)
    items = [f"a{k}" for k in rng.integers(1, 5, 120)]
    log = Interactions.from_columns(np.repeat(range(20), 6), items, rng.random(120), make_catalogue(4))
    assert steps.split(log, DataSettings()).name == "leave-one-out"
    late = steps.split(log, DataSettings(split="global-time", test=0.3))
    assert late.name == "global-time" and len(late.test) > len(late.valid)
