"""Results of one extraction: read from the store, or computed and stored where they are missing there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from dmesr_core.errors import DataError
from dmesr_core.features.reasons import ItemError
from dmesr_core.features.store import FeatureStore, Record

SHARD = 256  # results per stored shard: at most this many are lost when the process is killed


@dataclass
class Work:
    """The results that one view of a catalogue needs."""

    view: str  # its name in reports and messages
    keys: Sequence[str | None]  # of item 1, 2, ...; None for an item that needs no result
    jobs: dict[str, Any]  # key -> input of the computation

    def items(self) -> dict[str, list[int]]:
        """Key -> the numbers of the items that share the result."""
        found: dict[str, list[int]] = {}
        for k, key in enumerate(self.keys, start=1):
            if key is not None:
                found.setdefault(key, []).append(k)
        return found


class StoredResults:
    """The results of one extraction of items with these `ids`."""

    def __init__(self, store: FeatureStore, ids: tuple[str, ...], progress: bool):
        self.store, self.ids, self.progress = store, ids, progress
        self.needed: dict[str, int] = {}  # view -> number of results
        self.computed: dict[str, int] = {}  # view -> number of results that were not in the store

    def is_missing(self, work: Work) -> bool:
        """Whether something has to be computed."""
        return any(key not in self.store for key in work.jobs)

    def get(self, work: Work, compute: Callable, batch_size: int) -> Iterator[tuple[list[int], Record]]:
        """Each result with the numbers of the items that share it, in no particular order.

        Args:
            work: what is needed.
            compute: maps a list of inputs to a list of records.
            batch_size: the number of inputs per call of `compute` is a multiple of it.
        """
        items = work.items()
        self.needed[work.view], self.computed[work.view] = len(work.jobs), 0
        todo = list(work.jobs)
        for _ in range(3):  # again, if the store turns out to be damaged while it is read
            self._compute_missing(work, [key for key in todo if key not in self.store], compute, batch_size)
            done = set()
            for key, record in self.store.read(todo):
                yield items[key], record
                done.add(key)
            todo = [key for key in todo if key not in done]
            if not todo:
                return
        raise DataError(f"feature store {self.store.folder}: cannot be read back; is the disk failing?")

    def _compute_missing(self, work: Work, keys: list[str], compute: Callable, batch_size: int) -> None:
        """Compute the missing results, and store them shard by shard."""
        if not keys:
            return
        step = -(-SHARD // batch_size) * batch_size
        with tqdm(total=len(keys), desc=work.view, unit="item", disable=None if self.progress else True) as bar:
            for start in range(0, len(keys), step):
                chunk = keys[start : start + step]
                try:
                    records = compute([work.jobs[key] for key in chunk])
                except ItemError as error:
                    first = self.ids[work.items()[chunk[error.index]][0] - 1]
                    raise DataError(f"item {first!r}, {work.view} view: {error.reason}") from error
                self.store.write(dict(zip(chunk, records, strict=True)))
                self.computed[work.view] += len(chunk)
                bar.update(len(chunk))

    def counts(self) -> dict[str, Any]:
        """Numbers of computed and reused results, for the report."""
        computed = sum(self.computed.values())
        reused = max(0, sum(self.needed.values()) - computed)
        return {"computed": computed, "reused": reused, "computed_by_view": dict(self.computed)}
