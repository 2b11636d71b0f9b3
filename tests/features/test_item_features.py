"""Features as arrays: matched to items by id."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import N, make_material

from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError

NAMES = ItemNames(tuple("abcdefghijkl"), tuple("ABCDEFGHIJKL"))


def named():
    features = make_material().features
    return replace(features, item_names=NAMES, tokens=[[], *([id] for id in NAMES.ids)])


def test_features_are_matched_by_id():
    features = named()
    chosen = NAMES.subset([3, 12, 1])
    found = features.matching(chosen)
    assert len(found) == 3
    assert found.item_names == chosen
    assert found.tokens == [[], ["c"], ["l"], ["a"]]
    for name in ("coarse_picture", "coarse_text", "fine", "fine_mask", "sentence"):
        assert np.array_equal(getattr(found, name), getattr(features, name)[[0, 3, 12, 1]])


def test_features_stay_as_they_are_where_there_is_nothing_to_match():
    features = named()
    assert features.matching(None) is features
    assert features.matching(NAMES) is features
    assert make_material().features.matching(NAMES).item_names is None
    assert len(features) == N


def test_an_item_without_features_is_named():
    with pytest.raises(DataError, match="2 of 3 items have no features, the first is 'new'"):
        named().matching(ItemNames(("a", "new", "newer"), ("", "", "")))
