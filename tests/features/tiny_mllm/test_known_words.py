"""How the tiny MLLM's words tell its own products from others."""

from __future__ import annotations

import pytest

from dmesr_core.data.datasets import load_dataset
from dmesr_core.features.tiny_mllm import FAMILIAR, known_words

FILMS = (
    "Toy Story (1995). A cowboy doll is profoundly threatened when a new spaceman figure supplants him as top toy.",
    "Heat. A group of professional bank robbers start to feel the heat from police when they leave a clue.",
    "Waiting to Exhale (1995). Comedy, Drama",
    "Le Fabuleux Destin d'Amélie Poulain",
)
OTHER_SHOP = (
    "Women's running shoes, breathable mesh, size 38, blue. Lightweight sole.",
    "Stainless steel water bottle 750 ml, keeps drinks cold for 24 hours",
    "Striped cotton cushion cover, red and white, 45 x 45 cm",
    "红色茶壶 陶瓷",
)


def test_every_item_of_the_bazaar_is_familiar():
    catalogue = load_dataset("bazaar", profile="smoke").catalogue
    shares = [known_words([catalogue.words(k)]) for k in range(1, len(catalogue) + 1)]
    assert min(shares) > FAMILIAR + 0.1


@pytest.mark.parametrize("text", FILMS + OTHER_SHOP)
def test_films_and_other_shops_are_not(text):
    assert known_words([text]) < FAMILIAR - 0.1


def test_many_texts_are_one_share_and_no_words_have_none():
    assert known_words(["Small umbrella", "purple linen"]) == 1
    assert known_words(["", "12 34", "🙂"]) is None
