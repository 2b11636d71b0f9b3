"""Data sets by name or path: sizes, folders, options, and what is said about a wrong request."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from dmesr_core.data import datasets
from dmesr_core.data.bazaar.words import MENTIONED
from dmesr_core.data.datasets import DATASETS, dataset_spec, load_dataset
from dmesr_core.errors import DataError, SettingsError

ITEMS = "id,title,text\na,Red cup,\nb,Blue cup,\n"
LOG = "user,item,time\nu,a,1\nu,b,2\nv,a,1\n"
LINES = "1 1 2 3\n2 3 1\n"


@pytest.fixture(autouse=True)
def no_usual_place(monkeypatch):
    monkeypatch.delenv("DMESR_DATA", raising=False)


@pytest.mark.parametrize(
    ("name", "settings", "size"),
    [
        ("bazaar", {"profile": "smoke"}, (120, 200, 0)),
        ("bazaar", {"profile": "cpu"}, (1_200, 3_000, 0)),
        ("bazaar", {"profile": "gpu", "seed": 5}, (20_000, 200_000, 5)),
        ("bazaar-sparse", {}, (4_800, 3_000, 0)),
        ("bazaar-sparse", {"profile": "smoke", "seed": 1}, (4_800, 3_000, 1)),
        ("bazaar-1", {"profile": "cpu"}, (1_200, 3_000, 1)),
        ("bazaar-3", {"profile": "smoke", "seed": 4}, (120, 200, 7)),
    ],
)
def test_sizes_and_folders_of_the_bazaar(monkeypatch, tmp_path, name, settings, size):
    """Stored results depend on them."""
    made = []

    def make_world(*arguments, mentioned):
        made.append(arguments)
        assert mentioned is MENTIONED
        return SimpleNamespace(catalogue="catalogue", interactions="log")

    monkeypatch.setenv("DMESR_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "make_world", make_world)
    dataset = load_dataset(name, **settings)
    n_items, n_shoppers, seed = size
    assert made == [(n_items, n_shoppers, seed, tmp_path / "bazaar" / f"{n_items}-items-seed-{seed}")]
    assert (dataset.name, dataset.catalogue, dataset.interactions) == (name, "catalogue", "log")
    assert dataset.world is not None


def test_worlds_that_differ_in_their_texts_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path))
    usual, unwritten, written = (
        load_dataset(name, profile="smoke") for name in ("bazaar", "bazaar-unwritten", "bazaar-written")
    )
    for other in (unwritten, written):
        np.testing.assert_array_equal(usual.world.fact_vectors(), other.world.fact_vectors())
        np.testing.assert_array_equal(usual.interactions.item, other.interactions.item)
        assert not {p.parent for p in usual.catalogue.pictures} & {p.parent for p in other.catalogue.pictures}
    says = {}
    for data in (usual, unwritten, written):
        said = zip(data.catalogue.facts["colour"], data.catalogue.texts, strict=True)
        says[data.name] = np.mean([colour in re.findall(r"\w+", text) for colour, text in said])
    assert says["bazaar-unwritten"] == 0 < says["bazaar"] < 0.3 and says["bazaar-written"] == 1


def test_the_bazaar_takes_no_folder(tmp_path):
    with pytest.raises(SettingsError, match="'bazaar' is generated and reads no folder"):
        load_dataset("bazaar", tmp_path)


@pytest.mark.parametrize("as_type", [str, lambda path: path])
def test_a_folder_by_name_and_by_path(write_folder, as_type):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": LOG})
    for dataset in (load_dataset("folder", as_type(folder)), load_dataset(as_type(folder))):
        assert (dataset.name, len(dataset.interactions), dataset.world) == ("folder", 3, None)
        assert dataset.require_catalogue().ids == ("a", "b")


@pytest.mark.parametrize("as_type", [str, lambda path: path])
def test_a_sequence_file_by_name_and_by_path(write_folder, as_type):
    file = write_folder({"log.txt": LINES}) / "log.txt"
    for dataset in (load_dataset("sequences", as_type(file)), load_dataset(as_type(file))):
        assert (dataset.name, dataset.catalogue, len(dataset.interactions)) == ("sequences", None, 5)
        with pytest.raises(SettingsError, match="'sequences' has neither pictures nor texts; .* bazaar, .*folder$"):
            dataset.require_catalogue()


def test_a_name_wins_over_a_folder_of_that_name_where_it_is_no_path(write_folder, monkeypatch):
    files = {"movielens/items.csv": ITEMS, "movielens/interactions.csv": LOG}
    monkeypatch.chdir(write_folder(files))
    with pytest.raises(SettingsError, match="'movielens' is read from a folder"):
        load_dataset("movielens")
    assert load_dataset("./movielens").name == "folder"


@pytest.mark.parametrize(("name", "file"), [("beauty", "Beauty.txt"), ("toys", "Toys_and_Games.txt")])
def test_the_usual_place(write_folder, monkeypatch, name, file):
    folder = write_folder({f"sequences/{file}": LINES, "elsewhere/log.txt": "1 1 2\n"})
    monkeypatch.setenv("DMESR_DATA", str(folder))
    assert len(load_dataset(name).interactions) == len(load_dataset(name, folder / "sequences").interactions) == 5
    assert len(load_dataset(name, folder / "elsewhere" / "log.txt").interactions) == 2
    with pytest.raises(DataError, match=f"elsewhere.{file}: there is no such file"):
        load_dataset(name, folder / "elsewhere")
    with pytest.raises(DataError, match="movielens_posters: there is no such folder"):
        load_dataset("movielens")
    with pytest.raises(SettingsError, match="'folder' is read from a folder or file: pass its path"):
        load_dataset("folder")  # it has no usual place


def test_a_folder_that_was_not_given_is_asked_for():
    for name, place in (("movielens", "movielens_posters/"), ("beauty", "sequences/"), ("toys", "sequences/")):
        with pytest.raises(SettingsError, match=rf"{name!r} .*--data-dir.*or set DMESR_DATA to the .* holds {place}$"):
            load_dataset(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("amazon", "unknown data 'amazon': there is no such folder or file in "),
        ("my_shop", "unknown data 'my_shop': there is no such folder or file in .* \\(there is 'my-shop'\\)"),
        ("no/such/folder", "there is no such folder or file in .*, nor a folder 'no/such'"),
        ("movielense", r"unknown data 'movielense' \(did you mean 'movielens'\?\): there is no such folder"),
        ("Bazar", r"unknown data 'Bazar' \(did you mean 'bazaar'\?\)"),
        ("beuty", r"unknown data 'beuty' \(did you mean 'beauty'\?\)"),
    ],
)
def test_an_unknown_name_is_taken_for_a_path_that_is_missing(write_folder, monkeypatch, name, message):
    monkeypatch.chdir(write_folder({"my-shop/items.csv": ITEMS}))
    choices = ", ".join(DATASETS)
    with pytest.raises(
        SettingsError, match=f"{message}.* Give the path of a folder or file that exists, or .* {choices}"
    ):
        load_dataset(name)
    with pytest.raises(SettingsError, match=rf"unknown data {name!r}(| \(.*\)): choose one of {choices}$"):
        load_dataset(name, "a/folder")
    with pytest.raises(SettingsError, match=f"unknown data {name!r}"):
        dataset_spec(name)


@pytest.mark.parametrize("name", ["items.csv", "interactions.csv", "gone.csv", "LOG.CSV", "log.tsv"])
def test_a_table_is_no_data_set_but_its_folder_is(write_folder, name):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": LOG, "LOG.CSV": LOG, "log.tsv": LOG})
    with pytest.raises(
        SettingsError, match=rf"{name}' is a table: give the folder that holds items\.csv and inter"
    ) as e:
        load_dataset(folder / name)
    assert f"load_dataset({str(folder)!r})" in str(e.value)
    (folder / "lines.csv").write_text(LINES)
    assert len(load_dataset("sequences", folder / "lines.csv").interactions) == 5


def test_a_folder_of_movielens_is_recognised(write_folder):
    folder = write_folder({"ratings.csv": "", "movies.csv": ""})
    with pytest.raises(DataError, match=r"there is no items.csv, but a ratings.csv .*: load_dataset\(\"movielens\", '"):
        load_dataset(folder)


def test_options_reach_the_reader(write_folder):
    files = {"items.csv": ITEMS + "c,Nobody's cup,\n", "interactions.csv": LOG + "v,z,2\n"}
    folder = write_folder(files)
    with pytest.raises(DataError, match=r"row 4 \('z'\)"):
        load_dataset("folder", folder)
    dataset = load_dataset("folder", folder, on_unknown="drop", k_core=1)
    assert dataset.require_catalogue().ids == ("a", "b") and len(dataset.interactions) == 3


def test_options_of_movielens_reach_the_reader(write_folder):
    ratings = "userId,movieId,rating,timestamp\n1,1,5,1\n1,2,1,2\n2,1,4,1\n"
    movies = "movieId,title,genres\n1,Toy Story,Animation\n2,Other,Drama\n"
    folder = write_folder({"ratings.csv": ratings, "movies.csv": movies})
    dataset = load_dataset("movielens", folder, keep_bare=True, k_core=1, min_rating=3)
    assert dataset.require_catalogue().ids == ("1",) and len(dataset.interactions) == 2
    with pytest.raises(DataError, match="fewer than 5 events"):  # the usual k-core
        load_dataset("movielens", folder, keep_bare=True)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("folder", {"min_rating": 3, "keep_bare": True}, "no option min_rating, keep_bare: it has k_core, on_unknown"),
        ("movielens", {"on_unknown": "drop"}, "no option on_unknown: it has k_core, min_rating, keep_bare"),
        ("sequences", {"k_core": 5}, "no option k_core: it has none of these"),
        ("bazaar", {"k_core": 5}, "no option k_core: it has none of these"),
    ],
)
def test_options_that_a_data_set_does_not_have(name, options, message):
    with pytest.raises(SettingsError, match=re.escape(f"data {name!r} has {message}")):
        load_dataset(name, **options)


@pytest.mark.parametrize("name", [None, 3, ""])
def test_what_is_no_name_and_no_path_is_refused(name):
    choices = ", ".join(DATASETS)
    with pytest.raises(SettingsError, match=f"unknown data '{name}': choose one of {choices}, or give the path"):
        load_dataset(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number, at least 0, got -1"),
        ({"seed": 1.5}, "seed must be a whole number, at least 0, got 1.5"),
        ({"seed": "1"}, "seed must be a whole number, at least 0, got '1'"),
        ({"seed": None}, "seed must be a whole number"),
        ({"profile": "huge"}, "unknown profile 'huge': choose one of smoke, cpu, gpu"),
        ({"profile": 3}, "unknown profile 3: choose one of smoke, cpu, gpu"),
        ({"profile": ["cpu"]}, "unknown profile ['cpu']: choose one of smoke, cpu, gpu"),
        ({"k_core": 2.5}, "k_core must be a whole number, at least 0, got 2.5"),
        ({"k_core": "2"}, "k_core must be a whole number, at least 0, got '2'"),
        ({"k_core": True}, "k_core must be a whole number, at least 0, got True"),
        ({"on_unknown": "ignore"}, "on_unknown must be 'error' or 'drop', got 'ignore'"),
        ({"on_unknown": True}, "on_unknown must be 'error' or 'drop', got True"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_read(tmp_path, options, message):
    for name, folder in (("folder", tmp_path / "gone"), ("bazaar", None)):
        if name == "folder" or not options.keys() & {"k_core", "on_unknown"}:
            with pytest.raises(SettingsError, match=re.escape(message)):
                load_dataset(name, folder, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_rating": "x"}, "min_rating must be a number, got 'x'"),
        ({"min_rating": float("nan")}, "min_rating must be a number, got nan"),
        ({"k_core": 2.5}, "k_core must be a whole number, at least 1, got 2.5"),
        ({"k_core": 0}, "k_core must be a whole number, at least 1, got 0"),
        ({"keep_bare": "yes"}, "keep_bare must be True or False, got 'yes'"),
    ],
)
def test_settings_of_movielens_out_of_range(tmp_path, options, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_dataset("movielens", tmp_path / "gone", **options)


def test_a_file_for_a_folder_and_a_folder_for_a_file(write_folder):
    folder = write_folder({"items.csv": ITEMS})
    with pytest.raises(DataError, match=r"items.csv: this is a file, not a folder; it should hold items\.csv"):
        load_dataset("folder", folder / "items.csv")
    with pytest.raises(DataError, match="this is a folder; wanted one user per line"):
        load_dataset("sequences", folder)


def test_a_data_set_is_shown_in_one_line(write_folder):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": LOG, "log.txt": LINES})
    assert repr(load_dataset(folder)) == (
        "<Dataset 'folder': <Catalogue: 2 items, 2 of them without picture>, "
        "<Interactions: 3 events of 2 users with 2 items>>"
    )
    split = load_dataset(folder / "log.txt").interactions.leave_one_out()
    assert repr(split) == "<Split 'leave-one-out': 2 training sequences, 1 validation and 1 test cases, 3 items>"
    assert "None, <Interactions: 5 events" in repr(load_dataset(folder / "log.txt"))
