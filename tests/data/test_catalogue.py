"""A catalogue holds what it was given, and refuses what it cannot hold, naming the item."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmesr_core.data.catalogue import (
    MAX_TEXT,
    Catalogue,
    join_words,
    read_catalogue,
    write_catalogue,
)
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError

ODD_TEXTS = (
    "", "plain", 'quotes "and", commas', "line\nbreak", "carriage\rreturn", "both\r\n",
    "مرحبا بالعالم", "שלום", "👩‍👩‍👧‍👦 🫖", " spaces ", "NA", "nan", "007", "=1+1",
)  # fmt: skip


def build(ids=("a", "b"), titles=None, texts=None, pictures=None, facts=None):
    n = len(ids)
    return Catalogue(tuple(ids), titles or ("t",) * n, texts or ("x",) * n, pictures or (None,) * n, facts)


def test_items_are_numbered_from_one(make_catalogue):
    catalogue = make_catalogue(3)
    assert len(catalogue) == 3
    assert catalogue.item(1) == ("a1", "Title a1", "Text a1.", None)
    assert [catalogue.index(id) for id in catalogue.ids] == [1, 2, 3]
    assert catalogue.numbers(["a3", "zz", "a1"]).tolist() == [3, 0, 1]
    assert catalogue.numbers([]).shape == (0,)
    assert catalogue.words(2) == "Title a2. Text a2."


@pytest.mark.parametrize("k", [0, -1, 4])
def test_padding_is_no_item(make_catalogue, k):
    with pytest.raises(DataError, match=rf"no item number {k}: items run from 1 to 3"):
        make_catalogue(3).item(k)


def test_unknown_id_is_named(make_catalogue):
    with pytest.raises(DataError, match="no item with the id 'teapot'"):
        make_catalogue().index("teapot")


def test_external_id_zero_is_not_padding():
    catalogue = build(ids=("0", "1"))
    assert catalogue.index("0") == 1 and catalogue.item(1).id == "0"
    assert build(ids=(0, 1)).ids == ("0", "1")
    assert build(ids=np.arange(2)).index(0) == 1


@pytest.mark.parametrize("bad", ["", "  ", None, float("nan"), "nan"])
def test_lacking_ids_are_named(bad):
    with pytest.raises(DataError, match="row 2: the item id is empty or NaN"):
        build(ids=("a", bad, "c"))


def test_duplicate_ids_are_named():
    with pytest.raises(DataError, match=r"'b' is used more than once \(rows 2, 4\); 1 more id"):
        build(ids=("a", "b", "c", " b ", "c"))
    with pytest.raises(DataError, match="'1' is used more than once"):
        build(ids=(1, "1"))


def test_empty_catalogue():
    with pytest.raises(DataError, match="the catalogue is empty"):
        build(ids=())
    with pytest.raises(DataError, match="the catalogue is empty"):
        build().subset([])


def test_fields_of_different_lengths():
    with pytest.raises(DataError, match="2 ids but 3 texts"):
        build(texts=("x",) * 3)
    with pytest.raises(DataError, match="2 ids but 1 colour"):
        build(facts={"colour": ("red",)})


def test_long_texts_are_cut_and_counted():
    catalogue = build(texts=("x" * 100_000, "x" * MAX_TEXT), titles=("t", "y" * 100_000))
    assert [len(t) for t in catalogue.texts] == [MAX_TEXT, MAX_TEXT] and len(catalogue.titles[1]) == MAX_TEXT
    assert (catalogue.report["long_text_cut"], catalogue.report["long_title_cut"]) == (1, 1)
    assert catalogue.subset([1]).report["long_text_cut"] == 1


def test_null_bytes_are_dropped():
    assert build(texts=("null\0byte", "")).texts == ("nullbyte", "")


def test_empty_texts_are_kept_and_counted():
    catalogue = build(texts=("", None), titles=("only a title", float("nan")))
    assert catalogue.texts == ("", "") and catalogue.report["empty_text"] == 2 and catalogue.report["empty_title"] == 1
    assert (catalogue.words(1), catalogue.words(2)) == ("only a title", "")


def test_texts_that_are_no_texts():
    with pytest.raises(DataError, match="item 'b': the text is not a string but 7"):
        build(texts=("x", 7))
    with pytest.raises(DataError, match=r"item 'a': the title holds half a character .* position 1"):
        build(titles=("x\ud83d", "y"))


@pytest.mark.parametrize(
    ("title", "text", "words"),
    [
        ("Cup", "Blue.", "Cup. Blue."), ("Who?", "Me.", "Who? Me."), ("من؟", "أنا", "من؟ أنا"), ("", "Blue.", "Blue."),
        ("Cup", "", "Cup"), (" Cup ", " Blue ", "Cup. Blue"), ("", "", ""),
    ],
)  # fmt: skip
def test_join_words(title, text, words):
    assert join_words(title, text) == words


def test_subset_follows_the_order_given(make_catalogue):
    catalogue = make_catalogue(5)
    part = catalogue.subset(np.array([4, 2]))
    assert part.ids == ("a4", "a2") and part.index("a2") == 2 and part.report["items"] == 2
    with pytest.raises(DataError, match=r"1\.\.5, got 0\.\.3"):
        catalogue.subset([0, 3])
    with pytest.raises(DataError, match=r"1\.\.5, got 1\.\.6"):
        catalogue.subset([1, 6])


def test_subset_takes_facts_along():
    catalogue = build(facts={"colour": ("red", "blue")})
    assert catalogue.subset([2]).facts == {"colour": ("blue",)}


def test_written_catalogues_come_back(tmp_path):
    """Ids with slashes, texts with anything in them, pictures from elsewhere and from within."""
    n = len(ODD_TEXTS)
    inside, outside = tmp_path / "out" / "pictures" / "000002.png", tmp_path / "elsewhere.png"
    inside.parent.mkdir(parents=True)
    for path, colour in ((inside, "blue"), (outside, "red")):
        Image.new("RGB", (4, 4), colour).save(path)
    pictures = (outside, outside, inside, *(None,) * (n - 3))
    facts = {"colour": tuple(f"c{k}" for k in range(n))}
    catalogue = build([f"../{k}/x" for k in range(n)], ODD_TEXTS[::-1], ODD_TEXTS, pictures, facts)
    for _ in range(2):  # writing again over what is there changes nothing
        write_catalogue(tmp_path / "out", catalogue)
        again = read_catalogue(tmp_path / "out")
        assert (again.ids, again.titles, again.texts) == (catalogue.ids, catalogue.titles, catalogue.texts)
        assert again.facts == facts
        colours = [open_picture(p).getpixel((1, 1)) for p in again.pictures[:3]]
        assert [c.index(max(c)) for c in colours] == [0, 0, 2] and again.pictures[3:] == (None,) * (n - 3)
    assert not list(tmp_path.rglob("*.tmp"))


def test_write_names_the_picture_it_cannot_copy(tmp_path):
    with pytest.raises(DataError, match=r"item 'b': picture .*gone\.png cannot be copied"):
        write_catalogue(tmp_path, build(pictures=(None, tmp_path / "gone.png")))


def test_pictures_are_found_by_id(write_folder):
    folder = write_folder(
        {"items.csv": "id,title,text\n0,t,x\na.b,t,x\nc,t,x\n", "pictures/c.txt": "no picture"},
        ("pictures/0.png", "pictures/0.jpg", "pictures/a.b.WEBP"),
    )
    catalogue = read_catalogue(folder)
    assert [p and p.name for p in catalogue.pictures] == ["0.jpg", "a.b.WEBP", None]
    assert (catalogue.report["no_picture"], catalogue.report["picture_not_found"]) == (1, 0)


def test_the_picture_column_decides(write_folder):
    folder = write_folder(
        {"items.csv": "id,title,text,picture\n1,t,x,\n2,t,x,sub/two.png\n3,t,x,gone.png\n"},
        ("pictures/1.png", "pictures/sub/two.png"),
    )
    catalogue = read_catalogue(folder)
    assert catalogue.pictures == (None, folder / "pictures/sub/two.png", folder / "pictures/gone.png")
    assert catalogue.report["picture_not_found"] == 1
    with pytest.raises(DataError, match=r"gone\.png: there is no such file"):
        open_picture(catalogue.pictures[2])


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "/etc/passwd",
        "a/../../secret.png",
        "..\\secret.png",
        "C:\\x.png",
        "\\x.png",
        "link.png",
    ],
)
def test_pictures_stay_in_their_folder(write_folder, name):
    folder = write_folder({"items.csv": f"id,title,text,picture\n1,t,x,ok.png\n2,t,x,{name}\n"}, ("secret.png",))
    (folder / "pictures").mkdir()
    os.symlink(folder / "secret.png", folder / "pictures" / "link.png")
    with pytest.raises(DataError, match=r"items\.csv: row 2: the picture .* leads out of"):
        read_catalogue(folder)


def test_links_out_of_the_folder_are_not_found_by_id(write_folder):
    folder = write_folder({"items.csv": "id,title,text\n1,t,x\n2,t,x\n"}, ("secret.png", "pictures/own.png"))
    os.symlink(folder / "secret.png", folder / "pictures" / "1.png")
    os.symlink(folder / "pictures" / "own.png", folder / "pictures" / "2.png")
    assert read_catalogue(folder).pictures == (None, folder / "pictures" / "2.png")


def test_a_linked_pictures_folder_is_fine(write_folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("big disk")
    Image.new("RGB", (2, 2)).save(elsewhere / "1.png")
    folder = write_folder({"items.csv": "id,title,text,picture\n1,t,x,1.png\n"})
    os.symlink(elsewhere, folder / "pictures")
    assert read_catalogue(folder).pictures == (folder / "pictures" / "1.png",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,title,text\n", "the catalogue is empty"),
        ("id,title,text\n1,a,b\n,a,b\n", "row 2: the item id is empty"),
        ("id,title,text\n1,a,b\n2,a,b\n1,a,b\n", r"'1' is used more than once \(rows 1, 3\)"),
        ("item,title,text\n1,a,b\n", "lacks the column 'id'; found 'item', 'title', 'text'"),
    ],
)
def test_bad_items_csv(write_folder, content, message):
    with pytest.raises(DataError, match=rf"items\.csv: .*{message}"):
        read_catalogue(write_folder({"items.csv": content}))


def test_pictures_are_not_opened_on_entry():
    assert build(pictures=("no/such/file.png", None)).pictures == (Path("no/such/file.png"), None)
