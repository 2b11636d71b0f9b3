"""The whole model: each arrow of its picture in a limiting case."""

from types import SimpleNamespace

import pytest
import torch

from dmesr_core.backbones import BACKBONES, BackboneSettings
from dmesr_core.dmesr import DMESR, VIEWS, DMESRSettings, FeatureRecommender
from dmesr_core.errors import SettingsError

N = 12
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2, dropout=0.1)


def features(n=N, seed=0):
    g = torch.Generator().manual_seed(seed)
    fine_mask = torch.arange(6)[None] < torch.randint(1, 7, (n + 1, 1), generator=g)
    fine_mask[0] = False
    return SimpleNamespace(
        coarse_picture=torch.randn(n + 1, 10, generator=g),
        coarse_text=torch.randn(n + 1, 10, generator=g),
        fine=torch.randn(n + 1, 6, 14, generator=g).half(),
        fine_mask=fine_mask,
    )


def build(known=None, given=None, **changes):
    torch.manual_seed(0)
    settings = DMESRSettings(**({"backbone": BACKBONE} | changes))
    return DMESR(settings, given or features(), torch.ones(N + 1).bool() if known is None else known)


@pytest.mark.parametrize("entry", ["sum", "concat", "two_towers"])
@pytest.mark.parametrize("name", list(BACKBONES))
def test_any_backbone_takes_any_entry(name, entry):
    model = build(backbone=BackboneSettings(name, 16, 8, 1, 2, 0.1), entry=entry).eval()
    table = model.item_table()
    width = 32 if entry == "two_towers" else 16
    assert table.shape == (N + 1, width) and (table[0] == 0).all()
    users = model.user(table, torch.tensor([[3, 5, 0], [2, 0, 0]]))
    assert model.scores(users, table).shape == (2, N + 1)


@pytest.mark.parametrize("entry", ["sum", "concat", "two_towers"])
def test_the_table_of_some_items_is_a_part_of_the_table_of_all(entry):
    model = build(entry=entry).eval()
    items = torch.tensor([0, 7, 2, 11])
    torch.testing.assert_close(model.item_table(items), model.item_table()[items], atol=1e-6, rtol=1e-5)


def test_gradient_reaches_both_views_the_words_and_the_ids():
    model = build()
    (model.item_table().square().sum() + model.side_loss()).backward()
    for name, p in model.encoder.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name
    assert model.item_id.embedding.weight.grad.abs().sum() > 0


def test_alignment_loss_is_off_with_alpha_zero_one_view_or_by_setting():
    for changes in ({"alpha": 0.0}, {"align": False}, {"views": ("text",)}):
        model = build(**changes)
        model.item_table()
        assert model.side_loss() is None
    model = build(alpha=0.5).eval()
    model.item_table()
    once = model.side_loss()
    model = build(alpha=1.0).eval()
    model.item_table()
    torch.testing.assert_close(model.side_loss(), 2 * once)


def test_in_training_some_items_are_aligned_at_a_time_and_others_the_next_time():
    model = build(alpha=1.0, align_items=4, dropout=0.0)
    model.item_table()
    losses = {round(model.side_loss().item(), 6) for _ in range(5)}
    assert len(losses) > 1
    everything = model.eval().side_loss().item()
    assert everything > max(losses)  # more items to be told apart, a harder task


def test_the_padding_row_is_not_an_item_to_align():
    model = build().eval()
    model.item_table()
    with_padding = model.side_loss()
    model.item_table(torch.arange(1, N + 1))
    torch.testing.assert_close(model.side_loss(), with_padding)


@pytest.mark.parametrize("view", VIEWS)
def test_one_view_does_not_read_the_other(view):
    other = ({*VIEWS} - {view}).pop()
    given, changed = features(), features()
    setattr(changed, f"coarse_{other}", getattr(changed, f"coarse_{other}") * -3 + 1)
    a, b = (build(given=f, views=(view,)).eval().item_table() for f in (given, changed))
    torch.testing.assert_close(a, b)


def test_without_fusion_the_words_play_no_part_and_with_it_they_do():
    given, changed = features(), features()
    changed.fine = -changed.fine
    for fusion in (False, True):
        a, b = (build(given=f, fusion=fusion).eval().item_table() for f in (given, changed))
        assert bool((a - b).abs().max() > 1e-4) is fusion


def test_items_can_be_renumbered():
    order = torch.cat([torch.zeros(1).long(), 1 + torch.randperm(N, generator=torch.Generator().manual_seed(3))])
    given, moved = features(), features()
    for name in vars(given):
        setattr(moved, name, getattr(given, name)[order])
    a = build(given=given, id_embedding=False).eval().item_table()
    b = build(given=moved, id_embedding=False).eval().item_table()
    torch.testing.assert_close(a[order], b, atol=1e-5, rtol=1e-4)


def test_items_that_training_never_saw_live_on_their_features_alone():
    known = torch.ones(N + 1).bool()
    known[4] = False
    with_ids, without = build(known).eval(), build(known, id_embedding=False).eval()
    without.load_state_dict(with_ids.state_dict(), strict=False)
    difference = (with_ids.item_table() - without.item_table()).abs().sum(1)
    assert difference[4] == 0 and (difference[[1, 2, 3, 5]] > 0).all()


def test_id_dropout_takes_whole_ids_in_training_only():
    model = build(id_dropout=0.5)
    items = torch.arange(1, N + 1)
    lost = (model.item_id(items) == 0).all(1)
    assert 0 < lost.sum() < N
    assert not (model.eval().item_id(items) == 0).all(1).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": ()}, "picture, text"),
        ({"views": ("sound",)}, "picture, text"),
        ({"views": ("text", "text")}, "picture, text"),
        ({"entry": "product"}, "'product'.*sum, concat, two_towers"),
        ({"entry": "two_towers", "views": ("text",)}, "needs both views"),
        ({"alpha": -1.0}, "alpha -1"),
        ({"align_items": 1}, "at least 2 items"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        DMESRSettings(**changes)


def test_feature_recommender_starts_with_a_table_of_ordinary_size_whatever_the_vectors():
    known = torch.ones(N + 1).bool()
    for vectors in (torch.eye(N + 1), 100 * torch.randn(N + 1, 40)):
        vectors[0] = 0
        model = FeatureRecommender(BACKBONE, vectors, known).eval()
        table = model.item_table()
        assert (table[0] == 0).all()
        assert 0.3 < table[1:].norm(dim=1).mean() < 3
