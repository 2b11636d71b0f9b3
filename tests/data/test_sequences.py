"""Sequences, padding on the right, and batches of similar lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dmesr_core.data.sequences import Sequences, length_batches, pad
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import digest

LISTS = [[5, 6, 7], [], [8], [1, 2, 3, 4]]


def test_sequences_give_back_what_they_were_made_of():
    sequences = Sequences.from_lists(LISTS)
    assert [s.tolist() for s in sequences] == LISTS and len(sequences) == 4
    assert sequences.lengths.tolist() == [3, 0, 1, 4] and sequences.items.dtype == np.int64
    assert sequences[-1].tolist() == [1, 2, 3, 4] and sequences.times_of(0).tolist() == [0, 1, 2]
    for s in (4, -5):
        with pytest.raises(IndexError, match="no sequence"):
            sequences[s]


def test_times_go_with_items():
    sequences = Sequences.from_lists([[1, 2], [3]], [[0.5, 9.0], [2.0]])
    assert sequences.times_of(0).tolist() == [0.5, 9.0] and sequences.times_of(1).tolist() == [2.0]
    with pytest.raises(DataError, match="as many times"):
        Sequences.from_lists([[1, 2], [3]], [[0.5], [2.0]])


def test_take():
    sequences = Sequences.from_lists(LISTS)
    assert [s.tolist() for s in sequences.take([3, 1, 0, 3])] == [LISTS[3], [], LISTS[0], LISTS[3]]
    last = sequences.take([3, 1, 0], last=2)
    assert [s.tolist() for s in last] == [[3, 4], [], [6, 7]] and last.times_of(0).tolist() == [2, 3]
    assert len(sequences.take([])) == 0


def test_spans_may_overlap_and_leave_gaps():
    prefixes = Sequences(np.array([7, 8, 9, 5]), np.array([0.0, 1, 2, 9]), np.array([0, 0, 1]), np.array([1, 2, 3]))
    assert [s.tolist() for s in prefixes] == [[7], [7, 8], [8, 9]] and prefixes.times_of(2).tolist() == [1, 2]
    assert prefixes.items.tolist() == [7, 7, 8, 8, 9] and prefixes.times.tolist() == [0, 0, 1, 1, 2]
    assert prefixes.offsets.tolist() == [0, 1, 3, 5]
    assert pad(prefixes, 3).tolist() == pad([[7], [7, 8], [8, 9]], 3).tolist()
    packed = prefixes.packed()
    assert [s.tolist() for s in packed] == [s.tolist() for s in prefixes]
    assert packed.items is packed.shared_items and packed.times is packed.shared_times  # no copy


def test_take_shares_its_events():
    sequences = Sequences.from_lists(LISTS)
    assert sequences.take([3, 0]).shared_items is sequences.shared_items
    assert not np.shares_memory(sequences.packed().items, sequences.items)


@pytest.mark.parametrize("rows", [[], [1], [0, 1, 2, 3], [3, 3, 0]])
def test_chunks_have_the_hash_of_the_whole(rows):
    sequences = Sequences.from_lists(LISTS).take(rows)
    assert digest(sequences.chunked_items()) == digest(sequences.items)


def test_no_sequences():
    none = Sequences.from_lists([])
    assert len(none) == 0 and list(none) == [] and pad(none, 3).shape == (0, 1)


def test_pad_on_the_right():
    batch = pad(LISTS, 10)
    assert batch.dtype == torch.int64
    assert batch.tolist() == [[5, 6, 7, 0], [0, 0, 0, 0], [8, 0, 0, 0], [1, 2, 3, 4]]
    assert torch.equal(pad(Sequences.from_lists(LISTS), 10), batch)


def test_pad_keeps_the_last_items():
    assert pad(LISTS, 2).tolist() == [[6, 7], [0, 0], [8, 0], [3, 4]]
    assert pad(LISTS, 1).tolist() == [[7], [0], [8], [4]]
    assert pad([[], []], 5).tolist() == [[0], [0]]
    for bad in (0, 2.5, "3", None):
        with pytest.raises(SettingsError, match="max_len must be a whole number, at least 1"):
            pad(LISTS, bad)


def test_pad_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    lists = [rng.integers(1, 99, rng.integers(0, 30)).tolist() for _ in range(200)]
    for max_len in (1, 7, 40):
        width = max(min(len(x), max_len) for x in lists)
        expected = [x[-max_len:] + [0] * (width - len(x[-max_len:])) for x in lists]
        assert pad(lists, max_len).tolist() == expected


@pytest.mark.parametrize("generator", [None, np.random.default_rng(3), torch.Generator().manual_seed(3)])
@pytest.mark.parametrize(("n", "batch_size"), [(0, 4), (1, 4), (103, 10), (100, 10), (5, 100)])
def test_every_row_is_in_one_batch(generator, n, batch_size):
    lengths = np.random.default_rng(0).integers(1, 9, n)
    batches = length_batches(lengths, batch_size, generator)
    assert sorted(np.concatenate([*batches, np.zeros(0, int)]).tolist()) == list(range(n))
    assert len(batches) == -(-n // batch_size) and all(1 <= len(b) <= batch_size for b in batches)


def test_batches_hold_similar_lengths():
    lengths = np.random.default_rng(0).integers(1, 200, 1_000)
    batches = length_batches(lengths, 20, np.random.default_rng(1))
    waste = sum(len(b) * lengths[b].max() for b in batches) / lengths.sum()
    assert waste < 1.05
    short_to_long = [lengths[b].min() for b in batches]
    assert short_to_long != sorted(short_to_long)  # the batches come in random order


def test_batches_follow_the_seed():
    lengths = np.random.default_rng(0).integers(1, 4, 300)

    def order(generator):
        return [b.tolist() for b in length_batches(lengths, 32, generator)]

    assert order(np.random.default_rng(1)) == order(np.random.default_rng(1)) != order(np.random.default_rng(2))
    torch_order = [order(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch_order[0] == torch_order[1] != torch_order[2]
    # who shares a batch changes too, not only the order of the batches
    assert {frozenset(b) for b in torch_order[0]} != {frozenset(b) for b in torch_order[2]}
    assert order(None)[0] == np.flatnonzero(lengths == 1)[:32].tolist()


def test_batch_size_must_make_sense():
    for bad in (0, 2.5, "3", None):
        with pytest.raises(SettingsError, match="batch_size must be a whole number, at least 1"):
            length_batches(np.ones(3), bad)
