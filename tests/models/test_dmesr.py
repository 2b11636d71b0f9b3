"""The whole model: each arrow of its picture in a limiting case."""

from dataclasses import replace

import pytest
import torch
from helpers.small_material import make_material

from dmesr_core.errors import DataError
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BACKBONES, BackboneSettings
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.dmesr_settings import PLAIN, VIEWS, DMESRSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import known_items
from dmesr_core.training.fit import fit, validation_ndcg
from dmesr_core.training.settings import TrainSettings

N = 12
ALL = torch.arange(N + 1)
BACKBONE = BackboneSettings(width=16, max_len=8, layers=1, heads=2, dropout=0.1)


def features(n=N, seed=0):
    g = torch.Generator().manual_seed(seed)
    fine_mask = torch.arange(6)[None] < torch.randint(1, 7, (n + 1, 1), generator=g)
    fine_mask[0] = False
    picture, text = torch.randn(n + 1, 10, generator=g), torch.randn(n + 1, 10, generator=g)
    fine = torch.randn(n + 1, 6, 14, generator=g).half()
    colours, shapes = ("red", "blue", "green", "black"), ("round", "square", "long", "flat")  # of three items each
    said, seen = (["", *(words[k % 4] for k in range(n))] for words in (colours, shapes[::-1]))
    arrays = (picture.numpy(), text.numpy(), fine.numpy(), fine_mask.numpy())
    return Features(*arrays, seen, [""] * (n + 1), [[]] * (n + 1), {}, texts=said)


def build(known=None, given=None, **changes):
    torch.manual_seed(0)
    settings = DMESRSettings(**({"backbone": BACKBONE} | PLAIN | changes))
    return DMESR(settings, given or features(), torch.ones(N + 1).bool() if known is None else known)


WIDTHS = {"sum": 16, "mixture": 48, "concat": 16, "two_towers": 32}
each_injection = pytest.mark.parametrize(
    ("injection", "words"),
    [(name, words) for name in WIDTHS for words in (False, True) if (name, words) != ("concat", True)],
)


@each_injection
@pytest.mark.parametrize("name", list(BACKBONES))
def test_any_backbone_takes_any_injection(name, injection, words):
    model = build(backbone=BackboneSettings(name, 16, 8, 1, 2, 0.1), injection=injection, words=words).eval()
    table = model.item_table()
    width = WIDTHS[injection]
    assert table.shape == (N + 1, width) and (table[0] == 0).all()
    users = model.user(table, torch.tensor([[3, 5, 0], [2, 0, 0]]))
    assert model.scores(users, table).shape == (2, N + 1)


@each_injection
def test_the_table_of_some_items_is_a_part_of_the_table_of_all(injection, words):
    model = build(injection=injection, words=words).eval()
    items = torch.tensor([0, 7, 2, 11])
    torch.testing.assert_close(model.item_table(items), model.item_table()[items], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["id", "dmesr"])
def test_unit_vectors_have_length_one_where_there_is_anything_to_know(kind):
    known = torch.ones(N + 1).bool()
    known[5] = False
    model = build(known, unit=True) if kind == "dmesr" else IDRecommender(BACKBONE, known, unit=True)
    length = model.eval().item_table().norm(dim=1)
    nothing = [0] if kind == "dmesr" else [0, 5]  # an item that was never bought has features all the same
    assert (length[nothing] == 0).all()
    length[nothing] = 1
    torch.testing.assert_close(length, torch.ones(N + 1))
    model.train().item_table()[1:].sum().backward()
    names = ("projection", "embedding", "item_id", "features_share")
    learns = [p for n, p in model.named_parameters() if n.startswith(names)]
    assert learns and all(p.grad is not None for p in learns)


def test_gradient_reaches_both_views_the_words_and_the_ids():
    model = build()
    table, auxiliary_loss = model.encode_items(ALL)
    (table.square().sum() + auxiliary_loss()).backward()
    for name, p in model.encoder.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name
    assert model.item_id.embedding.weight.grad.abs().sum() > 0


def test_gradient_reaches_the_word_vectors_of_both_views():
    model = build(words=True, injection="mixture")
    model.encode_items(ALL)[0].square().sum().backward()
    for view in VIEWS:
        gradient = model.words[view].embedding.weight.grad
        assert (gradient[1:].abs().sum(1) > 0).all() and (gradient[0] == 0).all()
    assert model.fused_share.grad != 0


