"""What identifies the data of a training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import make_material

from dmesr_core.files import digest


@pytest.mark.parametrize("split", ["leave-one-out", "global-time"])
def test_the_fingerprint_is_the_hash_of_the_flat_arrays(split):
    """Stored rows are found by it: how histories lie in memory must not change it."""
    s = make_material(split=split).split
    flat = [np.array([s.n_items]), s.train.items, s.train.offsets]
    for cases in (s.valid, s.test):
        items = np.concatenate([cases.histories[c] for c in range(len(cases))])
        offsets = np.cumsum([0, *(len(cases.histories[c]) for c in range(len(cases)))])
        flat += [items, offsets, cases.targets, cases.users]
    assert make_material(split=split).fingerprint == digest(*flat)


def test_other_targets_have_another_fingerprint():
    material = make_material()
    other = replace(material.split.test, targets=np.roll(material.split.test.targets, 1))
    assert replace(material, split=replace(material.split, test=other)).fingerprint != material.fingerprint
