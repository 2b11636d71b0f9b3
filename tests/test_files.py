"""Files are written whole or not at all, and hashes change with what they stand for."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from dmesr_core import files
from dmesr_core.errors import SettingsError


@pytest.mark.parametrize(("data", "content"), [(b"\x00\xff", b"\x00\xff"), ("é\n", "é\n".encode())])
def test_bytes_and_texts_are_written_as_they_are(tmp_path, data, content):
    files.write_atomically(tmp_path / "x", data)
    assert (tmp_path / "x").read_bytes() == content
    assert [f.name for f in tmp_path.iterdir()] == ["x"]


def test_an_interrupted_write_keeps_the_old_content_and_leaves_nothing_behind(tmp_path, monkeypatch):
    files.write_atomically(tmp_path / "x", "old")

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        files.write_atomically(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["x"]


def test_a_folder_is_known_to_be_writable_before_the_work(tmp_path, monkeypatch):
    files.check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    file = tmp_path / "file"
    for folder, cause in ((file, "File exists"), (file / "x", "Not a directory"), (Path("/proc/x"), "")):
        with pytest.raises(SettingsError, match=f"folder {folder}: nothing can be written there .{cause}.*choose"):
            files.check_writable(folder)

    def forbidden(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", forbidden)
    with pytest.raises(SettingsError, match="Permission denied"):
        files.check_writable(tmp_path)


def test_json_is_written_for_people_and_holds_finite_numbers_only(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": [1, "é"]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": [1, "é"]}
    assert "é" in text and text.endswith("}\n")
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", float("nan"))
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == text


def test_a_digest_depends_on_values_types_and_shapes():
    one = np.arange(4)
    assert files.digest(one) == files.digest(np.arange(8)[:4])
    others = [one + 1, one.astype(np.int32), one.reshape(2, 2), one.astype(float)]
    assert len({files.digest(each) for each in [one, *others]}) == 5
    assert files.digest(one, one) != files.digest(one)


def test_a_file_hash_depends_on_the_content_only(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    assert files.file_hash(tmp_path / "a") == files.file_hash(tmp_path / "b")
    (tmp_path / "b").write_text("2")
    assert files.file_hash(tmp_path / "a") != files.file_hash(tmp_path / "b")
    assert files.file_hash(tmp_path / "c") == "missing"


def test_a_folder_hash_changes_with_its_files(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    before = files.folder_hash(tmp_path)
    assert files.folder_hash(tmp_path) == before
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    touched = files.folder_hash(tmp_path)
    (tmp_path / "b.csv").write_text("2")
    assert len({before, touched, files.folder_hash(tmp_path)}) == 3


def test_there_is_one_cache_for_all_wherever_one_works(monkeypatch, tmp_path):
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path))
    assert files.cache_dir() == tmp_path.resolve()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DMESR_CACHE", "here")
    assert files.cache_dir() == (tmp_path / "here").resolve()
    monkeypatch.delenv("DMESR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    usual = files.cache_dir()
    assert usual.is_absolute() and "dmesr" in usual.parts
    if sys.platform == "linux":
        assert usual == (tmp_path / "user" / "dmesr").resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert files.cache_dir() == usual
    assert not usual.exists()  # asking for its name makes nothing


def test_only_what_the_package_wrote_is_cleared(monkeypatch, tmp_path):
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path))
    for name in (*files.CACHED, "holiday"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("1")
    assert files.clear_cache() == tmp_path.resolve()
    assert [path.name for path in tmp_path.iterdir()] == ["holiday"]
    files.clear_cache()  # nothing there is no error


def test_all_that_is_cached_can_be_cleared():
    sources = [file.read_text(encoding="utf-8") for file in Path(files.__file__).parent.rglob("*.py")]
    used = {name for source in sources for name in re.findall(r'cache_dir\(\) / "(\w+)"', source)}
    assert used == set(files.CACHED)
