"""Words that learn: which words count, whatever the language, and that their sum is what one would add up by hand."""

import numpy as np
import pytest
import torch
from helpers.small_models import N, make_catalogue, make_features, make_split, trained

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.words import MAX_WORDS, ItemWords, WordVectors, learn_vocabulary, split_words
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Blue-ish cup, 25 cl", ["a", "blue", "ish", "cup", "25", "cl"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("Чашка синяя", ["чашка", "синяя"]),
        ("青いカップ", ["青", "い", "カ", "ッ", "プ"]),
        ("cup茶杯x2", ["cup", "茶", "杯", "x2"]),
        ("हिन्दी कप", ["हिन्दी", "कप"]),
        ("தமிழ்", ["தமிழ்"]),
        ("ถ้วยสีแดง", ["ถ้วยสีแดง"]),
        ("İstanbul", ["i̇stanbul"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("", []),
        ("…!", []),
    ],
)
def test_words_of_any_script(text, words):
    assert split_words(text) == words


def test_a_vocabulary_leaves_out_what_one_item_has_and_what_most_have():
    texts = [f"cup {'red' if k < 3 else 'blue'} number{k}" for k in range(10)]
    assert learn_vocabulary(texts) == ("red",)  # blue: 7 of 10; cup: all; number0: one
    assert learn_vocabulary(["red cup", "red pot", "blue cup"]) == ("cup", "red")  # of three items, two are not most
    assert learn_vocabulary(["", ""]) == () == learn_vocabulary([])


def test_the_rarest_words_come_first():
    texts = ["a b", "a b", "a", *["x"] * 20]
    assert learn_vocabulary(texts) == ("b", "a")


def word_vectors(texts, width=5):
    words = WordVectors(width, learn_vocabulary(texts[1:]))
    torch.manual_seed(0)
    words.learn(texts)
    return words


TEXTS = ["", "red cup red", "red pot", "blue cup", "none of these", *["other"] * 5, "pot blue blue"]


@pytest.mark.parametrize("training", [True, False])
def test_an_item_is_the_sum_of_its_words_each_counted_once(training):
    words = word_vectors(TEXTS).train(training)
    vector = dict(zip(words.vocabulary, words.embedding.weight[1:].detach(), strict=True))
    found = words(torch.arange(len(TEXTS))).detach()
    torch.testing.assert_close(found[1], vector["red"] + vector["cup"])
    torch.testing.assert_close(found[10], vector["pot"] + vector["blue"])
    assert (found[[0, 4, 5]] == 0).all()  # no words, words of one item, a word of half of the items


def test_both_ways_to_sum_agree_in_value_and_gradient():
    """A step that needs most items multiplies by a sparse matrix; one that needs few adds up rows."""
    words, items = word_vectors(TEXTS), torch.tensor([0, 3, 1, 10, 2, 7, 8])
    weights = torch.randn(len(items), 5, generator=torch.Generator().manual_seed(1))
    many = words.train()(items)
    few = words.eval()(items)
    torch.testing.assert_close(many, few)
    one, other = (torch.autograd.grad((out * weights).sum(), words.embedding.weight)[0] for out in (many, few))
    torch.testing.assert_close(one[1:], other[1:])
    assert (one[0] == 0).all() and one[1:].abs().sum() > 0


@pytest.mark.parametrize("kind", ["words", "mixture"])
def test_words_learn_in_mixed_precision(kind):
    model, split = trained(kind), make_split(make_catalogue())
    before = model.state_dict()["words.of_view.text.embedding.weight"].clone()
    report = fit(model, split, TrainSettings(epochs=1, batch_size=16, mixed_precision="bf16"), progress=False)
    assert np.isfinite(report.loss).all()
    assert not torch.equal(model.state_dict()["words.of_view.text.embedding.weight"], before)


def test_words_follow_the_type_of_their_weights():
    words, items = word_vectors(TEXTS).train(), torch.arange(len(TEXTS))
    single = words(items)
    torch.testing.assert_close(words.double()(items), single.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("views", ["text", (), ("sound",), ("text", "text")])
def test_views_that_do_not_exist_are_refused(views):
    with pytest.raises(SettingsError, match="choose one or both of picture, text"):
        ItemWords(4, views, with_texts())


def test_items_that_come_later_use_the_words_that_are_known():
    words = word_vectors(TEXTS).train()
    before = words(torch.arange(len(TEXTS)))
    words.append(["red blue newword", "newword"])
    after = words(torch.arange(len(TEXTS) + 2))
    torch.testing.assert_close(after[:-2], before)
    vector = dict(zip(words.vocabulary, words.embedding.weight[1:], strict=True))
    torch.testing.assert_close(after[-2], vector["red"] + vector["blue"])
    assert (after[-1] == 0).all()


def test_of_a_very_long_text_the_rarest_words_are_kept():
    text = " ".join(f"w{k}" for k in range(MAX_WORDS + 50))
    common = " ".join(f"w{k}" for k in range(50))
    words = WordVectors(2, learn_vocabulary([text, text, common, *[""] * 10]))
    words.append([text])
    kept = {words.vocabulary[number - 1] for number in words.rows[1].tolist()}
    assert kept == {f"w{k}" for k in range(50, MAX_WORDS + 50)}


def test_sums_start_at_the_size_of_id_vectors():
    texts = ["", *[" ".join(f"w{(7 * k + j) % 400}" for j in range(20)) for k in range(1000)]]
    words = word_vectors(texts, width=64)
    assert words(torch.arange(1, 1001)).std().item() == pytest.approx(64**-0.5, rel=0.1)


def with_texts(n=N):
    features = make_features(make_catalogue(0, n))
    features.texts[:] = ["", *["red cup" if k % 3 else "blue cup" for k in range(n)]]
    features.descriptions_picture[:] = ["", *["round" if k % 2 else "square" for k in range(n)]]
    return features


def test_each_view_has_words_of_its_own():
    words = ItemWords(4, ("picture", "text"), with_texts())
    assert set(words.vocabulary) == {"picture", "text"}
    assert words(torch.arange(N + 1)).shape == (N + 1, 2, 4)
    again = ItemWords(4, ("picture", "text"), with_texts(), words.vocabulary)
    assert again.vocabulary == words.vocabulary and torch.equal(again["text"].rows, words["text"].rows)


def test_features_without_texts_are_refused():
    features = make_features(make_catalogue())
    features.texts.clear()
    with pytest.raises(DataError, match="lack the original texts.*extract them again"):
        ItemWords(4, ("text",), features)


def test_no_words_at_all_are_no_error():
    features = with_texts()
    features.texts[:] = [""] * (N + 1)
    words = ItemWords(4, ("text",), features)
    assert words.vocabulary == {"text": []}
    assert np.all(words.train()(torch.arange(N + 1)).detach().numpy() == 0)
