"""CSV files are read as they are, and what is wrong with one is said with file and row."""

from __future__ import annotations

import csv
import time

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
        ("id;name;text\n1;a;b\n", r"lacks the column 'title'; found 'id', 'name', 'text' \(separated by semicolons\)"),
        ("id,title,text\n1,a,b,c\n", r"row 1 \(line 2\) has more cells than the header \(4, not 3\)"),
        ("id,title,text\n\n1,a,b\n2,a,b,c\n", r"row 2 \(line 4\) has more cells than the header \(4, not 3\)"),
        ('id,title,text\n1,"a\nb",b\n2,a,b,c\n', r"row 2 \(line 4\) has more cells"),
        ("id,title,text\n1,a,b\n2,a\n", "row 2 has fewer cells than the header .* cut off"),
        ("id,title,text\n1,a,b\n\n2,a,\n3\n4,b", "rows 3, 4 have fewer cells"),
        (
            'id,title,text\n1,a,b\n2,a,"b\n3,c,d\n',
            r"row 2 \(line 3\): the quote .* 'text' \(\"b\) is not closed: the file ends \(line 4\)",
        ),
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


# --- quotes ---

HEADERS = {
    "items.csv": ("id", "title", "text"),
    "interactions.csv": ("user", "item", "time"),
    "ratings.csv": ("userId", "movieId", "rating", "timestamp"),
}


def table_with(cells: dict[tuple[int, int], str], columns: tuple[str, ...], rows: int = 5) -> str:
    """A table in which some cells (row from 1, column from 0) are written as given."""
    lines = [[cells.get((row, k), f"{row}{name}") for k, name in enumerate(columns)] for row in range(1, rows + 1)]
    return "\n".join(",".join(line) for line in [columns, *lines]) + "\n"


