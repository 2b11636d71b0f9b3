"""Names of items: the external id and the title of each item number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from dmesr_core.errors import DataError


@dataclass(frozen=True)
class ItemNames:
    """Ids and titles of N items; item number k (1..N) is entry k - 1 of both.

    A split, features and a trained model each carry the names of their items, so that they are matched by id and
    never by position alone.

    Raises:
        DataError: as many titles as ids are needed.
    """

    ids: tuple[str, ...]  # external ids, all different
    titles: tuple[str, ...]  # may be ""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.titles):
            raise DataError(f"{len(self.ids):,} ids but {len(self.titles):,} titles: one per item is needed")

    @classmethod
    def numbered(cls, n: int) -> ItemNames:
        """Names of items that have none: the ids are "1" to "n", the titles are empty."""
        return cls(tuple(map(str, range(1, n + 1))), ("",) * n)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<ItemNames of {len(self):,} items>"

    def __getitem__(self, k: int) -> tuple[str, str]:
        """Id and title of item number `k`, 1..N."""
        if not 1 <= k <= len(self):
            raise DataError(f"there is no item number {k}: items run from 1 to {len(self):,}")
        return self.ids[k - 1], self.titles[k - 1]

    def __add__(self, more: ItemNames) -> ItemNames:
        return ItemNames(self.ids + more.ids, self.titles + more.titles)

    def numbers(self, ids: Iterable[str]) -> np.ndarray:
        """The numbers of many ids at once, (n,) int64; 0 for an id that is none of these."""
        ids = ids if isinstance(ids, (np.ndarray, pd.Series, pd.Index)) else list(ids)
        return self._lookup.get_indexer(pd.Index(ids, dtype=object)).astype(np.int64) + 1

    def subset(self, item_numbers: Iterable[int]) -> ItemNames:
        """The items with these numbers, in this order."""
        rows = [int(k) - 1 for k in item_numbers]
        return ItemNames(tuple(self.ids[row] for row in rows), tuple(self.titles[row] for row in rows))

    @cached_property
    def _lookup(self) -> pd.Index:
        return pd.Index(self.ids, dtype=object)