def test_the_parts_of_a_mixture_are_the_whole_item_and_each_view():
    known = torch.ones(N + 1).bool()
    known[4] = False  # no ID vector
    model = build(known, words=True, injection="mixture").eval()
    whole, *views = model.item_table().chunk(3, dim=1)
    torch.testing.assert_close(whole[4], sum(views)[4])
    torch.testing.assert_close(whole - sum(views), model.item_id(ALL))


@pytest.mark.parametrize("view", VIEWS)
def test_learned_words_of_one_view_do_not_read_the_other(view):
    field = {"picture": "texts", "text": "descriptions_picture"}[view]  # the words of the other view
    given = features()
    changed = replace(given, **{field: ["", *(["other words"] * N)]})
    a, b = (build(given=f, views=(view,), words=True).eval().item_table() for f in (given, changed))
    torch.testing.assert_close(a, b)


def test_alignment_loss_is_off_with_alpha_zero_one_view_or_by_setting():
    for changes in ({"alpha": 0.0}, {"align": False}, {"views": ("text",)}):
        model = build(**changes)
        assert model.encode_items(ALL)[1] is None
    model = build(alpha=0.5).eval()
    once = model.encode_items(ALL)[1]()
    model = build(alpha=1.0).eval()
    torch.testing.assert_close(model.encode_items(ALL)[1](), 2 * once)


def test_in_training_some_items_are_aligned_at_a_time_and_others_the_next_time():
    model = build(alpha=1.0, items_per_step=4, dropout=0.0)

    def loss():
        return round(model.encode_items(ALL)[1]().item(), 6)

    losses = {loss() for _ in range(5)}
    assert len(losses) > 1
    model.eval()
    assert loss() > max(losses)  # more items to be told apart, a harder task


def still(**changes):
    """A model in training mode without any dropout: chance decides only which items are encoded anew."""
    return build(dropout=0.0, id_dropout=0.0, backbone=BackboneSettings(width=16, max_len=8, dropout=0.0), **changes)


def table_and_gradients(model, weights, items=None):
    """The item table, and the gradients of the encoder of a loss that is linear in it."""
    table = model.item_table(items)
    encoder = list(model.encoder.parameters())
    return table.detach(), torch.autograd.grad((table * weights).sum(), encoder)


@pytest.mark.parametrize("items_per_step", [None, N, N + 1, 1000])
def test_as_many_items_per_step_as_there_are_encode_all_of_them(items_per_step):
    weights = torch.randn(N + 1, 16, generator=torch.Generator().manual_seed(1))
    want = table_and_gradients(still(items_per_step=None), weights)
    got = table_and_gradients(still(items_per_step=items_per_step), weights)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@each_injection
def test_a_part_of_the_items_gives_the_whole_table_and_on_average_the_whole_gradient(injection, words):
    weights = torch.randn(N + 1, WIDTHS[injection], generator=torch.Generator().manual_seed(1))
    exact, want = table_and_gradients(still(injection=injection, words=words, items_per_step=None), weights)
    model = still(injection=injection, words=words, items_per_step=4)
    draws = []
    for _ in range(400):
        table, gradients = table_and_gradients(model, weights)
        torch.testing.assert_close(table, exact, atol=1e-5, rtol=1e-5)  # the weights rest: no vector is old
        draws.append(torch.cat([g.flatten() for g in gradients]))
    want = torch.cat([g.flatten() for g in want])
    one, mean = torch.stack(draws), torch.stack(draws).mean(0)
    assert (one[0] - want).norm() > 0.3 * want.norm()  # each draw is far off
    chance = (one.var(0).sum() / len(draws)).sqrt()  # how far the mean of so many would be off by chance
    assert (mean - want).norm() < 2 * chance < 0.2 * want.norm()


def test_other_items_than_the_known_ones_are_weighed_by_their_own_number():
    """Sampled losses ask for a part of the catalogue: the estimate is of the sum over that part."""
    items, weights = torch.tensor([0, 2, 3, 7, 8, 11]), torch.randn(6, 16, generator=torch.Generator().manual_seed(1))
    _, want = table_and_gradients(still(items_per_step=None), weights, items)
    model = still(items_per_step=2)
    draws = [torch.cat([g.flatten() for g in table_and_gradients(model, weights, items)[1]]) for _ in range(400)]
    want = torch.cat([g.flatten() for g in want])
    chance = (torch.stack(draws).var(0).sum() / len(draws)).sqrt()
    assert (torch.stack(draws).mean(0) - want).norm() < 2 * chance < 0.2 * want.norm()


