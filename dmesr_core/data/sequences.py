"""Sequences of items, splits into training sequences and cases, padded tensors, batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from dmesr_core.data.checks import check_whole
from dmesr_core.data.html_tables import html_table
from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import Chunked


@dataclass(frozen=True, eq=False)
class Sequences:
    """S sequences of items as spans of flat arrays: sequence s is `starts[s]` to `ends[s]`.

    Spans may overlap and leave gaps. So the histories of all cases of a user, which are prefixes of one sequence, need
    no memory of their own.
    """

    shared_items: np.ndarray  # (n,) int64, item numbers 1..N; may hold events that belong to no sequence
    shared_times: np.ndarray  # (n,) float64, when each event happened
    starts: np.ndarray  # (S,) int64
    ends: np.ndarray  # (S,) int64

    @classmethod
    def from_lists(cls, items: Iterable[Iterable[int]], times: Iterable[Iterable[float]] | None = None) -> Sequences:
        """Sequences given one by one; without `times`, the events of each happened at 0, 1, 2, ...

        Raises:
            DataError: a sequence and its times differ in length.
        """
        parts = [np.asarray(part, dtype=np.int64).reshape(-1) for part in items]
        if times is None:
            clocks = [np.arange(len(part), dtype=np.float64) for part in parts]
        else:
            clocks = [np.asarray(clock, dtype=np.float64).reshape(-1) for clock in times]
            if [len(p) for p in parts] != [len(c) for c in clocks]:
                raise DataError("each sequence of items needs as many times as it has items")
        offsets = _offsets([len(part) for part in parts])
        return cls(_join(parts, np.int64), _join(clocks, np.float64), offsets[:-1], offsets[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"<Sequences: {len(self):,} of {self.lengths.sum():,} events>"

    def __getitem__(self, s: int) -> np.ndarray:
        """The items of sequence `s`, oldest first, (length,) int64; a view, not a copy."""
        return self.shared_items[self._span(s)]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[s] for s in range(len(self)))

    def times_of(self, s: int) -> np.ndarray:
        """The times of sequence `s`, (length,) float64; a view, not a copy."""
        return self.shared_times[self._span(s)]

    @property
    def lengths(self) -> np.ndarray:
        """(S,) int64"""
        return self.ends - self.starts

    @property
    def offsets(self) -> np.ndarray:
        """Where each sequence begins in `items` and `times`, and where the last one ends, (S+1,) int64."""
        return _offsets(self.lengths)

    @property
    def items(self) -> np.ndarray:
        """The items of all sequences, one after the other, (sum of lengths,) int64; a copy, unless they are packed.

        Where spans overlap, this may be far larger than what is stored; `chunked_items` needs no such memory.
        """
        return (self if self._is_packed() else self.packed()).shared_items

    @property
    def times(self) -> np.ndarray:
        """The times of all sequences, one after the other, (sum of lengths,) float64; a copy, unless packed."""
        return (self if self._is_packed() else self.packed()).shared_times

    def chunked_items(self) -> Chunked:
        """`items` one sequence at a time, for `files.digest`; the hash is that of `items`."""
        return Chunked(self.shared_items.dtype, (int(self.lengths.sum()),), iter(self))

    def packed(self) -> Sequences:
        """The same sequences, copied to new arrays, one after the other without gaps."""
        offsets = self.offsets
        where = np.repeat(self.starts - offsets[:-1], self.lengths) + np.arange(offsets[-1])
        return Sequences(self.shared_items[where], self.shared_times[where], offsets[:-1], offsets[1:])

    def take(self, rows: np.ndarray, last: int | None = None) -> Sequences:
        """The sequences `rows`, in this order, each with at most its `last` events; events are shared, not copied."""
        rows = np.asarray(rows, dtype=np.int64)
        starts, ends = self.starts[rows], self.ends[rows]
        if last is not None:
            starts = np.maximum(starts, ends - last)
        return Sequences(self.shared_items, self.shared_times, starts, ends)

    def _is_packed(self) -> bool:
        offsets = self.offsets
        return offsets[-1] == len(self.shared_items) and np.array_equal(self.starts, offsets[:-1])

    def _span(self, s: int) -> slice:
        if not -len(self) <= s < len(self):
            raise IndexError(f"there is no sequence {s}: there are {len(self):,}")
        return slice(self.starts[s], self.ends[s])


@dataclass(frozen=True, eq=False)
class Cases:
    """C cases of next-item prediction: a history, and the item that came next (the target)."""

    histories: Sequences  # C sequences
    targets: np.ndarray  # (C,) int64, the item that came next
    times: np.ndarray  # (C,) float64, when it happened
    users: np.ndarray  # (C,) int64, the user of each case (numbered as in the `Interactions`)

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"<Cases: {len(self):,} of {len(np.unique(self.users)):,} users>"


@dataclass(frozen=True, eq=False)
class Split:
    """Training sequences, validation and test cases; made by `Interactions.leave_one_out` or `.global_time`.

    Example:
        >>> from dmesr_core.data.interactions import Interactions
        >>> log = Interactions.from_columns(["ann"] * 3 + ["bob"], [1, 2, 3, 1], [10, 20, 30, 10], 3)
        >>> split = log.leave_one_out()
        >>> split
        <Split 'leave-one-out': 2 training sequences, 1 validation and 1 test cases, 3 items>
        >>> split.test.histories[0].tolist(), int(split.test.targets[0])
        ([1, 2], 3)
        >>> split.train_counts.tolist()  # how often each item occurs in training; item 0 is padding
        [0, 2, 0, 0]
        >>> split.report["users_without_cases"]
        1
    """

    train: Sequences
    valid: Cases  # for early stopping and the choice of settings
    test: Cases  # for the reported metrics only
    n_items: int
    train_counts: np.ndarray  # (N+1,) int64, how often each item occurs in training; index 0 (padding) is 0
    name: str  # "leave-one-out" or "global-time"
    report: dict[str, float] = field(default_factory=dict)  # counts made while splitting
    item_names: ItemNames | None = None  # ids and titles, if the log came with a catalogue

    def __repr__(self) -> str:
        parts = (
            f"{len(self.train):,} training sequences, {len(self.valid):,} validation and {len(self.test):,} test cases"
        )
        return f"<Split {self.name!r}: {parts}, {self.n_items:,} items>"

    def _repr_html_(self) -> str:
        rows = [
            ("training", f"{len(self.train):,} sequences of {self.train.lengths.sum():,} events"),
            ("validation", f"{len(self.valid):,} cases"),
            ("test", f"{len(self.test):,} cases"),
        ]
        return html_table(f"Split {self.name!r} with {self.n_items:,} items", ("part", "holds"), rows)


def check_split(split: object) -> None:
    """Whether an argument is a split, and not the data that it is made from.

    Raises:
        SettingsError: says how to make one.
    """
    if not isinstance(split, Split):
        raise SettingsError(
            f"wanted a split, as data.interactions.leave_one_out() or .global_time() makes it; got "
            f"{type(split).__name__}"
        )


def pad(sequences: Sequences | Iterable[Iterable[int]], max_len: int) -> torch.Tensor:
    """A batch of sequences as one tensor (B, T) int64, padded with 0 on the right.

    Only the last `max_len` items of a sequence are kept. T is the largest length in the batch, at least 1 (a batch
    of empty histories is one column of padding).
    """
    check_whole("max_len", max_len, 1)
    if not isinstance(sequences, Sequences):
        sequences = Sequences.from_lists(sequences)
    lengths = np.minimum(sequences.lengths, max_len)  # (B,)
    column = np.arange(max(1, lengths.max(initial=1)))  # (T,)
    filled = column < lengths[:, None]  # (B, T)
    out = np.zeros(filled.shape, dtype=np.int64)
    starts = sequences.ends - lengths
    out[filled] = sequences.shared_items[(starts[:, None] + column)[filled]]
    return torch.from_numpy(out)


def length_batches(
    lengths: np.ndarray, batch_size: int, generator: np.random.Generator | torch.Generator | None = None
) -> list[np.ndarray]:
    """Batches of row numbers; the sequences of a batch have similar lengths, which saves padding.

    Each row occurs exactly once. With a generator, rows of equal length and the order of the batches are shuffled;
    without, rows are sorted by length, and equal lengths keep their order.

    Raises:
        SettingsError: `batch_size` below 1.
    """
    check_whole("batch_size", batch_size, 1)
    lengths = np.asarray(lengths)
    if isinstance(generator, torch.Generator):
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        generator = np.random.default_rng(seed)
    rows = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    rows = rows[np.argsort(lengths[rows], kind="stable")]
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return batches if generator is None else [batches[b] for b in generator.permutation(len(batches))]


def _offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """0 and the running sum of the lengths, (S+1,) int64."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _join(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
