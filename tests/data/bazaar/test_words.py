"""The words say what can be read and keep quiet about what must be seen."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dmesr_core.data.bazaar import words
from dmesr_core.data.bazaar.facts import CATEGORIES, COLOURS, PATTERNS, SHAPES, WORD_FACTS, sample_facts

N = 400


@pytest.fixture(scope="module")
def written() -> list[tuple[dict[str, str], str, str]]:
    facts = sample_facts(N, np.random.default_rng(5))
    rng = np.random.default_rng(6)
    return [(facts.of(i), *words.write(facts.of(i), rng)) for i in range(N)]


def _says(word: str, title: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", f"{title} {text}", re.IGNORECASE) is not None


def test_every_readable_fact_is_said(written):
    for facts, title, text in written:
        missing = [f for f in WORD_FACTS if not _says(facts[f], title, text)]
        assert not missing, f"{title!r} / {text!r} lacks {missing}"


def test_colour_is_said_sometimes_and_never_wrongly(written):
    share = np.mean([_says(facts["colour"], title, text) for facts, title, text in written])
    assert 0.09 < share < 0.21
    for facts, title, text in written:
        assert not [c for c in COLOURS if c != facts["colour"] and _says(c, title, text)]


def test_pattern_and_shape_are_never_said(written):
    for facts, title, text in written:
        assert not [p for p in (*PATTERNS, *SHAPES[facts["category"]]) if _says(p, title, text)], text


@pytest.mark.parametrize("mentioned", [words.NEVER, words.ALWAYS], ids=["never", "always"])
def test_texts_of_other_worlds_say_all_of_how_a_product_looks_or_nothing(mentioned, written):
    rng = np.random.default_rng(6)
    for facts, _, _ in written:
        title, text = words.write(facts, rng, mentioned)
        assert all(_says(facts[f], title, text) for f in WORD_FACTS)
        assert {f for f in ("colour", "pattern", "shape") if _says(facts[f], title, text)} == set(mentioned)
        assert words.MIN_WORDS <= len(f"{title} {text}".split()) <= words.MAX_WORDS + 3 * len(mentioned)


def test_the_share_of_the_texts_is_kept(written):
    facts = written[0][0]
    texts = [words.write(facts, np.random.default_rng(1), {"colour": share})[1] for share in (0.0, 1.0)]
    assert facts["colour"] not in texts[0] and facts["colour"] in texts[1]


def test_no_other_category_is_said(written):
    for facts, title, text in written:
        assert [c for c in CATEGORIES if _says(c, title, text)] == [facts["category"]]


def test_length_and_variety(written):
    lengths = [len(f"{title} {text}".split()) for _, title, text in written]
    assert min(lengths) >= words.MIN_WORDS and max(lengths) <= words.MAX_WORDS
    assert len({text for _, _, text in written}) == N
    assert not [t for _, title, text in written for t in (title, text) if "{" in t or "  " in t]


def test_same_seed_same_words(written):
    facts = written[0][0]
    first, again, other = (words.write(facts, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again != other
