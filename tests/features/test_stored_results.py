"""Results of an extraction: what is missing is computed shard by shard, and what fails is named by its item."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.errors import DataError
from dmesr_core.features import stored_results
from dmesr_core.features.reasons import ItemError
from dmesr_core.features.store import FeatureStore, Record
from dmesr_core.features.stored_results import StoredResults, Work

IDS = ("a", "b", "c", "d", "e", "f")
WORK = Work("text", ["k1", None, "k2", "k1", "k3", "k4"], {"k4": 4, "k3": 3, "k2": 2, "k1": 1})


def double(numbers: list[int]) -> list[Record]:
    return [Record(np.array([2 * number]), {}) for number in numbers]


def test_items_that_share_a_key_share_a_result(tmp_path):
    results = StoredResults(FeatureStore(tmp_path), IDS, progress=False)
    assert results.is_missing(WORK)
    found = {tuple(items): int(record.array[0]) for items, record in results.get(WORK, double, 1)}
    assert found == {(1, 4): 2, (3,): 4, (5,): 6, (6,): 8}
    assert not results.is_missing(WORK)
    assert results.counts() == {"computed": 4, "reused": 0, "computed_by_view": {"text": 4}}
    again = StoredResults(FeatureStore(tmp_path), IDS, progress=False)
    assert len(list(again.get(WORK, lambda _: pytest.fail("computed again"), 1))) == 4
    assert again.counts() == {"computed": 0, "reused": 4, "computed_by_view": {"text": 0}}


def test_an_input_that_fails_is_named_by_its_first_item_and_earlier_shards_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_results, "SHARD", 2)

    def fail_at_one(numbers: list[int]) -> list[Record]:
        if 1 in numbers:
            raise ItemError(numbers.index(1), "is odd")
        return double(numbers)

    results = StoredResults(FeatureStore(tmp_path), ("x", *IDS[1:]), progress=False)
    with pytest.raises(DataError, match="item 'x', text view: is odd"):
        list(results.get(WORK, fail_at_one, 1))
    assert len(FeatureStore(tmp_path)) == 2
