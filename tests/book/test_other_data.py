"""The book on other data than the Bazaar: a folder of products, and real films, a small part of each.

There is no ceiling then, and no facts or other ones than the Bazaar's; the chapters must still run and render.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.small_shop import write_shop
from PIL import Image

from dmesr_core.book.chapter import MIN_ITEMS, MIN_USERS
from dmesr_core.book.render import render
from dmesr_core.book.runner import RunSettings, run_book

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def numbers_of(chapter: str, settings: RunSettings) -> dict:
    """The content of the file of numbers that this chapter wrote."""
    return json.loads((settings.executed / f"{chapter}.json").read_text(encoding="utf-8"))


# Titles of users that something on the way could take for its own, and letters without a glyph.
TITLES = [
    "Ba$$in", "$x_{1$ \\frac{", "a | b `c` {glue:text}`x`", "<script>alert('hi')</script>",
    "東京 مرحبا 🙂", "a\x07\u202eb", "", "very long " * 200, "x" * 300, "Warning: hot",
]  # fmt: skip
N = 80
FACTS = {
    "one value": ["same"] * N,
    "each its own": [f"v{k}" for k in range(N)],
    "price": [str(k % 7 + 0.5) if k % 3 else "" for k in range(N)],
    "other": ["a", "b"] * (N // 2),  # also the name of a kind of word
    "Ba$$in | 東 <b>": ["$", "|"] * (N // 2),
    "series": ["same"] * N,
    "rare": ["x", *["y"] * (N - 1)],
}


def huge_picture():
    """10,000 x 10,000 pixels of one bit: a small file that Pillow warns of."""
    stream = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(stream, "PNG")
    return stream.getvalue()


def test_the_book_runs_on_a_folder_with_odd_titles_pictures_and_facts(tmp_path):
    pictures = [b"", b"no picture", huge_picture()]
    folder = write_shop(tmp_path / "shop", N, N, TITLES, pictures, FACTS)
    settings = RunSettings(ROOT, profile="smoke", data="folder", data_dir=str(folder))
    run_book(settings)
    first, _ = render(settings)
    assert first.parent.name == "html-smoke-folder"
    numbers = numbers_of("06_all_together", settings)
    assert numbers["data"] == "folder"
    assert numbers["numbers"]
    page = (settings.executed / "01_next_please.ipynb").read_text(encoding="utf-8")
    assert "<script>alert" not in page


def test_chapters_run_on_the_smallest_shop_with_a_category_as_its_only_fact(tmp_path):
    only = {"category": ["hat", "cup", "bag", "", "hat", "cup"] * (MIN_ITEMS // 6)}
    folder = write_shop(tmp_path / "shop", MIN_ITEMS, MIN_USERS, facts=only)
    settings = RunSettings(ROOT, profile="smoke", data="folder", data_dir=str(folder))
    assert run_book(settings, ["04", "06"]) == 2  # 4 asks for facts, and 6 for enough users and items


@pytest.fixture
def few_films(trial_data, tmp_path):
    """A folder with the 150 films that have most ratings, with their posters."""
    source = trial_data / "movielens_posters"
    ratings, movies = pd.read_csv(source / "ratings.csv"), pd.read_csv(source / "movies.csv")
    complete = movies[
        movies["abstract"].notna() & movies["movieId"].map(lambda m: (source / "posters" / f"{m}.jpg").is_file())
    ]
    counts = ratings[ratings["movieId"].isin(complete["movieId"])]["movieId"].value_counts()
    chosen = set(counts.index[:150])
    (tmp_path / "posters").mkdir()
    for movie in chosen:
        shutil.copyfile(source / "posters" / f"{movie}.jpg", tmp_path / "posters" / f"{movie}.jpg")
    movies[movies["movieId"].isin(chosen)].to_csv(tmp_path / "movies.csv", index=False)
    ratings[ratings["movieId"].isin(chosen)].to_csv(tmp_path / "ratings.csv", index=False)
    return tmp_path


def test_chapters_run_on_real_films(few_films):
    settings = RunSettings(ROOT, profile="smoke", data="movielens", data_dir=str(few_films))
    assert run_book(settings, ["03", "05", "06"]) == 3  # eyes, words, and both together; the folder above ran them all
    assert numbers_of("06_all_together", settings)["data"] == "movielens"
