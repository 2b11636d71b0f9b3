"""Names of items: numbers of ids, subsets, sums."""

from __future__ import annotations

import pytest

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.interactions import Interactions, keep_core
from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError

NAMES = ItemNames(("b", "a", "0"), ("Bowl", "", "Zero"))


def test_numbers_of_ids():
    assert NAMES.numbers(["0", "b", "x", "a"]).tolist() == [3, 1, 0, 2]
    assert NAMES.numbers([]).tolist() == []


def test_subset_and_sum():
    assert NAMES.subset([3, 1]) == ItemNames(("0", "b"), ("Zero", "Bowl"))
    assert NAMES.subset([1]) + NAMES.subset([2, 3]) == NAMES
    assert ItemNames.numbered(2) == ItemNames(("1", "2"), ("", ""))


def test_one_title_per_id():
    with pytest.raises(DataError, match="2 ids but 1 titles"):
        ItemNames(("a", "b"), ("A",))


def test_names_follow_their_items_through_log_and_split():
    ids = ("a", "b", "c", "d")
    catalogue = Catalogue(ids, ("A", "B", "C", "D"), ("",) * 4, (None,) * 4)
    events = [(user, item) for user in "xyz" for item in "bdd"] + [("x", "a")]
    log = Interactions.from_columns(
        [user for user, _ in events], [item for _, item in events], range(len(events)), catalogue
    )
    assert log.item_names == catalogue.names
    smaller, core = keep_core(catalogue, log, 2)
    assert core.item_names == smaller.names == ItemNames(("b", "d"), ("B", "D"))
    assert core.leave_one_out().item_names == core.global_time(0.2, 0.2).item_names == core.item_names
