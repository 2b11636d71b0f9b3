"""What the tiny MLLM learns from: which pictures it may see, and the tasks that it is asked to do.

Every combination of colour, category and pattern belongs to one split, fixed for ever by a hash: about 20% `test`
(never trained on, never used to choose anything), 10% `dev` (to choose settings), the rest `train`. The shape is free.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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

SPLITS = ("train", "dev", "test")
SIDE = 64  # pixels per side of the picture that the model sees
PICTURE_PROMPT = "Describe the product in the picture."
TEXT_PROMPT = "Summarise this product text: "
KEYWORD_PROMPT = "List keywords for this product: "
N_SERIES = 4000  # invented series names; the first half is for training, the second half for measuring
_COLOUR_NAMES = tuple(COLOURS)


def split_of(colour: str, category: str, pattern: str) -> str:
    """The split that a combination belongs to; a function of the three names only."""
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
def _names() -> tuple[str, ...]:
    return series_names(N_SERIES, np.random.default_rng(20_240_601))


def sample_facts_of(split: str, n: int, seed: int) -> list[dict[str, str]]:
    """Facts of `n` products whose colour, category and pattern are from `split`; all else uniform.

    Categories are balanced. Series names come from the half of the names that belongs to the split.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    by_category = {c: [x for x in combinations(split) if x[0] == c] for c in CATEGORIES}
    names = _names()[: N_SERIES // 2] if split == "train" else _names()[N_SERIES // 2 :]
    rows = []
    for i in range(n):
        options = by_category[CATEGORIES[i % len(CATEGORIES)]]
        category, colour, pattern = options[rng.integers(len(options))]
        rows.append(
            {
                "category": category, "colour": colour, "pattern": pattern,
                "shape": SHAPES[category][rng.integers(2)], "brand": BRANDS[rng.integers(len(BRANDS))],
                "series": names[rng.integers(len(names))], "material": MATERIALS[category][rng.integers(4)],
                "use": USES[rng.integers(len(USES))], "size": SIZES[rng.integers(len(SIZES))],
            }
        )  # fmt: skip
    return [rows[i] for i in rng.permutation(n)]


def shrink(picture: Image.Image) -> np.ndarray:
    """The picture as the image processor will hand it to the model, before normalisation: (64, 64, 3) uint8."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class Pictures:
    """Pictures and the facts of what they show."""

    pixels: np.ndarray  # (n, 64, 64, 3) uint8, on disk, opened as a memory map
    facts: list[dict[str, str]]  # n rows

    def __len__(self) -> int:
        return len(self.facts)


def pictures(split: str, n: int, seed: int, folder: Path, progress: bool = True) -> Pictures:
    """Draw `n` pictures of a split into `folder`, or open them if an earlier call has drawn them."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = sample_facts_of(split, n, seed)
    stamp = hashlib.sha256((json.dumps(facts) + drawing_version()).encode()).hexdigest()[:12]
    path = folder / f"pictures-{split}-{stamp}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial")
        pixels = open_memmap(partial, mode="w+", dtype=np.uint8, shape=(n, SIDE, SIDE, 3))
        rng = np.random.default_rng([seed, 7])
        bar = tqdm(facts, desc=f"drawing {split} pictures", disable=None if progress else True)
        for i, f in enumerate(bar):
            pixels[i] = shrink(draw(f["category"], f["colour"], f["pattern"], f["shape"], rng))
        pixels.flush()
        partial.rename(path)
    return Pictures(np.load(path, mmap_mode="r"), facts)


def caption(facts: dict[str, str]) -> str:
    """The one right answer to `PICTURE_PROMPT`, such as "a red striped teapot, round"."""
    return f"{_a(facts['colour'])} {facts['pattern']} {facts['category']}, {facts['shape']}"


def summary(facts: dict[str, str]) -> str:
    """The one right answer to `TEXT_PROMPT`: coarse, without brand, series or colour."""
    return f"{_a(facts['size'])} {facts['material']} {facts['category']} for {facts['use']}"


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


@dataclass(frozen=True)
class Example:
    """One question and its answer."""

    prompt: str  # what the user says
    answer: str  # what the model should say
    sees: bool  # whether the picture comes along


