"""`dmesr extract`: what it writes, and where it cannot."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from dmesr_core import cli


def test_extract_writes_features_and_descriptions(write_folder, monkeypatch, capsys):
    folder = write_folder({"items.csv": "id,title,text\n7,Cup,A cup\n0,Pot,A pot\n"})
    features = SimpleNamespace(
        coarse_picture=np.ones((3, 2), np.float32),
        coarse_text=np.ones((3, 2), np.float32)[:, ::-1],
        fine=np.ones((3, 4, 2), np.float16),
        fine_mask=np.ones((3, 4), bool),
        descriptions_picture=["", "a cup", "a pot"],
        descriptions_text=["", "cup, blue", "pot"],
        report={"items": 2, "computed": 4, "broken_picture": 0, "fallbacks": [("7", "picture", "no picture")]},
    )
    monkeypatch.setattr("dmesr_core.features.extract.extract_features", lambda *_, **__: features)
    monkeypatch.setenv("DMESR_CACHE", str(folder / "cache"))

    assert cli.main(["extract", str(folder), "--out", str(folder / "out")]) == 0
    arrays = load_file(folder / "out" / "features.safetensors")
    assert {name: array.shape for name, array in arrays.items()} == {
        "coarse_picture": (3, 2),
        "coarse_text": (3, 2),
        "fine": (3, 4, 2),
        "fine_mask": (3, 4),
    }
    with (folder / "out" / "descriptions.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["id", "picture", "text"],
            ["7", "a cup", "cup, blue"],
            ["0", "a pot", "pot"],
        ]
    said = capsys.readouterr().out
    assert "items 2, computed 4" in said
    assert "item 7, picture: no picture" in said


def test_extract_names_what_is_wrong(write_folder, tmp_path, capsys):
    assert cli.main(["extract", str(tmp_path)]) == 1
    assert "items.csv" in capsys.readouterr().err
    folder = write_folder({"items.csv": "id,title,text\n7,Cup,A cup\n", "a_file": ""})
    assert cli.main(["extract", str(folder), "--out", str(folder / "a_file")]) == 1
    assert capsys.readouterr().err.startswith(f"dmesr: --out: folder {folder / 'a_file'}: nothing can be written there")


def test_a_place_that_cannot_be_written_is_noticed_before_the_work(write_folder, monkeypatch, capsys):
    monkeypatch.setattr("dmesr_core.features.extract.extract_features", lambda *_, **__: pytest.fail("extracted"))
    folder = write_folder({"items.csv": "id,title,text\n7,Cup,A cup\n", "a_file": ""})
    assert cli.main(["extract", str(folder), "--out", str(folder / "a_file" / "below")]) == 1
    assert "nothing can be written there" in capsys.readouterr().err
