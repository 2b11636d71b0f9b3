"""The book on other data than the Bazaar: a folder of products, and real films, a small part of each.

There are no true facts and no ceiling then; all chapters must still run and render.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dmesr_core.book.render import render
from dmesr_core.book.runner import RunSettings, run_book
from dmesr_core.data.example_shop import write_example

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def make_book(data: str, data_dir: Path) -> dict:
    """Run and render the whole book on these data; the content of chapter 6's file of numbers."""
    settings = RunSettings(ROOT, profile="smoke", data=data, data_dir=str(data_dir))
    run_book(settings)
    first, _ = render(settings)
    assert first.parent.name == f"html-smoke-{data}"
    return json.loads((settings.executed / "06_all_together.json").read_text(encoding="utf-8"))


def test_the_book_runs_on_a_folder(tmp_path):
    numbers = make_book("folder", write_example(tmp_path / "shop", 80, 80))
    assert numbers["data"] == "folder"
    assert numbers["numbers"]


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


def test_the_book_runs_on_real_films(few_films):
    numbers = make_book("movielens", few_films)
    assert numbers["data"] == "movielens"
    assert numbers["numbers"]
