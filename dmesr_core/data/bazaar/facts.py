"""The facts of each product of the Bazaar; its picture and its text are generated from them.

A product has nine facts. The picture shows four (category, colour, pattern, shape); the text states six (category,
brand, series, material, use, size). Only the category is always in both; the text mentions the colour *sometimes*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmesr_core.errors import SettingsError

# Two shapes (outlines) per category.
SHAPES: dict[str, tuple[str, str]] = {
    "teapot": ("round", "tall"),
    "cup": ("straight", "flared"),
    "bowl": ("deep", "shallow"),
    "vase": ("slim", "bulbous"),
    "lamp": ("cone", "globe"),
    "clock": ("round", "square"),
    "chair": ("high", "low"),
    "cushion": ("square", "round"),
    "bag": ("tote", "backpack"),
    "umbrella": ("open", "folded"),
    "hat": ("brimmed", "beanie"),
    "boot": ("ankle", "tall"),
}
CATEGORIES = tuple(SHAPES)
# Well separated hues (RGB), which can be distinguished on a picture of 64 pixels.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (208, 44, 48),
    "orange": (240, 132, 36),
    "yellow": (246, 208, 60),
    "lime": (164, 204, 60),
    "green": (44, 132, 68),
    "teal": (32, 156, 152),
    "sky": (112, 184, 236),
    "navy": (40, 60, 136),
    "purple": (136, 72, 168),
    "pink": (240, 140, 180),
    "brown": (128, 84, 52),
    "grey": (136, 140, 146),
}
PATTERNS = ("plain", "striped", "dotted", "checked")
MATERIALS: dict[str, tuple[str, ...]] = {
    "teapot": ("ceramic", "glass", "steel", "enamel"),
    "cup": ("ceramic", "glass", "steel", "enamel"),
    "bowl": ("ceramic", "glass", "bamboo", "enamel"),
    "vase": ("ceramic", "glass", "steel", "bamboo"),
    "lamp": ("glass", "steel", "bamboo", "linen"),
    "clock": ("steel", "bamboo", "enamel", "ceramic"),
    "chair": ("bamboo", "steel", "linen", "leather"),
    "cushion": ("linen", "wool", "cotton", "leather"),
    "bag": ("linen", "cotton", "leather", "nylon"),
    "umbrella": ("nylon", "cotton", "linen", "bamboo"),
    "hat": ("wool", "cotton", "linen", "leather"),
    "boot": ("leather", "nylon", "wool", "cotton"),
}
ALL_MATERIALS = tuple(dict.fromkeys(m for ms in MATERIALS.values() for m in ms))
USES = ("travel", "picnics", "the office", "small homes", "the garden", "rainy days", "gifts", "children")
SIZES = ("small", "medium", "large")
BRANDS = (
    "Alderby", "Brunmoor", "Castella", "Dunmarle", "Elvestad", "Fennwick",
    "Gallowen", "Harrowby", "Isolde & Sons", "Juniper Row", "Kestrane", "Lindqvell",
)  # fmt: skip
# Categories that go with a category: a purchase may pull one of them next.
COMPLEMENTS: dict[str, tuple[str, ...]] = {
    "teapot": ("cup", "bowl"),
    "cup": ("teapot", "bowl"),
    "bowl": ("cup", "vase"),
    "vase": ("lamp", "bowl"),
    "lamp": ("clock", "cushion"),
    "clock": ("lamp", "vase"),
    "chair": ("cushion", "lamp"),
    "cushion": ("chair", "clock"),
    "bag": ("umbrella", "hat"),
    "umbrella": ("boot", "bag"),
    "hat": ("boot", "bag"),
    "boot": ("hat", "umbrella"),
}
# Facts in the picture, facts in the text, and all facts in the order of tables and one-hot codes.
PICTURE_FACTS = ("category", "colour", "pattern", "shape")
WORD_FACTS = ("category", "brand", "series", "material", "use", "size")
FACTS = ("category", "colour", "pattern", "shape", "brand", "series", "material", "use", "size")

_ONSETS = "b br c d f fl g gl h k l m n p qu r s st t tr v w z".split()
_VOWELS = "a e i o u ae ei ou".split()
_CODAS = "l lm n nd r ra rin s sk th va vel x lo mi ne".split()


@dataclass(frozen=True)
class Facts:
    """Facts of `N` products as integer codes; code `c` of fact `f` reads `vocabulary[f][c]`.

    Shapes are stored as 0/1 within the category, see `SHAPES`.
    """

    codes: dict[str, np.ndarray]  # fact -> (N,) int64
    vocabulary: dict[str, tuple[str, ...]]  # fact -> its values ("shape": ("first", "second"))

    def __len__(self) -> int:
        return len(self.codes["category"])

    def of(self, index: int) -> dict[str, str]:
        """The facts of product `index` (0-based) as strings."""
        row = {f: self.vocabulary[f][self.codes[f][index]] for f in FACTS if f != "shape"}
        row["shape"] = SHAPES[row["category"]][self.codes["shape"][index]]
        return row

    def one_hot(self) -> np.ndarray:
        """All facts of each product, one-hot, (N, sum of vocabulary sizes) float32.

        Shapes are coded per category, so "round teapot" and "round clock" differ.
        """
        blocks = []
        for fact in FACTS:
            code = self.codes[fact] + (2 * self.codes["category"] if fact == "shape" else 0)
            blocks.append(np.eye(self._columns(fact), dtype=np.float32)[code])
        return np.concatenate(blocks, axis=1)

    def _columns(self, fact: str) -> int:
        """Columns of a fact among the one-hot codes."""
        return 2 * len(CATEGORIES) if fact == "shape" else len(self.vocabulary[fact])

    def columns_by_view(self) -> tuple[tuple[int, ...], ...]:
        """The columns of the one-hot codes that a picture shows, and those that words can say."""
        fact_of = np.repeat(FACTS, [self._columns(fact) for fact in FACTS])
        views = (np.flatnonzero(np.isin(fact_of, facts)) for facts in (PICTURE_FACTS, WORD_FACTS))
        return tuple(tuple(columns.tolist()) for columns in views)


def series_names(n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """`n` different invented names of two syllables, such as "Stovael"; not real words, so no model knows them."""
    names: dict[str, None] = {}
    while len(names) < n:
        first = rng.choice(_ONSETS) + rng.choice(_VOWELS)
        second = rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        names.setdefault((first + second).capitalize())
    return tuple(names)


def sample_facts(n: int, rng: np.random.Generator, items_per_series: int = 20) -> Facts:
    """Draw the facts of `n` products.

    A series belongs to one brand and has three favourite colours and one favourite pattern; 60% of its products
    follow each. All other facts are uniform.

    Raises:
        SettingsError: fewer than 12 products (one per category).
    """
    if n < len(CATEGORIES):
        raise SettingsError(f"the Bazaar needs at least {len(CATEGORIES)} items (one per category), got {n}")
    n_series = max(4, n // items_per_series)
    brand_of_series = rng.permutation(np.arange(n_series) % len(BRANDS))
    series = rng.permutation(np.arange(n) % n_series)
    category = rng.integers(len(CATEGORIES), size=n)
    palette = np.stack([rng.choice(len(COLOURS), 3, replace=False) for _ in range(n_series)])  # (series, 3)
    house_pattern = rng.integers(len(PATTERNS), size=n_series)
    colour = np.where(rng.random(n) < 0.6, palette[series, rng.integers(3, size=n)], rng.integers(len(COLOURS), size=n))
    pattern = np.where(rng.random(n) < 0.6, house_pattern[series], rng.integers(len(PATTERNS), size=n))
    choice = rng.integers(4, size=n)
    material = np.array(
        [ALL_MATERIALS.index(MATERIALS[CATEGORIES[c]][m]) for c, m in zip(category, choice, strict=True)]
    )
    codes = dict(
        category=category, colour=colour, pattern=pattern, shape=rng.integers(2, size=n),
        brand=brand_of_series[series], series=series, material=material,
        use=rng.integers(len(USES), size=n), size=rng.integers(len(SIZES), size=n),
    )  # fmt: skip
    vocabulary = dict(
        category=CATEGORIES, colour=tuple(COLOURS), pattern=PATTERNS, shape=("first", "second"),
        brand=BRANDS, series=series_names(n_series, rng), material=ALL_MATERIALS, use=USES, size=SIZES,
    )  # fmt: skip
    return Facts({f: np.asarray(codes[f], dtype=np.int64) for f in FACTS}, vocabulary)