@pytest.mark.parametrize("columns", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("second", ['"Old', 'Old "brand" x"y'])
def test_a_quote_that_is_not_closed_is_named_with_its_row(write_folder, columns, column, second):
    """pandas alone reads on to the next quote, and the rows between are gone without a word."""
    text = table_with({(1, column): '"Lamp', (3, column): second}, columns)
    folder = write_folder({"t.csv": text})
    with pytest.raises(DataError, match=rf"t\.csv: row 1 \(line 2\): the quote .* '{columns[column]}' .* not closed"):
        read_table(folder / "t.csv", columns)


@pytest.mark.parametrize(
    ("row", "shown"),
    [('"1","Lamp,"x"', "'title' .* not closed"), ('"1","Lamp" x,"y"', "'title'"), ('"1,"Lamp","y"', "'id'")],
)
def test_a_quote_that_is_not_closed_where_all_cells_are_quoted(write_folder, row, shown):
    folder = write_folder({"t.csv": f'"id","title","text"\n"0","line\nbreak",""\n{row}\n"2","b","c"\n'})
    with pytest.raises(DataError, match=rf"row 2 \(line 4\): the quote that opens the cell {shown}"):
        read_table(folder / "t.csv", WANTED)


def test_a_quote_in_the_header_that_is_not_closed(write_folder):
    folder = write_folder({"t.csv": 'id,"title,text\n1,a,b\n2,a,"b"\n'})
    with pytest.raises(DataError, match=r"t\.csv: the header holds a quote that is not closed"):
        read_table(folder / "t.csv", WANTED)


def test_quoted_cells_of_many_lines_are_kept(write_folder, caplog):
    odd = ['a "b"\nc', "x\r\ny\rz", '""', "\n\n", ',;\t|"', '"', "a,b\nc,d", '5" pipe', "plain", ""]
    with (write_folder({}) / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        rows.writerow(WANTED)
        rows.writerows((k, text, text[::-1]) for k, text in enumerate(odd))
        path = stream.name
    table = read_table(path, WANTED)
    assert table.title.tolist() == odd and table.text.tolist() == [text[::-1] for text in odd]
    assert not caplog.messages


def test_quotes_within_a_cell_without_quotes_are_kept(write_folder):
    folder = write_folder({"t.csv": 'id,title,text\n1,5" pipe,a "b"\n2,c,d\n'})
    assert read_table(folder / "t.csv", WANTED).title.tolist() == ['5" pipe', "c"]


def test_a_row_that_may_have_swallowed_others_is_said(write_folder, caplog):
    """By the rules of CSV this is one row: nobody can know, so it is read and said."""
    folder = write_folder({"t.csv": 'id,title,text\n0,a,b\n1,"Lamp,x\n2,b,c\n3,Old 5",z\n4,"two\nlines",z\n'})
    assert len(read_table(folder / "t.csv", WANTED)) == 3
    (said,) = caplog.messages
    assert "t.csv: row 2 is one row of 3 lines (from line 3), each of which looks like a row" in said
    with (folder / "t.csv").open("a") as file:
        file.write('5,a,"two\nlines, of, prose"\n6,"Lamp,x\n7,Old 5",z\n8,a,b\n9,"Lamp,x\n10,Old 5",z\n')
    assert len(read_table(folder / "t.csv", WANTED)) == 7
    assert "row 2 is one row of 3 lines (from line 3), like 2 other rows, each of" in caplog.messages[1]


# --- headers ---


@pytest.mark.parametrize(
    "header",
    ["user, user,item,time", "user,user,item,time", "User,user,item,time", "\ufeffuser,user ,item,time",
     "user,user.1,item,time", "user,item,time,USER", '"user",item,time,"user"', "user,item,\ufeffuser,time",
     "user,item,time,user\u200b", "user,item,time,ｕｓｅｒ"],
)  # fmt: skip
def test_a_doubled_column_is_named(write_folder, header):
    folder = write_folder({"log.csv": f"{header}\na,b,c,1\n"})
    with pytest.raises(DataError, match=r"log\.csv: the column 'user' is there twice; found .*Rename or delete"):
        read_table(folder / "log.csv", ("user", "item", "time"))


@pytest.mark.parametrize("twice", ["picture,picture", "fact:colour, fact:colour"])
def test_doubled_columns_that_need_not_be_there(write_folder, twice):
    folder = write_folder({"t.csv": f"id,title,text,{twice}\n1,a,b,c,d\n"})
    with pytest.raises(DataError, match=f"the column '{twice.split(',')[0]}' is there twice"):
        read_table(folder / "t.csv", WANTED)


def test_columns_that_only_look_alike_are_read(write_folder):
    folder = write_folder({"t.csv": "id,title,text,Size,size,fact:a.1,fact:a\n1,a,b,c,d,e,f\n"})
    assert read_table(folder / "t.csv", WANTED)["size"].tolist() == ["d"]


@pytest.mark.parametrize("rows", ["1,a,b,\n2,c,,\n", "1,a,b\n2,c,\n"])
def test_a_separator_at_the_end_of_the_header_is_no_column(write_folder, rows):
    table = read_table(write_folder({"t.csv": f"id,title,text,\n{rows}"}) / "t.csv", WANTED)
    assert table.to_dict("list") == {"id": ["1", "2"], "title": ["a", "c"], "text": ["b", ""]}


def test_a_header_again_in_the_middle(write_folder):
    folder = write_folder({"t.csv": "id,title,text\n1,a,b\n\ufeffid,title,text\n2,a,b\nid,x,y\n"})
    with pytest.raises(DataError, match=r"t\.csv: row 2: the header again; were files joined\?"):
        read_table(folder / "t.csv", WANTED)


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "pipes")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_another_separator_is_found_and_said(write_folder, caplog, sign, name, quote):
    rows = [("id", " title ", "text"), ("a", "Cup, red, or, so", ""), ("b", "x", "y, z")]
    text = "\n".join(sign.join(f"{quote}{cell}{quote}" for cell in row) for row in rows)
    table = read_table(write_folder({"t.csv": text}) / "t.csv", WANTED)
    assert table.to_dict("list") == {"id": ["a", "b"], "title": ["Cup, red, or, so", "x"], "text": ["", "y, z"]}
    (said,) = caplog.messages
    assert f"t.csv: cells are separated by {name}, and read so" in said


def test_rows_of_another_separator_are_checked_too(write_folder):
    folder = write_folder({"t.csv": "id;title;text\n1;a,b,c;d\n2;a;b;c\n"})
    with pytest.raises(DataError, match=r"row 2 \(line 3\) has more cells .*quote cells that hold semicolons"):
        read_table(folder / "t.csv", WANTED)
    (folder / "t.csv").write_text('id;title;text\n1;"a;d\n2;"a;b\n')
    with pytest.raises(DataError, match=r"row 1 \(line 2\): the quote that opens the cell 'title'"):
        read_table(folder / "t.csv", WANTED)


# --- other oddities ---


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_line_ends_and_empty_lines(write_folder, end):
    lines = ["", "id,title,text", "1,a,b", "", "  ", "2,c,", "", ""]
    folder = write_folder({"t.csv": end.join(lines)})
    assert read_table(folder / "t.csv", WANTED).id.tolist() == ["1", "2"]
    (folder / "t.csv").write_text(end.join([*lines, "3,d"]), newline="")
    with pytest.raises(DataError, match="row 3 has fewer cells"):
        read_table(folder / "t.csv", WANTED)


def test_null_bytes_of_another_encoding(write_folder):
    folder = write_folder({"t.csv": "id,title,text\n1,a,b\n".encode("utf-16-le")})
    with pytest.raises(DataError, match=r"t\.csv: .*null bytes.*UTF-16.* Save it as UTF-8"):
        read_table(folder / "t.csv", WANTED)


def test_ids_are_cleaned_of_what_nobody_sees():
    assert [clean_id(v) for v in ("\ufeffa", "a\0", " \ufeff a\u00a0")] == ["a", "a", "a"]


def test_many_rows_with_quotes_are_read_fast(write_folder):
    """The check of quotes reads the file once more; it must not take longer than reading it does."""
    rows = "".join(f'{k},"Cup, {k}","a ""b""\nc"\n' for k in range(100_000))
    path = write_folder({"t.csv": f"id,title,text\n{rows}"}) / "t.csv"
    start = time.perf_counter()
    assert len(read_table(path, WANTED)) == 100_000
    assert time.perf_counter() - start < 5
