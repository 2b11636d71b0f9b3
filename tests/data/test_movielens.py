"""MovieLens with posters and abstracts: which films and ratings are kept, and what is said about bad files."""

from __future__ import annotations

import pytest

from dmesr_core.data.movielens import load_movielens
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError, SettingsError

MOVIES = (
    "movieId,title,genres,abstract\n"
    '1,Toy Story (1995),Animation|Comedy,"Toys, alive."\n'
    "2,NaN (2000),(no genres listed),A film called NaN.\n"
    "3,No poster (1990),Drama,Nobody drew one.\n"
    "4,No abstract (1991),Drama,\n"
    "6,Never rated (1992),Drama,Nobody saw it.\n"
)
RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{movie},{stars},{1000 * movie + user}\n"
    for user in (9, 10)
    for movie, stars in ((5, 5.0), (4, 2.0), (3, 4.0), (2, 0.5), (1, 3.5))
)
POSTERS = tuple(f"posters/{movie}.jpg" for movie in (1, 2, 4, 6))


@pytest.fixture
def films(write_folder):
    return write_folder({"movies.csv": MOVIES, "ratings.csv": RATINGS}, POSTERS)


def test_films_with_poster_and_abstract_are_kept(films):
    catalogue, interactions = load_movielens(films, k_core=1)
    assert catalogue.ids == ("1", "2") and catalogue.titles == ("Toy Story (1995)", "NaN (2000)")
    assert catalogue.texts == ("Animation, Comedy. Toys, alive.", "A film called NaN.")
    assert catalogue.pictures[1] == films / "posters" / "2.jpg"
    counts = {"films_without_abstract": 1, "films_without_poster": 1, "rated_films_not_in_table": 1}
    assert {name: catalogue.report[name] for name in counts} == counts
    assert interactions.user_ids == ("9", "10") and interactions.item.tolist() == [1, 2, 1, 2]
    assert interactions.time.tolist() == [1009, 2009, 1010, 2010] and interactions.n_items == 2
    assert interactions.report["unknown_items_dropped"] == 6


def test_ids_with_spaces_are_the_same_ids(films):
    (films / "ratings.csv").write_text(RATINGS.replace(",1,", ", 1 ,"))
    catalogue, interactions = load_movielens(films, k_core=1)
    assert catalogue.report["rated_films_not_in_table"] == 1 and interactions.item.tolist() == [1, 2, 1, 2]


def test_rows_are_those_of_the_file_whatever_stars_count(films):
    (films / "ratings.csv").write_text(RATINGS + "9,1,5.0,soon\n")
    with pytest.raises(DataError, match=r"ratings\.csv: row 11: the time is not"):
        load_movielens(films, min_rating=3)
    (films / "ratings.csv").write_text(RATINGS)
    with pytest.raises(DataError, match=r"ratings\.csv: no rating has 6 stars or more"):
        load_movielens(films, min_rating=6)


def test_movielens_keep_bare(films):
    catalogue, interactions = load_movielens(films, k_core=1, keep_bare=True)
    assert catalogue.ids == ("1", "2", "3", "4", "5")
    assert catalogue.item(5) == ("5", "", "", None) and catalogue.item(3).picture is None
    assert catalogue.report["no_picture"] == 2 and len(interactions) == 10


def test_movielens_min_rating(films):
    catalogue, interactions = load_movielens(films, k_core=1, min_rating=3.5, keep_bare=True)
    assert catalogue.ids == ("1", "3", "5") and interactions.report["ratings_below_minimum"] == 4


def test_movielens_k_core(films):
    with pytest.raises(DataError, match="fewer than 5 events"):
        load_movielens(films)
    assert len(load_movielens(films, k_core=2)[1]) == 4
    with pytest.raises(SettingsError, match="k_core"):
        load_movielens(films, k_core=0)


def test_movielens_official_download(films):
    """As GroupLens gives it away: no abstracts, no posters."""
    (films / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n2,Other,Drama\n")
    message = r"no column 'abstract' \(found 'movieId', 'title', 'genres'\)"
    with pytest.raises(DataError, match=rf"{message}\. The official .* neither .* keep_bare=True"):
        load_movielens(films)
    for poster in (films / "posters").iterdir():
        poster.unlink()
    with pytest.raises(DataError, match=rf"{message} and there are no pictures posters/"):
        load_movielens(films)
    catalogue, _ = load_movielens(films, k_core=1, keep_bare=True)
    assert catalogue.words(1) == "Toy Story (1995). Animation, Comedy"


def test_movielens_nothing_complete(films):
    for poster in ("1", "2", "6"):
        (films / "posters" / f"{poster}.jpg").unlink()
    with pytest.raises(DataError, match="no film has both an abstract and a poster"):
        load_movielens(films)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("movies.csv", MOVIES + "1,Again,Drama,x\n", r"'1' is used more than once \(rows 1, 6\)"),
        ("movies.csv", MOVIES + ",Nameless,Drama,x\n", "row 6: the item id is empty"),
        ("movies.csv", "id,title\n1,x\n", "lacks the columns 'movieId', 'genres'; found 'id', 'title'"),
        ("ratings.csv", "user,item,rating\n1,1,1\n", "lacks the columns 'userId', 'movieId', 'timestamp'"),
        ("ratings.csv", RATINGS + "9,1,3.0,\n", "row 11: the time is not"),
        ("ratings.csv", RATINGS + ",1,3.0,5\n", "row 11: the user id"),
        ("ratings.csv", RATINGS + "9,1,3", "row 11 has fewer cells"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,77,5,1\n", r"1 of 1 events .* \('77'\)"),
        ("movies.csv", MOVIES.encode("latin-1") + b"7,Am\xe9lie,x,x\n", "line 7 holds the byte 0xe9"),
    ],
)
def test_movielens_bad_files(films, name, content, message):
    (films / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=rf"{name}: .*{message}"):
        load_movielens(films)


def test_movielens_bad_stars(films):
    (films / "ratings.csv").write_text(RATINGS + "9,6,five,7\n")
    with pytest.raises(DataError, match=r"ratings\.csv: row 11: the rating is not a number"):
        load_movielens(films, min_rating=3)
    assert load_movielens(films, k_core=1)[0].ids == ("1", "2", "6")  # the stars are not looked at


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder; it should hold ratings\.csv"):
        load_movielens(tmp_path / "nowhere")


def test_the_real_movielens(trial_data):
    """The numbers that the trial data is known to have."""
    catalogue, interactions = load_movielens(trial_data / "movielens_posters")
    assert (interactions.n_users, len(catalogue), len(interactions)) == (596, 1_563, 48_676)
    assert catalogue.report["no_picture"] == catalogue.report["empty_text"] == 0
    assert interactions.n_items == len(catalogue) == interactions.report["items"]
    core = interactions.k_core(5)
    assert len(core) == len(interactions)
    sizes = [open_picture(p, 64).size for p in catalogue.pictures[::50]]
    assert all(0 < max(size) <= 64 for size in sizes)
    split = interactions.leave_one_out()
    assert len(split.test) == 596 and split.report["users_without_cases"] == 0
