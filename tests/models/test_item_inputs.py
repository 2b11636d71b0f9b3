"""Rows made from features: the statistics of the first items, a fixed sign, and items that come later."""

from __future__ import annotations

import pytest
import torch

from dmesr_core.errors import DataError
from dmesr_core.models.item_inputs import StandardisedVectors, TokenStates
from dmesr_core.models.vectors import principal_components, standardise


def vectors(n=30, width=6, seed=0):
    out = torch.randn(n + 1, width, generator=torch.Generator().manual_seed(seed)) * 3 + 1
    out[0] = 0
    return out


def test_vectors_are_standardised_and_row_0_is_padding():
    block = StandardisedVectors(6)
    block.learn(vectors())
    torch.testing.assert_close(block(torch.arange(31)), standardise(vectors()))


def test_components_are_the_principal_components_of_standardised_vectors():
    block = StandardisedVectors(6, components=4)
    block.learn(vectors())
    want = principal_components(standardise(vectors()), 4)
    torch.testing.assert_close(block(torch.arange(31)), want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("components", [None, 4])
def test_items_that_come_later_use_what_was_learned_before(components):
    block, whole = StandardisedVectors(6, components), vectors()
    block.learn(whole[:21])
    first = block.rows.clone()
    block.append(100 * whole[21:])
    assert torch.equal(block.rows[:21], first)
    again = StandardisedVectors(6, components)
    again.load_state_dict(block.state_dict())
    again.append(whole[5:9])
    torch.testing.assert_close(again.rows[1:], first[5:9], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("components", [0, 3, 20])
def test_token_states_that_come_later(components):
    g = torch.Generator().manual_seed(1)
    mask = torch.arange(5) < torch.randint(1, 6, (21, 1), generator=g)
    mask[0] = False
    fine = torch.randn(21, 5, 8, generator=g).half() * mask[..., None]
    block = TokenStates(8, components, tokens=4)
    block.learn(fine, mask)
    rows, its_mask = block(torch.arange(21))
    assert rows.shape == (21, 4, 3 if components == 3 else 8) and torch.equal(its_mask, mask[:, :4])
    assert not rows[~its_mask].any() and rows[its_mask].std().item() == pytest.approx(1, abs=1e-4)
    again = TokenStates(8, components, tokens=4)
    again.load_state_dict(block.state_dict())
    again.append(fine[1:], mask[1:])
    torch.testing.assert_close(again.rows, rows)


@pytest.mark.parametrize("threads", [2, 3])
def test_what_is_learned_does_not_depend_on_the_number_of_threads(threads):
    """Rounding differs between numbers of threads, and an eigenvector has no sign of its own: neither may show."""
    given = vectors(3_000, 48, seed=2)
    fine = torch.randn(400, 6, 64, generator=torch.Generator().manual_seed(3)).half()
    before = torch.get_num_threads()
    learned = []
    try:
        for n in (1, threads):
            torch.set_num_threads(n)
            block, tokens = StandardisedVectors(48, 20), TokenStates(64, 24, 6)
            block.learn(given)
            tokens.learn(fine, torch.ones(400, 6).bool())
            learned.append({**block.state_dict(prefix="v"), **tokens.state_dict(prefix="t")})
    finally:
        torch.set_num_threads(before)
    for name, value in learned[0].items():
        torch.testing.assert_close(learned[1][name], value, rtol=0, atol=1e-6)


def test_main_directions_have_a_fixed_sign():
    block, other = StandardisedVectors(6, 6), StandardisedVectors(6, 6)
    block.learn(vectors())
    other.learn(torch.cat([vectors()[:1], vectors()[1:].flip(0)]))  # another order of the same items
    torch.testing.assert_close(other.directions, block.directions, atol=1e-4, rtol=1e-3)
    largest = block.directions.gather(0, block.directions.abs().argmax(0, keepdim=True))
    assert (largest > 0).all()


def test_the_source_is_that_of_the_features():
    one, other, changed = (StandardisedVectors(6) for _ in range(3))
    one.learn(vectors())
    other.learn(vectors())
    changed.learn(vectors(seed=1))
    assert one.source == other.source != changed.source


def test_no_items_and_one_item():
    block = StandardisedVectors(6, 3)
    block.learn(vectors()[:1])
    assert block.rows.shape == (1, 3)
    block = StandardisedVectors(6)
    block.learn(vectors()[:2])
    assert torch.isfinite(block.rows).all()
    tokens = TokenStates(8, 3, 4)
    tokens.learn(torch.zeros(3, 0, 8), torch.zeros(3, 0).bool())
    assert tokens.rows.shape == (3, 0, 3)


def test_another_width_is_refused():
    block, tokens = StandardisedVectors(6), TokenStates(8, 3, 4)
    block.learn(vectors())
    with pytest.raises(DataError, match="features of width 5 for a model that reads 6"):
        block.append(torch.zeros(2, 5))
    with pytest.raises(DataError, match="features of width 9 for a model that reads 8"):
        tokens.append(torch.zeros(2, 4, 9), torch.zeros(2, 4))
