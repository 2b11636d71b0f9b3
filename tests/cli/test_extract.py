"""`dmesr extract`: what it writes, and where it cannot."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from dmesr_core import cli
from dmesr_core.data.item_names import ItemNames
from dmesr_core.features.item_features import Features


def test_extract_writes_features_and_descriptions(write_folder, monkeypatch, capsys):
    folder = write_folder({"items.csv": "id,title,text\n7,Cup,A cup\n0,Pot,A pot\n"})
    names = ItemNames(("7", "0"), ("Cup", "Pot"))
    rng = np.random.default_rng(0)
    coarse, fine = rng.normal(size=(2, 3, 2)).astype(np.float32), rng.normal(size=(3, 4, 2)).astype(np.float16)
    report = {"items": 2, "computed": 4, "broken_picture": 0, "fallbacks": [("7", "picture", "no picture")]}
    features = Features(
        *coarse,
        fine,
        np.ones((3, 4), bool),
        ["", "a cup", "a pot"],
        ["", "cup, blue", "pot"],
        [[], [], []],
        report,
        names,
    )
    monkeypatch.setattr("dmesr_core.features.extract.extract_features", lambda *_, **__: features)
    monkeypatch.setenv("DMESR_CACHE", str(folder / "cache"))

    assert cli.main(["extract", str(folder), "--out", str(folder / "out")]) == 0
    kept = Features.load(folder / "out")
    assert (kept.coarse_text == coarse[1]).all() and (kept.fine == fine).all() and kept.item_names == names
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
