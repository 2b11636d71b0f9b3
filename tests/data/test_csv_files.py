"""CSV files are read as they are, and what is wrong with one is said with file and row."""

from __future__ import annotations

import csv

import pytest

from dmesr_core.data.csv_files import clean_id, name_rows, read_table
from dmesr_core.errors import DataError

WANTED = ("id", "title", "text")


def test_nothing_is_guessed(write_folder):
    folder = write_folder({"t.csv": '\ufeffid, title ,text\n007,NA,nan\n\n1e3,"a, ""b""\nc",None\n'})
    table = read_table(folder / "t.csv", WANTED)
    assert table.to_dict("list") == {"id": ["007", "1e3"], "title": ["NA", 'a, "b"\nc'], "text": ["nan", "None"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; it needs a header with 'id', 'title', 'text'"),
        (
            "id,name,text\n1,a,b\n",
            r"lacks the column 'title'; found 'id', 'name', 'text', wanted 'id', 'title', 'text'",
        ),
        ("id;title;text\n1;a;b\n", r"lacks the columns .*; found 'id;title;text'"),
        ("id,title,text\n1,a,b,c\n", "row 1 has more cells than the header"),
        ("id,title,text\n1,a,b\n2,a,b,c\n", "Expected 3 fields in line 3, saw 4"),
        ("id,title,text\n1,a,b\n2,a\n", "row 2 has fewer cells than the header .* cut off"),
        ("id,title,text\n1,a,b\n\n2,a,\n3\n4,b", "rows 3, 4 have fewer cells"),
        ('id,title,text\n1,a,b\n2,a,"b\n3,c,d\n', "EOF inside string"),
        (b"id,title,text\n1,a,b\n2,caf\xe9,b\n", "line 3 holds the byte 0xe9, which is not UTF-8"),
        ("id,title,text\n1,a,b\n".encode("utf-16"), "line 1 holds the byte 0xff"),
    ],
    ids=lambda value: str(value)[:24].replace("\n", "|") if isinstance(value, str) else "bytes",
)
def test_bad_files_are_named(write_folder, content, message):
    folder = write_folder({"culprit.csv": content})
    with pytest.raises(DataError, match=rf"culprit\.csv: .*{message}"):
        read_table(folder / "culprit.csv", WANTED)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file\. Look elsewhere"):
        read_table(tmp_path / "nowhere.csv", WANTED, hint="Look elsewhere.")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path, WANTED)


def test_long_cells_do_not_trip_the_check_for_short_rows(write_folder):
    """The csv module refuses long cells by default; the limit is raised and put back."""
    before = csv.field_size_limit()
    folder = write_folder({"t.csv": f"id,title,text\n1,{'x' * 200_000},\n"})
    assert len(read_table(folder / "t.csv", WANTED).title[0]) == 200_000
    assert csv.field_size_limit() == before


def test_clean_id():
    assert [clean_id(v) for v in (" a ", 7, 7.0, 7.5, "0", 0)] == ["a", "7", "7", "7.5", "0", "0"]
    assert [clean_id(v) for v in (None, float("nan"), "NaN", "", "  ")] == [""] * 5


def test_name_rows():
    assert name_rows([3]) == "row 3"
    assert name_rows(range(1, 1_300)) == "rows 1, 2, 3, 4, 5 and 1,294 more"


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(write_folder, sign, name):
    folder = write_folder({"t.csv": f"id{sign}title\na{sign}Cup\n"})
    with pytest.raises(DataError, match=f"cells are separated by {name}: save the file with commas"):
        read_table(folder / "t.csv", ["id", "title"])
