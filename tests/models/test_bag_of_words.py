"""The bag of words: what it reads, and that nothing else of an item matters to it."""

from dataclasses import replace

import pytest
import torch
from helpers.small_models import N, make_catalogue, make_features, make_split

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.bag_of_words import BagOfWords

SETTINGS = BackboneSettings(width=16, max_len=8)


def model(features=None, **changes):
    catalogue = make_catalogue()
    return BagOfWords.build(features or make_features(catalogue), make_split(catalogue), SETTINGS, **changes).eval()


def test_an_item_is_its_words_and_its_id():
    bag, items = model(), torch.arange(N + 1)
    torch.testing.assert_close(bag.item_table()[1:], (bag.words(items).sum(1) + bag.item_id(items))[1:])
    assert (bag.item_table()[0] == 0).all()


def test_items_called_alike_differ_by_their_id_alone():
    bag = model()
    texts = make_features(make_catalogue()).texts
    same = [k for k in range(1, N) if texts[k] == texts[1]]
    assert len(same) > 1
    table, own = bag.item_table(), bag.item_id(torch.arange(N + 1))
    for k in same:
        torch.testing.assert_close(table[k] - own[k], table[1] - own[1])


def test_it_reads_no_vector_and_no_description_unless_asked():
    features = make_features(make_catalogue())
    changed = replace(
        features, coarse_text=-features.coarse_text, fine=-features.fine,
        descriptions_picture=["", *features.descriptions_picture[:0:-1]],
    )  # fmt: skip
    assert torch.equal(model(features).item_table(), model(changed).item_table())
    views = ("text", "picture")
    assert not torch.equal(model(features, views=views).item_table(), model(changed, views=views).item_table())


def test_unit_vectors_have_length_one():
    length = model(unit=True).item_table()[1:].norm(dim=1)
    torch.testing.assert_close(length, torch.ones(N))


def test_a_mixture_sees_words_and_id_and_twice_the_words():
    bag = model(softmaxes=3)
    whole, second, third = bag.item_table().chunk(3, dim=1)
    assert torch.equal(second, third)
    torch.testing.assert_close(whole - second, bag.item_id(torch.arange(N + 1)))


def test_softmaxes_out_of_range():
    with pytest.raises(SettingsError, match="softmaxes must be a whole number"):
        model(softmaxes=0)


def test_without_id_vectors_an_item_is_its_words():
    bag = model(id_embedding=False, softmaxes=3).eval()
    words = bag.words(torch.arange(N + 1)).sum(1)
    torch.testing.assert_close(bag.item_table(), words.repeat(1, 3) * (torch.arange(N + 1) > 0)[:, None])


def test_the_seed_decides_the_first_weights():
    one, same, other = (model(seed=seed).item_table() for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "x"}, {"unit": True, "softmaxes": 3}, {"unit": True, "id_embedding": False}, {"id_embedding": 1},
        {"id_dropout": 2.0}, {"id_share": 0.0}, {"id_share": True}, {"views": ("sound",)},
    ],  # fmt: skip
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(SettingsError):
        model(**changes)
