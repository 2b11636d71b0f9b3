"""Training data of the tiny MLLM: products of each split, their pictures, and question-answer examples about them.

Every combination of colour, category and pattern belongs to one split, fixed by a hash: about 20% `test` (never used
for training or for choosing anything), 10% `dev` (for choosing settings), the rest `train`. Shapes are in all splits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from PIL import Image
from tqdm import tqdm

from dmesr_core.data.bazaar import words
from dmesr_core.data.bazaar.drawing import draw, drawing_version
from dmesr_core.data.bazaar.facts import (
    ALL_MATERIALS,
    BRANDS,
    CATEGORIES,
    COLOURS,
    MATERIALS,
    PATTERNS,
    SHAPES,
    SIZES,
    USES,
    series_names,
)  # fmt: skip
from dmesr_core.errors import SettingsError
from dmesr_core.features.prompts import KEYWORD_PROMPT, PICTURE_PROMPT, TEXT_PROMPT

SPLITS = ("train", "dev", "test")
SIDE = 64  # pixels per side of the picture that the model sees
N_SERIES = 4000  # invented series names; the first half is for training, the second half for evaluation
_COLOUR_NAMES = tuple(COLOURS)


def split_of(colour: str, category: str, pattern: str) -> str:
    """The split of a combination; it depends on the three names only."""
    number = int(hashlib.sha256(f"{colour}/{category}/{pattern}".encode()).hexdigest()[:8], 16) % 100
    return "test" if number < 20 else "dev" if number < 30 else "train"


@cache
def combinations(split: str) -> tuple[tuple[str, str, str], ...]:
    """All (category, colour, pattern) of one split."""
    if split not in SPLITS:
        raise SettingsError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    every = [(c, k, p) for c in CATEGORIES for k in COLOURS for p in PATTERNS]
    return tuple((c, k, p) for c, k, p in every if split_of(k, c, p) == split)


@cache
def _series_names() -> tuple[str, ...]:
    return series_names(N_SERIES, np.random.default_rng(20_240_601))


def split_table(pattern: str) -> np.ndarray:
    """(categories, colours) int: for each combination with `pattern`, the position of its split in `SPLITS`."""
    return np.array([[SPLITS.index(split_of(colour, c, pattern)) for colour in _COLOUR_NAMES] for c in CATEGORIES])


def sample_facts(split: str, n: int, seed: int) -> list[dict[str, str]]:
    """Facts of `n` products with combinations of colour, category and pattern from `split`; the rest is uniform.

    Categories are balanced. Series names come from the half of the names that belongs to the split.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    by_category = {c: [x for x in combinations(split) if x[0] == c] for c in CATEGORIES}
    names = _series_names()[: N_SERIES // 2] if split == "train" else _series_names()[N_SERIES // 2 :]
    products = []
    for i in range(n):
        options = by_category[CATEGORIES[i % len(CATEGORIES)]]
        category, colour, pattern = options[rng.integers(len(options))]
        products.append(
            {
                "category": category, "colour": colour, "pattern": pattern,
                "shape": SHAPES[category][rng.integers(2)], "brand": BRANDS[rng.integers(len(BRANDS))],
                "series": names[rng.integers(len(names))], "material": MATERIALS[category][rng.integers(4)],
                "use": USES[rng.integers(len(USES))], "size": SIZES[rng.integers(len(SIZES))],
            }
        )  # fmt: skip
    return [products[i] for i in rng.permutation(n)]


def draw_product(facts: dict[str, str], rng: np.random.Generator) -> Image.Image:
    """A picture of a product with these facts."""
    return draw(facts["category"], facts["colour"], facts["pattern"], facts["shape"], rng)


def resize(picture: Image.Image) -> np.ndarray:
    """The picture as the image processor resizes it, before normalisation: (64, 64, 3) uint8."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class PictureSet:
    """Pictures of products, and the facts of these products."""

    pixels: np.ndarray  # (n, 64, 64, 3) uint8, a memory map of a file
    facts: list[dict[str, str]]  # n

    def __len__(self) -> int:
        return len(self.facts)


def draw_pictures(split: str, n: int, seed: int, folder: Path, progress: bool = True) -> PictureSet:
    """Draw `n` pictures of a split into `folder`, or open them if an earlier call has drawn them."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = sample_facts(split, n, seed)
    stamp = hashlib.sha256((json.dumps(facts) + drawing_version()).encode()).hexdigest()[:12]
    path = folder / f"pictures-{split}-{stamp}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial")
        pixels = open_memmap(partial, mode="w+", dtype=np.uint8, shape=(n, SIDE, SIDE, 3))
        rng = np.random.default_rng([seed, 7])
        bar = tqdm(facts, desc=f"drawing {split} pictures", disable=None if progress else True)
        for i, product in enumerate(bar):
            pixels[i] = resize(draw_product(product, rng))
        pixels.flush()
        partial.rename(path)
    return PictureSet(np.load(path, mmap_mode="r"), facts)


def caption(facts: dict[str, str]) -> str:
    """The only correct answer to `PICTURE_PROMPT`, such as "a red striped teapot, round"."""
    return f"{_with_article(facts['colour'])} {facts['pattern']} {facts['category']}, {facts['shape']}"


def summary(facts: dict[str, str]) -> str:
    """The only correct answer to `TEXT_PROMPT`: coarse, without brand, series or colour."""
    return f"{_with_article(facts['size'])} {facts['material']} {facts['category']} for {facts['use']}"


