"""The two text-only neighbours: no look at the future, no trace of padding, numbering or company, new items by text."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_material import BACKBONE, N, make_material
from scipy import sparse

from dmesr_core.data.sequences import Sequences
from dmesr_core.experiments.variants import Variant, build
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.baselines import LLMESR, LLMEmb, cooccurrences, ppmi, ppmi_embeddings
from dmesr_core.models.recommender import known_items
from dmesr_core.models.vectors import principal_components, standardise

KINDS = ("llm_esr", "llm_emb")


def model_of(kind, name="sasrec", **changes):
    settings = BackboneSettings(name, width=16, max_len=8, heads=2)
    return build(Variant(kind, changes), make_material(), settings, 0).eval()


def expected(model, histories):
    """What the model expects after every position, (B, T, D)."""
    items = torch.as_tensor(histories)
    return model.backbone(model.item_table()[items], items > 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_the_future_changes_nothing(kind, name):
    model = model_of(kind, name)
    # Positions are counted from the end, so both histories have the same length.
    one, other = [[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 4, 9, 11]]
    before, after = expected(model, one), expected(model, other)
    torch.testing.assert_close(before[:, :4], after[:, :4], atol=1e-6, rtol=0)
    assert (before[:, 4:] - after[:, 4:]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "bert4rec"])
def test_neither_padding_nor_company_matters(kind, name):
    model = model_of(kind, name)
    table = model.item_table()
    alone = model.user(table, torch.tensor([[3, 1, 4]]))
    beside = model.user(table, torch.tensor([[3, 1, 4, 0, 0, 0], [2, 7, 1, 8, 2, 6], [5, 0, 0, 0, 0, 0]]))
    torch.testing.assert_close(alone[0], beside[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
def test_both_views_look_at_each_other(name):
    model = model_of("llm_esr", name)
    width = model.backbone.attentions[0].out.in_features
    items = torch.tensor([[1, 2, 3]])
    table = model.item_table()
    for view in (slice(0, width), slice(width, None)):  # semantic, collaborative
        changed = table.clone()
        changed[2, view] += torch.linspace(-1, 1, width)  # not the same everywhere: layer norm would not see it
        moved = model.user(changed, items) - model.user(table, items)
        assert moved[0, :width].abs().max() > 1e-4 and moved[0, width:].abs().max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_items_unseen_in_training_are_known_by_their_text(kind):
    material = make_material()
    assert material.split.train_counts[N] == 0
    table = model_of(kind).item_table()
    width = BACKBONE.width
    assert table[N, :width].abs().max() > 1e-3  # the view made of text
    assert not table[N, width:].any()  # and no ID vector, where there is one
    if kind == "llm_esr":
        assert table[1, width:].abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbering_of_items_plays_no_part(kind):
    model = model_of(kind)
    order = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(N) + 1])  # new number -> old number
    renumbered = model_of(kind)
    renumbered.text.rows = model.text.rows[order]
    renumbered.known = model.known[order]
    if kind == "llm_esr":
        renumbered.collaborative.weight.data = model.collaborative.weight[order]
    new_number = torch.argsort(order)
    history = torch.tensor([[3, 1, 4, 1, 5]])
    table, new_table = model.item_table(), renumbered.item_table()
    scores = model.scores(model.user(table, history), table)
    new_scores = renumbered.scores(renumbered.user(new_table, new_number[history]), new_table)
    torch.testing.assert_close(scores[:, order], new_scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_some_items_is_a_part_of_the_whole(kind):
    model = model_of(kind)
    some = torch.tensor([0, 7, 2, N])
    torch.testing.assert_close(model.item_table(some), model.item_table()[some], atol=1e-6, rtol=0)


def test_the_collaborative_table_starts_as_the_text():
    features = make_material().features
    model = LLMESR(BACKBONE, torch.as_tensor(features.sentence), torch.ones(N + 1))
    start = model.collaborative.weight
    assert not start[0].any()
    text = standardise(torch.as_tensor(features.sentence))[1:]  # 8 directions: all of them fit into 16 columns
    gram = start[1:] @ start[1:].T
    torch.testing.assert_close(gram / gram.trace(), (text @ text.T) / (text @ text.T).trace(), atol=1e-5, rtol=0)


def test_alignment_pulls_adapted_vectors_to_those_of_the_same_item():
    generator = torch.Generator().manual_seed(0)
    text, target = torch.randn(41, 20, generator=generator), torch.randn(41, 16, generator=generator)
    target[0] = 0
    torch.manual_seed(0)
    model = LLMEmb(BACKBONE, text, target, torch.ones(41), alpha=1.0, components=20)
    optimizer = torch.optim.Adam(model.adapter.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = model.encode_items(torch.arange(41))[1]()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 3 and losses[-1] < 0.5 * losses[0]  # log(40) = 3.7 by chance
    assert LLMEmb(BACKBONE, text, target, torch.ones(41), alpha=0.0).encode_items(torch.arange(41))[1] is None


def test_items_without_a_neighbour_take_no_part_in_the_alignment():
    text, target = torch.randn(6, 20), torch.zeros(6, 16)
    model = LLMEmb(BACKBONE, text, target, torch.ones(6))
    assert model.encode_items(torch.arange(6))[1]() is None


def test_items_bought_together_lie_together():
    rng = np.random.default_rng(0)
    # Two worlds that never meet: items 1-5 and 6-10; item 11 was never bought.
    histories = [rng.permutation(5)[:4] + 1 + 5 * (u % 2) for u in range(200)]
    vectors = ppmi_embeddings(Sequences.from_lists(histories), 11, 4)
    assert vectors.shape == (12, 4)
    assert not vectors[0].any() and not vectors[11].any()
    unit = torch.nn.functional.normalize(vectors[1:11], dim=1)
    cosine = unit @ unit.T
    assert cosine[:5, :5].min() > 0.9 and cosine[5:, 5:].min() > 0.9
    assert cosine[:5, 5:].abs().max() < 0.1
    assert torch.equal(vectors, ppmi_embeddings(Sequences.from_lists(histories), 11, 4))


def test_collaborative_vectors_see_training_only():
    split = make_material().split
    vectors = ppmi_embeddings(split.train, N, 8)
    assert vectors.any(1).tolist() == known_items(split).tolist()


def test_principal_components():
    vectors = torch.zeros(101, 3)
    vectors[1:, 0] = torch.linspace(-3, 3, 100)
    vectors[1:, 2] = 0.1 * torch.sin(torch.arange(100.0))
    out = principal_components(vectors, 5)
    assert out.shape == (101, 5) and not out[0].any() and not out[:, 3:].any()
    assert out[:, 0].std() > 10 * out[:, 1].std() > 0
    assert torch.equal(principal_components(vectors, 1), principal_components(vectors, 1))


def test_cooccurrences_count_pairs_within_the_window_symmetrically():
    counts = cooccurrences(Sequences.from_lists([[1, 2, 3], [1, 2]]), 4, 1).toarray()
    assert counts[1, 2] == counts[2, 1] == 2 and counts[2, 3] == 1 and counts[1, 3] == 0
    assert cooccurrences(Sequences.from_lists([[1, 2, 3]]), 4, 2)[1, 3] == 1


def test_ppmi_is_the_log_of_observed_over_expected_where_that_is_positive():
    counts = sparse.csr_matrix(np.array([[0, 0, 0], [0, 0, 3.0], [0, 3.0, 2.0]]))
    found = ppmi(counts).toarray()
    assert found[1, 2] == pytest.approx(np.log(3 * 8 / (3 * 5)))
    assert found[2, 2] == 0  # log(2 * 8 / 25) is negative


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux does")
def test_a_large_catalogue_needs_memory_for_its_pairs_only():
    """The dense matrix of 20,000 items would take 3.2 GB in double precision."""
    code = """
import re
from pathlib import Path
import numpy as np
from dmesr_core.data.sequences import Sequences
from dmesr_core.models.baselines import cooccurrences, ppmi, ppmi_embeddings

def peak():
    # `ru_maxrss` would start at the peak of the process that started this one.
    return int(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024

before = peak()
items = np.random.default_rng(0).integers(1, 20_001, 40_000)
train = Sequences.from_lists(items.reshape(-1, 10))
assert ppmi_embeddings(train, 20_000, 16).shape == (20_001, 16)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 400  # MB
