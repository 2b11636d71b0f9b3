"""The chapters on other data than the Bazaar: one's own folder, and real films, both cut small.

What a chapter knows about the Bazaar only (true facts, the ceiling) is not there; it must run and render all the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.small_shop import write_shop

from dmesr_core.book.render import render
from dmesr_core.book.runner import RunSettings, run_book

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def make_book(data: str, data_dir: Path) -> dict:
    """Run and render the whole book on these data; chapter 6's numbers."""
    settings = RunSettings(ROOT, profile="smoke", data=data, data_dir=str(data_dir))
    run_book(settings)
    first, _ = render(settings)
    assert first.parent.name == f"html-smoke-{data}"
    return json.loads((settings.executed / "06_all_together.json").read_text(encoding="utf-8"))


def test_a_folder_of_ones_own(tmp_path):
    numbers = make_book("folder", write_shop(tmp_path / "shop", 80, 80, tmp_path / "drawn"))
    assert numbers["data"] == "folder"
    assert numbers["numbers"]


@pytest.fixture
def few_films(trial_data, tmp_path):
    """The 150 films with most ratings, with their posters and ratings."""
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


def test_real_films(few_films):
    numbers = make_book("movielens", few_films)
    assert numbers["data"] == "movielens"
    assert numbers["numbers"]
