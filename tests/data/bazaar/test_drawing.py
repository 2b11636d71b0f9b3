"""The pictures show the facts, and are a pure function of facts and generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dmesr_core.data.bazaar import drawing
from dmesr_core.data.bazaar.drawing import draw, draw_marks
from dmesr_core.data.bazaar.facts import CATEGORIES, COLOURS, PATTERNS, SHAPES
from dmesr_core.data.bazaar.silhouettes import SILHOUETTES
from dmesr_core.errors import SettingsError


def _array(category="vase", colour="red", pattern="plain", shape="slim", seed=0, size=64) -> np.ndarray:
    return np.asarray(draw(category, colour, pattern, shape, np.random.default_rng(seed), size), dtype=float)


def _product(picture: np.ndarray) -> np.ndarray:
    """True where the product is: pixels darker or more vivid than any ground. (H, W) bool"""
    return (picture.min(axis=2) < 200) | (np.ptp(picture, axis=2) > 60)


def test_same_seed_same_bytes():
    first, again, other = (_array(seed=s) for s in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_version_follows_the_code_but_not_its_comments(tmp_path, monkeypatch):
    here = Path(drawing.__file__).parent
    for name in ("drawing.py", "silhouettes.py", "facts.py"):
        (tmp_path / name).write_text((here / name).read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    before = drawing.drawing_version()
    monkeypatch.setattr(drawing, "__file__", str(tmp_path / "drawing.py"))
    assert drawing.drawing_version() == before
    for name in ("drawing.py", "silhouettes.py", "facts.py"):
        source = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(source + "NEW = 1\n", encoding="utf-8")
        assert drawing.drawing_version() != before
        (tmp_path / name).write_text(source, encoding="utf-8")


def test_size_and_mode():
    picture = draw("cup", "teal", "dotted", "flared", np.random.default_rng(0))
    assert picture.size == (128, 128) and picture.mode == "RGB"
    assert draw("cup", "teal", "dotted", "flared", np.random.default_rng(0), size=40).size == (40, 40)


def test_silhouettes_differ_clearly():
    """With equal jitter, any two outlines differ on at least 3% of the picture."""
    masks = {key: _product(_array(key[0], "navy", "plain", key[1])) for key in SILHOUETTES}
    keys = list(masks)
    for i, a in enumerate(keys):
        for b in keys[i + 1 :]:
            assert np.mean(masks[a] ^ masks[b]) > 0.03, f"{a} looks like {b}"


def test_patterns_differ_on_every_silhouette():
    for category, shape in SILHOUETTES:
        pictures = [_array(category, "red", p, shape) for p in PATTERNS]
        for i in range(4):
            for j in range(i):
                different = np.abs(pictures[i] - pictures[j]).max(axis=2) > 30
                assert different.mean() > 0.01, f"{category}/{shape}: {PATTERNS[i]} looks like {PATTERNS[j]}"


def test_patterns_are_what_they_are_called():
    """Stripes run one way, checks vary both ways, dots leave most of the cloth free."""

    def place(points):
        return [(60 + 50 * x, 60 + 50 * y) for x, y in points]

    mask = {p: np.asarray(draw_marks(p, (120, 120), place, 50, 0.3, np.array([0.2, 0.6]))) > 0 for p in PATTERNS[1:]}
    along = {p: (m != m[:1]).any() for p, m in mask.items()}  # changes from row to row
    across = {p: (m != m[:, :1]).any() for p, m in mask.items()}  # changes from column to column
    assert along == {"striped": False, "dotted": True, "checked": True}
    assert across == {"striped": True, "dotted": True, "checked": True}
    assert mask["dotted"].mean() < 0.35 < mask["checked"].mean() < 0.65


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_colour_dominates(colour, pattern):
    """Of all product colours, the right one is the nearest to the largest number of vivid pixels."""
    palette = np.array(list(COLOURS.values()), dtype=float)
    names = list(COLOURS)
    for k, category in enumerate(CATEGORIES):
        picture = _array(category, colour, pattern, SHAPES[category][k % 2], seed=k)
        pixels = picture[_product(picture)]
        distance = np.linalg.norm(pixels[:, None] - palette[None], axis=2)  # (pixels, 12)
        close = distance.min(axis=1) < 25
        nearest = np.bincount(distance.argmin(axis=1)[close], minlength=len(names))
        assert names[int(nearest.argmax())] == colour, f"{colour} {pattern} {category}"


def test_product_stays_inside_the_picture():
    rng = np.random.default_rng(11)
    for category, shape in SILHOUETTES:
        for _ in range(6):
            mask = _product(np.asarray(draw(category, "navy", "plain", shape, rng), dtype=float))
            border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
            assert border.sum() <= 6, f"{category}/{shape} is cut off"


@pytest.mark.parametrize(
    ("facts", "culprit"),
    [
        (("spoon", "red", "plain", "slim"), "spoon"),
        (("vase", "red", "plain", "tote"), "tote"),
        (("vase", "mauve", "plain", "slim"), "mauve"),
        (("vase", "red", "paisley", "slim"), "paisley"),
    ],
)
def test_unknown_facts_are_named(facts, culprit):
    with pytest.raises(SettingsError, match=culprit):
        draw(*facts, np.random.default_rng(0))
