"""Which picture files belong to which items, and what is said about those that belong to none."""

from __future__ import annotations

import os
import unicodedata

import pytest

from dmesr_core.data.catalogue import read_catalogue
from dmesr_core.data.picture_files import find_pictures, named_pictures
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def said_of(write_folder, caplog, ids, pictures, files=()):
    """What is said about a catalogue of these ids with these files in pictures/, and its report."""
    rows = "".join(f"{id},t,x\n" for id in ids)
    folder = write_folder(
        {"items.csv": f"id,title,text\n{rows}", **{f"pictures/{name}": "x" for name in files}},
        tuple(f"pictures/{name}" for name in pictures),
    )
    catalogue = read_catalogue(folder)
    return caplog.messages, catalogue


def test_a_picture_name_with_a_null_byte(tmp_path):
    """Older pandas cut such a cell short, newer ones let it through, so the reader is bypassed."""
    with pytest.raises(DataError, match="row 1: the picture .* leads out of"):
        named_pictures(tmp_path, ["n\0.png"])


def test_nothing_is_said_where_all_match(write_folder, caplog):
    said, catalogue = said_of(write_folder, caplog, "ab", ("a.jpg", "a.png", "b.webp"), ("notes.txt", "._a.jpg"))
    assert not said and catalogue.report["picture_unmatched"] == 0 and all(catalogue.pictures)


@pytest.mark.parametrize(
    ("ids", "pictures", "reason"),
    [
        (["001", "002"], ["1.png", "2.png"], "ids have leading zeros, file names have none ('001' and '1')"),
        (["1", "2"], ["001.png", "002.png"], "file names have leading zeros, ids have none ('1' and '001')"),
        (["A1", "B1"], ["a1.png", "b1.png"], "upper and lower case differ ('A1' and 'a1')"),
        ([NFC, NFC + "2"], [f"{NFD}.png", f"{NFD}2.png"], "letters with accents are stored in two ways"),
        ([NFD, NFD + "2"], [f"{NFC}.png", f"{NFC}2.png"], "letters with accents are stored in two ways"),
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"], "ids have an ending such as .jpg, file names have none"),
        (["a", "b"], ["a.jpg.png", "b.jpg.png"], "file names have an ending such as .jpg, ids have none"),
        (["a", "b"], ["a .png", " b.png"], "spaces differ ('a' and 'a ')"),
    ],
)
def test_names_that_nearly_match_are_said_with_the_reason(write_folder, caplog, ids, pictures, reason):
    (said,), catalogue = said_of(write_folder, caplog, ids, pictures)
    assert "pictures: 2 of 2 files match no item ('" in said and "2 of 2 items have no picture file ('" in said
    assert f". Likely: {reason}" in said
    assert (catalogue.report["picture_unmatched"], catalogue.report["no_picture"]) == (2, 2)


def test_the_first_names_are_listed(write_folder, caplog):
    (said,), _ = said_of(
        write_folder, caplog, [f"i{k}" for k in range(5)], ["i3.png", *(f"z{k}.png" for k in range(5))]
    )
    assert "5 of 6 files match no item ('z0.png', 'z1.png', 'z2.png' and 2 more)" in said
    assert said.endswith("4 of 5 items have no picture file ('i0', 'i1', 'i2' and 1 more)")  # no reason is near


@pytest.mark.parametrize("ending", ["heic", "HEIC", "svg", "jfif"])
def test_endings_that_are_not_read(write_folder, caplog, ending):
    (said,), _ = said_of(write_folder, caplog, ["a", "b"], ["b.png"], [f"a.{ending}"])
    assert "1 of 2 files match no item" in said
    assert said.endswith(f"Likely: pictures with the ending .{ending} are not read; save them as .jpg, .jpeg, .png")


@pytest.mark.parametrize("target", ["secret.png", "gone.png"])
def test_a_link_to_a_file_outside_is_named(write_folder, caplog, target):
    folder = write_folder({"items.csv": "id,title,text\n1,t,x\n2,t,x\n"}, ("secret.png", "pictures/2.png"))
    os.symlink(folder / target, folder / "pictures" / "1.png")
    assert find_pictures(folder / "pictures").keys() == {"2"}
    assert read_catalogue(folder).report["no_picture"] == 1
    (said,) = caplog.messages
    assert "1 of 2 files match no item ('1.png'); 1 of 2 items have no picture file ('1')" in said
    assert said.endswith(
        "Likely: '1.png' is a link to a file outside of the folder, which is not followed; copy the file"
    )


def test_pictures_in_folders_below(write_folder, caplog):
    (said,), _ = said_of(write_folder, caplog, ["a", "b"], ["sub/a.png", "b.png"])
    assert said.endswith("files in folders below it (sub/) are found by the column `picture` only")


def test_no_folder_of_pictures(write_folder, caplog):
    (said,), _ = said_of(write_folder, caplog, ["a"], [])
    assert said.endswith("pictures: there is no such folder, so no item has a picture")


def test_files_that_a_table_names(write_folder, caplog):
    folder = write_folder(
        {"items.csv": "id,title,text,picture\n1,t,x,\n2,t,x,sub/two.png\n3,t,x,A.PNG\n4,t,x,four.heic\n"},
        ("pictures/a.png", "pictures/sub/two.png", "pictures/else.png"),
    )
    assert read_catalogue(folder).report["picture_not_found"] == 2
    (said,) = caplog.messages  # item 1 has none, as the table says
    assert "2 of 2 files match no item ('a.png', 'else.png'); 2 of 4 items have no picture file ('3', '4')" in said
    (folder / "items.csv").write_text("id,title,text,picture\n3,t,x,A.PNG\n")
    read_catalogue(folder)
    assert caplog.messages[1].endswith("Likely: upper and lower case differ ('A.PNG' and 'a.png')")
    (folder / "items.csv").write_text("id,title,text,picture\n3,t,x,\n")
    caplog.clear()
    (folder / "pictures" / "a.png").unlink()
    (folder / "pictures" / "else.png").unlink()
    read_catalogue(folder)
    assert not caplog.messages


def test_a_name_that_is_too_long_for_a_file_is_not_found(write_folder):
    folder = write_folder({"items.csv": f"id,title,text,picture\n1,t,x,{'x' * 5_000}.png\n"}, ("pictures/a.png",))
    catalogue = read_catalogue(folder)
    assert catalogue.report["picture_not_found"] == 1
    with pytest.raises(DataError, match="xxx.png: cannot be opened"):
        open_picture(catalogue.pictures[0])


def test_posters_of_films_are_matched_in_the_same_way(write_folder, caplog):
    from dmesr_core.data.movielens import load_movielens

    folder = write_folder(
        {
            "movies.csv": "movieId,title,genres,abstract\n1,T,Drama,x\n2,T,Drama,x\n",
            "ratings.csv": "userId,movieId,rating,timestamp\n1,1,5,1\n1,2,5,2\n",
        },
        ("posters/0001.jpg", "posters/2.jpg"),
    )
    catalogue, _ = load_movielens(folder, k_core=1, keep_bare=True)
    assert catalogue.report["picture_unmatched"] == 1
    assert "posters: 1 of 2 files match no item ('0001.jpg')" in caplog.messages[0]
    assert "file names have leading zeros, ids have none ('1' and '0001')" in caplog.messages[0]
