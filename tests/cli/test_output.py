"""What the verbs write: aligned text, tables that read back as they were, places that are checked before the work."""

from __future__ import annotations

import importlib.util
import sys

import pandas as pd
import pytest

from dmesr_core.cli import output
from dmesr_core.errors import SettingsError

TABLE = pd.DataFrame({"user": ["007", "7", "NA"], "title": ['A "b", c', "d\ne", "Ü"], "score": [0.1 + 0.2, -1.0, 1e-9]})


def test_a_table_as_csv_reads_back_as_it_was(tmp_path):
    output.write_table(TABLE, str(tmp_path / "table.csv"))
    back = pd.read_csv(tmp_path / "table.csv", dtype={"user": str}, keep_default_na=False)
    pd.testing.assert_frame_equal(back, TABLE)


def test_a_table_as_parquet_reads_back_as_it_was(tmp_path):
    pytest.importorskip("pyarrow")
    output.check_table_file(str(tmp_path / "table.parquet"), "--out")
    output.write_table(TABLE, str(tmp_path / "table.parquet"))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), TABLE)


def test_parquet_without_its_package_names_it(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name))
    with pytest.raises(SettingsError, match=r"--out .*table.parquet: Parquet needs a package: pip install pyarrow"):
        output.check_table_file(str(tmp_path / "table.parquet"), "--out")


def test_a_failed_write_leaves_the_old_table(tmp_path, monkeypatch):
    file = tmp_path / "table.csv"
    file.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        output.write_table(TABLE, str(file))
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"] and file.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "message"),
    [("table.txt", "ends in .csv or .parquet"), ("no/table.csv", "there is no folder"), ("folder.csv", "is a folder")],
)
def test_places_are_checked(name, message, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    output.check_table_file("", "--out")  # no file is fine
    output.check_table_file(str(tmp_path / "table.csv"), "--out")
    assert not (tmp_path / "table.csv").exists()
    with pytest.raises(SettingsError, match=f"^--out.*{message}"):
        output.check_table_file(str(tmp_path / name), "--out")


def test_a_folder_that_cannot_be_made_is_named_with_its_flag(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="^--out: folder .*below: nothing can be written there"):
        output.check_folder(tmp_path / "file" / "below", "--out")
    output.check_folder(tmp_path / "a" / "b", "--out")
    assert (tmp_path / "a" / "b").is_dir()


def test_text_is_aligned():
    assert output.as_text(["id", "score"], [["a", "10.5"], ["long", "1.0"]], right=("score",)) == (
        "id    score\na      10.5\nlong    1.0"
    )


def test_progress_goes_to_a_terminal_only(monkeypatch, capsys):
    output.progress("training")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    output.progress("training")
    output.say("done")
    output.note("lost")
    said = capsys.readouterr()
    assert (said.err, said.out) == ("dmesr: training\ndmesr: lost\n", "done\n")