def encoded_then_moved():
    """A model whose weights moved after its items were encoded, and one with the same weights that encodes all."""
    model = still(items_per_step=4)
    model.item_table()
    with torch.no_grad():
        for p in model.encoder.parameters():
            p.mul_(1.5)
    exact = still(items_per_step=None)
    exact.load_state_dict(model.state_dict())
    return model, exact


def test_vectors_that_are_not_encoded_anew_are_those_of_some_steps_ago():
    model, exact = encoded_then_moved()
    new = (model.item_table() - exact.item_table()).abs().amax(1) < 1e-5
    assert new[1:].sum() == 4
    for _ in range(40):  # until all have had their turn
        table = model.item_table()
    torch.testing.assert_close(table, exact.item_table(), atol=1e-5, rtol=1e-5)


def test_evaluation_never_sees_old_vectors_and_neither_does_the_epoch_after_it():
    model, exact = encoded_then_moved()
    want = exact.item_table()
    for mode in (False, True):
        torch.testing.assert_close(model.train(mode).item_table(), want, atol=1e-5, rtol=1e-5)


def test_an_interrupted_training_that_encodes_in_part_resumes_to_the_same_result(tmp_path):
    material = make_material()
    settings = TrainSettings(epochs=4, batch_size=16)

    def model():
        torch.manual_seed(0)
        s = DMESRSettings(**PLAIN, backbone=BackboneSettings(width=16, max_len=8), items_per_step=4)
        return DMESR(s, material.features, known_items(material.split))

    whole = model()
    want = fit(whole, material.split, settings, progress=False)
    epochs = iter(range(2))

    def interrupted(m):
        next(epochs)  # raises in the third epoch
        return validation_ndcg(m, material.split)

    with pytest.raises(StopIteration):
        fit(model(), material.split, settings, validate=interrupted, checkpoint=tmp_path, progress=False)
    torch.manual_seed(999)  # a new process would start elsewhere
    resumed = model()
    got = fit(resumed, material.split, settings, checkpoint=tmp_path, progress=False)
    assert (got.loss, got.valid) == (want.loss, want.valid)
    assert all(torch.equal(resumed.state_dict()[k], v) for k, v in whole.state_dict().items())


def test_the_padding_row_is_not_an_item_to_align():
    model = build().eval()
    with_padding, without = (model.encode_items(items)[1]() for items in (ALL, ALL[1:]))
    torch.testing.assert_close(without, with_padding)


@pytest.mark.parametrize("view", VIEWS)
def test_one_view_does_not_read_the_other(view):
    other = ({*VIEWS} - {view}).pop()
    given = features()
    changed = replace(given, **{f"coarse_{other}": getattr(given, f"coarse_{other}") * -3 + 1})
    a, b = (build(given=f, views=(view,)).eval().item_table() for f in (given, changed))
    torch.testing.assert_close(a, b)


def test_without_fusion_the_words_play_no_part_and_with_it_they_do():
    given = features()
    changed = replace(given, fine=-given.fine)
    for fusion in (False, True):
        a, b = (build(given=f, fusion=fusion).eval().item_table() for f in (given, changed))
        assert bool((a - b).abs().max() > 1e-4) is fusion


def test_items_can_be_renumbered():
    order = torch.cat([torch.zeros(1).long(), 1 + torch.randperm(N, generator=torch.Generator().manual_seed(3))])
    given = features()
    names = ("coarse_picture", "coarse_text", "fine", "fine_mask")
    moved = replace(given, **{name: getattr(given, name)[order.numpy()] for name in names})
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


def test_id_share_is_what_counts_of_an_id_outside_of_training():
    model = build(id_dropout=0.0, id_share=0.25)
    items = torch.arange(1, N + 1)
    whole = model.item_id(items)
    torch.testing.assert_close(model.eval().item_id(items), 0.25 * whole)
    assert torch.equal(whole, model.item_id.embedding(items))


@pytest.mark.parametrize("n", [N - 1, N + 1])
def test_features_of_other_items_are_refused(n):
    with pytest.raises(DataError, match=f"features of {n} items for a split of {N}"):
        DMESR.build(features(n), make_material().split)