_SEEN_QUESTIONS = {
    "category": ("What is it?", "Which product is this?"),
    "colour": ("What colour is it?", "Which colour does it have?"),
    "pattern": ("What pattern does it have?", "Which pattern is it?"),
    "shape": ("What shape is it?", "Which shape does it have?"),
}
_READ_QUESTIONS = {
    "category": ("What is it?", "Which product is this?"),
    "material": ("What is it made of?", "Which material is it?"),
    "use": ("What is it for?", "What would you use it for?"),
    "size": ("Which size is it?", "How large is it?"),
}
_VALUES = {
    "category": CATEGORIES, "colour": _COLOUR_NAMES, "pattern": PATTERNS,
    "material": ALL_MATERIALS, "use": USES, "size": SIZES,
}  # fmt: skip


def _pick(options, rng: np.random.Generator):
    return options[int(rng.integers(len(options)))]


def picture_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """Describe (most of the time), or answer a short question about the picture."""
    if rng.random() < 0.6:
        return Example(PICTURE_PROMPT, caption(facts), True)
    fact = _pick(tuple(_SEEN_QUESTIONS), rng)
    if rng.random() < 0.5:
        return Example(_pick(_SEEN_QUESTIONS[fact], rng), facts[fact], True)
    values = SHAPES[facts["category"]] if fact == "shape" else _VALUES[fact]
    return _yes_no(facts, fact, values, "", True, rng)


def words_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """Summarise a text (most of the time), list keywords, answer a short question, or look at a history."""
    text = ". ".join(words.write(facts, rng))
    draw_ = rng.random()
    if draw_ < 0.5:
        return Example(TEXT_PROMPT + text, summary(facts), False)
    if draw_ < 0.75:
        return Example(KEYWORD_PROMPT + text, keywords(facts, False, rng), False)
    if draw_ < 0.9:
        fact = _pick(tuple(_READ_QUESTIONS), rng)
        if rng.random() < 0.5:
            return Example(f"{text} {_pick(_READ_QUESTIONS[fact], rng)}", facts[fact], False)
        return _yes_no(facts, fact, _VALUES[fact], text + " ", False, rng)
    return history_task(facts, rng)


def keyword_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """List keywords of a product whose picture and text are both given."""
    return Example(KEYWORD_PROMPT + ". ".join(words.write(facts, rng)), keywords(facts, True, rng), True)


def keywords(facts: dict[str, str], seen: bool, rng: np.random.Generator) -> str:
    """One of many good answers: three to six facts in any order."""
    known = ["category", "material", "use", "size", "brand", "series"] + (
        ["colour", "pattern", "shape"] if seen else []
    )
    chosen = rng.permutation(known)[: int(rng.integers(3, 7))]
    return ", ".join(facts[f] for f in chosen)


def _yes_no(facts: dict, fact: str, values: tuple, before: str, sees: bool, rng: np.random.Generator) -> Example:
    """A question such as "Is it red?", asked about the truth half of the time."""
    true = rng.random() < 0.5
    value = facts[fact] if true else _pick([v for v in values if v != facts[fact]], rng)
    asked = {"category": _a(value), "use": f"for {value}", "material": f"made of {value}"}.get(fact, value)
    return Example(f"{before}Is it {asked}?", "yes" if true else "no", sees)


def history_task(facts: dict[str, str], rng: np.random.Generator) -> Example:
    """Three purchases and a question about them: the form in which a later chapter asks what comes next."""
    trained = combinations("train")
    bought = [(facts["category"], facts["colour"], facts["pattern"]), _pick(trained, rng), _pick(trained, rng)]
    bought = [bought[i] for i in rng.permutation(3)]
    story = "A shopper bought: " + "; ".join(f"{_a(colour)} {pattern} {c}" for c, colour, pattern in bought) + "."
    asked = _pick(bought, rng)[0] if rng.random() < 0.5 else _pick(CATEGORIES, rng)
    has = any(c == asked for c, _, _ in bought)
    return Example(f"{story} Does the shopper have {_a(asked)}?", "yes" if has else "no", False)
