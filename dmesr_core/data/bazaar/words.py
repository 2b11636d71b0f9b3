"""Title and text of a product, from templates.

Title and text together always state category, brand, series, material, use and size. About one in seven mentions the
colour; none mentions pattern or shape, which only the picture shows. In other worlds, texts say more or less of how a
product looks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# How a product looks -> share of the texts that mention it. The last two are worlds to compare the Bazaar with.
MENTIONED: Mapping[str, float] = {"colour": 0.15}
NEVER: Mapping[str, float] = {}
ALWAYS: Mapping[str, float] = {"colour": 1.0, "pattern": 1.0, "shape": 1.0}

_TITLES = (
    "{series} {category}, {size} — {brand}",
    "{brand} {series} {category} ({size})",
    "{brand}: {category} from the {series} series",
    "{series} {material} {category} by {brand}",
    "{size_} {category} \"{series}\", {brand}",
    "{brand} {category} {series}",
    "{category_} for {use} — {series} by {brand}",
    "{series} by {brand}: {material} {category}",
)  # fmt: skip
# By fact; a text has one sentence for every fact that is not in the title, and often more.
_SENTENCES = {
    "category": (
        "A {category} you will reach for every day.",
        "This {category} is one of our steady favourites.",
        "Looking for a new {category}? Here it is.",
        "We think this is how a {category} should be.",
    ),
    "brand": (
        "Made by {brand}.",
        "{brand} has built its name on things like this.",
        "Designed and finished at {brand}.",
        "It comes from the workshop of {brand}.",
    ),
    "series": (
        "It belongs to the {series} series.",
        "Part of {series}, a family of things that go together.",
        "Goes well with everything else in the {series} range.",
        "The {series} line keeps growing, and this fits right in.",
    ),
    "material": (
        "Made of {material} that lasts.",
        "The material is {material}, chosen by hand.",
        "In good {material}, pleasant to touch.",
        "{material_} throughout, with a neat finish.",
    ),
    "use": (
        "Ideal for {use}.",
        "Our customers like it for {use}.",
        "Thought out with {use} in mind.",
        "If it is for {use}, this is the one to take.",
    ),
    "size": (
        "Size: {size}.",
        "This one comes in {size}.",
        "You are looking at the {size} version.",
        "The {size} size is shown here.",
    ),
    "colour": (
        "Colour: {colour}.",
        "This one is {colour}.",
        "Shown here in {colour}.",
    ),
    "pattern": (
        "Pattern: {pattern}.",
        "The surface is {pattern}.",
        "A {pattern} design.",
    ),
    "shape": (
        "Shape: {shape}.",
        "In the {shape} form.",
        "This is the {shape} one.",
    ),
}
# Sentences without facts; none contains a word that is a fact of any product.
_FILLER = (
    "Delivered within three working days.",
    "Wipe clean with a damp cloth.",
    "You may return it within thirty days.",
    "Packed without plastic.",
    "Two years of guarantee.",
    "Care instructions are in the box.",
    "A few left in stock.",
    "Free delivery above forty euros.",
    "Looked over once more before it leaves us.",
    "Spare parts can be ordered from us at any time.",
    "Please read the care label before first use.",
    "Photographs are our own; screens may differ a little.",
)
MIN_WORDS, MAX_WORDS = 25, 60


def write(
    facts: dict[str, str], rng: np.random.Generator, mentioned: Mapping[str, float] = MENTIONED
) -> tuple[str, str]:
    """Title and text of a product with these facts (from `Facts.of`), 25 to 60 words, more if more is `mentioned`.

    The same facts and an equal generator give the same text.

    Args:
        mentioned: of "colour", "pattern" and "shape" the share of the texts that mention it; none of those left out.
    """
    fields = {**facts, **{f"{f}_": facts[f].capitalize() for f in ("category", "material", "size")}}
    title_form = _pick(_TITLES, rng)
    title = title_form.format(**fields)
    said = {f for f in _SENTENCES if "{" + f in title_form}
    # A fact that is in the title is repeated with a chance of 30%.
    facts_to_say = [f for f in _SENTENCES if f not in ALWAYS and (f not in said or rng.random() < 0.3)]
    facts_to_say += [fact for fact, share in mentioned.items() if rng.random() < share]
    sentences = [_pick(_SENTENCES[f], rng).format(**fields) for f in rng.permutation(facts_to_say)]
    filler = [_FILLER[i] for i in rng.permutation(len(_FILLER))]
    wanted = int(rng.integers(MIN_WORDS, 45))
    while _count(title, sentences) < wanted and _count(title, [*sentences, filler[-1]]) <= MAX_WORDS:
        sentences.append(filler.pop())
    return title, " ".join(sentences)


def _count(title: str, sentences: list[str]) -> int:
    return len(" ".join([title, *sentences]).split())


def _pick(forms: tuple[str, ...], rng: np.random.Generator) -> str:
    return forms[rng.integers(len(forms))]
