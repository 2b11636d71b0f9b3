"""MovieLens with posters and abstracts: real pictures, texts and timestamped ratings.

GroupLens publishes ratings and titles (Harper and Konstan, "The MovieLens Datasets", 2015); posters and abstracts
must be added by someone with the right to use them.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from dmesr_core.data.catalogue import Catalogue, join_words, say_changes
from dmesr_core.data.checks import check_number, check_whole
from dmesr_core.data.csv_files import clean_id, name_rows, read_table, rows_where, shown
from dmesr_core.data.interactions import Interactions, keep_core
from dmesr_core.data.picture_files import find_pictures, say_unmatched
from dmesr_core.errors import DataError, SettingsError

_log = logging.getLogger(__name__)
_GO_WITHOUT = "to go without: load_dataset(..., keep_bare=True)"
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
        SettingsError: `k_core` below 1 or no whole number, `min_rating` no number, `keep_bare` not True or False.
    """
    check_whole("k_core", k_core, 1)
    if min_rating is not None:
        check_number("min_rating", min_rating)
    if not isinstance(keep_bare, (bool, np.bool_)):
        raise SettingsError(f"keep_bare must be True or False, got {keep_bare!r}")
    folder = Path(folder)
    if not folder.is_dir():
        found = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DataError(f"{folder}: {found}; it should hold ratings.csv, movies.csv and posters/")
    ratings = read_table(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"))
    movies = read_table(folder / "movies.csv", ("movieId", "title", "genres"))
    posters = find_pictures(folder / "posters")
    if not keep_bare:
        _check_complete(folder, movies, posters)
    catalogue = _films(folder, movies, posters, ratings["movieId"].tolist() if keep_bare else [])
    say_changes(catalogue, folder / "movies.csv")
    catalogue.report["picture_unmatched"] = say_unmatched(folder / "posters", catalogue.ids, catalogue.pictures)
    if not keep_bare:
        catalogue = _complete_films(folder, catalogue, _abstracts(movies))
    where, keep, dropped = folder / "ratings.csv", None, 0
    if min_rating is not None:
        stars = pd.to_numeric(ratings["rating"], errors="coerce").to_numpy(float)
        if (bad := rows_where(~np.isfinite(stars))).size:
            raise DataError(f"{where}: {name_rows(bad)}: the rating is not a number")
        keep = stars >= min_rating
        dropped = int((~keep).sum())
        if dropped == len(keep):
            raise DataError(f"{where}: no rating has {min_rating} stars or more")
        if dropped:
            _log.warning("%s: %s of %s ratings dropped: below %s", where, f"{dropped:,}", f"{len(keep):,}", min_rating)
    interactions = Interactions.from_columns(
        ratings["userId"], ratings["movieId"], ratings["timestamp"], catalogue, "drop", str(where), keep
    )
    interactions.report["ratings_below_minimum"] = dropped
    catalogue.report["rated_films_not_in_table"] = len(
        set(map(clean_id, ratings["movieId"].unique())) - set(map(clean_id, movies["movieId"])) - {""}
    )
    return keep_core(catalogue, interactions, k_core)


def _complete_films(folder: Path, catalogue: Catalogue, abstracts: list[str]) -> Catalogue:
    """The films that have both a poster and an abstract; says how many have not."""
    both = zip(catalogue.pictures, abstracts, strict=True)
    complete = [k for k, (poster, abstract) in enumerate(both, start=1) if poster and abstract]
    if not complete:
        raise DataError(f"{folder}: no film has both an abstract and a poster; {_GO_WITHOUT}")
    if lost := sorted(set(range(1, len(catalogue) + 1)) - set(complete)):
        first = catalogue.ids[lost[0] - 1]
        _log.warning(
            "%s: %s of %s films dropped: no abstract or no poster (first: %s); %s",
            folder / "movies.csv", f"{len(lost):,}", f"{len(catalogue):,}", shown(first), _GO_WITHOUT,
        )  # fmt: skip
    return catalogue.subset(complete)


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
            f"add them; {_GO_WITHOUT}"
        )