def _with_article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


@dataclass(frozen=True)
class Example:
    """One question and its answer."""

    prompt: str  # the user's turn
    answer: str  # the model's turn
    has_picture: bool  # whether the picture is part of the user's turn


_PICTURE_QUESTIONS = {
    "category": ("What is it?", "Which product is this?"),
    "colour": ("What colour is it?", "Which colour does it have?"),
    "pattern": ("What pattern does it have?", "Which pattern is it?"),
    "shape": ("What shape is it?", "Which shape does it have?"),
}
_TEXT_QUESTIONS = {
    "category": ("What is it?", "Which product is this?"),
    "material": ("What is it made of?", "Which material is it?"),
    "use": ("What is it for?", "What would you use it for?"),
    "size": ("Which size is it?", "How large is it?"),
}
_VALUES = {
    "category": CATEGORIES, "colour": _COLOUR_NAMES, "pattern": PATTERNS,
    "material": ALL_MATERIALS, "use": USES, "size": SIZES,
}  # fmt: skip


def _pick(options: Sequence, rng: np.random.Generator) -> Any:
    """One of the options, uniformly."""
    return options[int(rng.integers(len(options)))]


def product_text(facts: dict[str, str], rng: np.random.Generator) -> str:
    """Title and text of a product, as they follow a prompt."""
    return ". ".join(words.write(facts, rng))


def picture_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """Describe the picture (60%), or answer a short question about it."""
    if rng.random() < 0.6:
        return Example(PICTURE_PROMPT, caption(facts), True)
    fact = _pick(tuple(_PICTURE_QUESTIONS), rng)
    if rng.random() < 0.5:
        return Example(_pick(_PICTURE_QUESTIONS[fact], rng), facts[fact], True)
    values = SHAPES[facts["category"]] if fact == "shape" else _VALUES[fact]
    return _yes_no(facts, fact, values, "", True, rng)


def text_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """Summarise a text (50%), list keywords (25%), answer a question about it (15%) or about a history (10%)."""
    text = product_text(facts, rng)
    kind = rng.random()
    if kind < 0.5:
        return Example(TEXT_PROMPT + text, summary(facts), False)
    if kind < 0.75:
        return Example(KEYWORD_PROMPT + text, keywords(facts, False, rng), False)
    if kind < 0.9:
        fact = _pick(tuple(_TEXT_QUESTIONS), rng)
        if rng.random() < 0.5:
            return Example(f"{text} {_pick(_TEXT_QUESTIONS[fact], rng)}", facts[fact], False)
        return _yes_no(facts, fact, _VALUES[fact], text + " ", False, rng)
    return history_task(facts, rng)


def keyword_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """List keywords of a product; both its picture and its text are given."""
    return Example(KEYWORD_PROMPT + product_text(facts, rng), keywords(facts, True, rng), True)


def keywords(facts: dict[str, str], with_picture: bool, rng: np.random.Generator) -> str:
    """One of many correct answers to `KEYWORD_PROMPT`: three to six facts in random order."""
    known = ["category", "material", "use", "size", "brand", "series"]
    known += ["colour", "pattern", "shape"] if with_picture else []
    chosen = rng.permutation(known)[: int(rng.integers(3, 7))]
    return ", ".join(facts[f] for f in chosen)


def _yes_no(facts: dict, fact: str, values: tuple, text: str, has_picture: bool, rng: np.random.Generator) -> Example:
    """A question such as "Is it red?" after `text`; the answer is "yes" half of the time."""
    true = rng.random() < 0.5
    value = facts[fact] if true else _pick([v for v in values if v != facts[fact]], rng)
    asked = {"category": _with_article(value), "use": f"for {value}", "material": f"made of {value}"}.get(fact, value)
    return Example(f"{text}Is it {asked}?", "yes" if true else "no", has_picture)


def history_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """A yes/no question about a history of three purchases."""
    trained = combinations("train")
    bought = [(facts["category"], facts["colour"], facts["pattern"]), _pick(trained, rng), _pick(trained, rng)]
    bought = [bought[i] for i in rng.permutation(3)]
    history = "; ".join(f"{_with_article(colour)} {pattern} {c}" for c, colour, pattern in bought)
    asked = _pick(bought, rng)[0] if rng.random() < 0.5 else _pick(CATEGORIES, rng)
    has = any(c == asked for c, _, _ in bought)
    question = f"A shopper bought: {history}. Does the shopper have {_with_article(asked)}?"
    return Example(question, "yes" if has else "no", False)


def first_example(
    task: Callable[[dict[str, str], np.random.Generator], Example],
    facts: dict[str, str],
    rng: np.random.Generator,
    accept: Callable[[Example], bool],
) -> Example:
    """Draw examples of a task until one is accepted."""
    while not accept(example := task(facts, rng)):
        pass
    return example


def fact_of_value() -> dict[str, str]:
    """Value -> the fact that it is a value of, for all facts but the series, whose names are invented."""
    shapes = tuple(shape for pair in SHAPES.values() for shape in pair)
    values = {**_VALUES, "shape": shapes, "brand": BRANDS}
    order = ("category", "colour", "pattern", "shape", "material", "use", "size", "brand")
    return {value: fact for fact in order for value in values[fact]}
