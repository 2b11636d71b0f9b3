"""MovieLens with posters and abstracts: real pictures, texts and timestamped ratings.

GroupLens publishes ratings and titles (Harper and Konstan, "The MovieLens Datasets", 2015); posters and abstracts
must be added by someone with the right to use them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dmesr_core.data.catalogue import Catalogue, find_pictures, join_words
from dmesr_core.data.csv_files import clean_id, name_rows, read_table, rows_where
from dmesr_core.data.interactions import Interactions, keep_core
from dmesr_core.errors import DataError, SettingsError

_NO_GENRE = "(no genres listed)"  # in the MovieLens files: no genre is known


def load_movielens(
    folder: str | Path, k_core: int = 5, min_rating: float | None = None, keep_bare: bool = False
) -> tuple[Catalogue, Interactions]:
    """Films as items, each rating as one event, whatever the number of stars.

    - `ratings.csv`: columns userId, movieId, rating, timestamp (seconds);
    - `movies.csv`: columns movieId, title, genres (`A|B`), abstract;
    - `posters/<movieId>.jpg`.

    An item's text is its genres and its abstract. The catalogue's report counts films_without_abstract,
    films_without_poster and rated_films_not_in_table; the interactions' report counts the events dropped with them.

    Args:
        k_core: drop users and films with fewer events (1: drops only films without ratings).
        min_rating: ignore ratings with fewer stars (None: use all).
        keep_bare: keep films without abstract or poster, and films that are not in `movies.csv`; the official
            download can be read with this option only, and has no pictures.

    Raises:
        DataError: invalid or missing data; names the file, the row or the id.
        SettingsError: `k_core` below 1.
    """
    if k_core < 1:
        raise SettingsError(f"k_core must be at least 1, got {k_core}")
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; it should hold ratings.csv, movies.csv and posters/")
    ratings = read_table(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"))
    movies = read_table(folder / "movies.csv", ("movieId", "title", "genres"))
    posters = find_pictures(folder / "posters")
    if not keep_bare:
        _check_complete(folder, movies, posters)
    catalogue = _films(folder, movies, posters, ratings["movieId"].tolist() if keep_bare else [])
    if not keep_bare:
        both = zip(catalogue.pictures, _abstracts(movies), strict=True)
        complete = [k for k, (poster, abstract) in enumerate(both, start=1) if poster and abstract]
        if not complete:
            raise DataError(f"{folder}: no film has both an abstract and a poster; pass keep_bare=True to go without")
        catalogue = catalogue.subset(complete)
    where, dropped = str(folder / "ratings.csv"), 0
    if min_rating is not None:
        stars = pd.to_numeric(ratings["rating"], errors="coerce").to_numpy(float)
        if (bad := rows_where(stars != stars)).size:
            raise DataError(f"{where}: {name_rows(bad)}: the rating is not a number")
        dropped = int((stars < min_rating).sum())
        ratings = ratings[stars >= min_rating]
        where += f", counting only ratings of {min_rating} and more"
    interactions = Interactions.from_columns(
        ratings["userId"], ratings["movieId"], ratings["timestamp"], catalogue, on_unknown="drop", where=where
    )
    interactions.report["ratings_below_minimum"] = dropped
    catalogue.report["rated_films_not_in_table"] = len(set(ratings["movieId"]) - set(movies["movieId"]))
    return keep_core(catalogue, interactions, k_core)


def _films(folder: Path, movies: pd.DataFrame, posters: dict[str, Path], rated: list[str]) -> Catalogue:
    """All films of the table, then those of `rated` that are not in it, which have an id only."""
    ids = [clean_id(id) for id in movies["movieId"]]
    abstracts = _abstracts(movies)
    genres = movies["genres"].replace(_NO_GENRE, "").str.replace("|", ", ", regex=False)
    texts = [join_words(genre, abstract) for genre, abstract in zip(genres, abstracts, strict=True)]
    known = set(ids)
    bare = [id for id in dict.fromkeys(map(clean_id, rated)) if id and id not in known]
    counts = {
        "films_without_abstract": abstracts.count(""),
        "films_without_poster": sum(id not in posters for id in ids),
    }
    nothing = [""] * len(bare)
    try:
        return Catalogue(
            (*ids, *bare), (*movies["title"], *nothing), (*texts, *nothing),
            tuple(posters.get(id) for id in (*ids, *bare)), report=counts,
        )  # fmt: skip
    except DataError as error:
        raise DataError(f"{folder / 'movies.csv'}: {error}") from None


def _abstracts(movies: pd.DataFrame) -> list[str]:
    """The abstract of each film; "" where there is none."""
    return movies["abstract"].str.strip().tolist() if "abstract" in movies else [""] * len(movies)


def _check_complete(folder: Path, movies: pd.DataFrame, posters: dict[str, Path]) -> None:
    """DataError if there are no abstracts or no posters at all."""
    lacking = []
    if "abstract" not in movies:
        lacking.append(f"movies.csv has no column 'abstract' (found {', '.join(map(repr, movies.columns))})")
    if not posters:
        lacking.append("there are no pictures posters/<movieId>.jpg")
    if lacking:
        raise DataError(
            f"{folder}: {' and '.join(lacking)}. The official MovieLens download has neither abstracts nor posters: "
            "add them, or pass keep_bare=True to go without"
        )
