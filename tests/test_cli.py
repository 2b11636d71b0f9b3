"""The command line."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from mini_book import FINISH, book, notebook
from safetensors.numpy import load_file

from dmesr_core import __version__, cli
from dmesr_core.errors import BookError


@pytest.fixture
def mini(tmp_path):
    """The folder of a book of one chapter."""
    return str(book(tmp_path, c01=notebook("rate = 1", FINISH, parameters=f"{notebook().cells[1].source}\nrate = 0.1")))


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"dmesr {__version__}\n")


@pytest.mark.parametrize("line", [[], ["bake"], ["book", "--seed", "x"]])
def test_a_wrong_command_line(line, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "big"], "dmesr: unknown profile 'big': choose one of smoke, cpu, gpu"),
        (["--only", "07"], "dmesr: no chapter begins with '07': there are c01"),
        (["--set", "rtae=1"], "dmesr: c01 has no parameter 'rtae'"),
        (["--set", "rate"], "dmesr: --set takes name=value, got 'rate'"),
        (["--set", "rate=fast"], "dmesr: c01: parameter 'rate' must be float, as 0.1; got 'fast'"),
        (["--data", "movielens"], "dmesr: data 'movielens' needs a data folder that exists; got ''"),
    ],
)
def test_mistakes_are_said_in_one_line(mini, options, message, capsys):
    assert cli.main(["book", "--root", mini, *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1


def test_a_chapter_runs_with_a_parameter_of_its_own(mini, capsys):
    command = ["book", "--root", mini, "--profile", "smoke", "--only", "c", "--set", "rate=1e-3"]
    assert cli.main(command) == 0
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "[1/1] c01: running (never run)" in said
    assert "[1/1] c01: up to date" in said


def test_a_book_that_fails_is_a_failure(monkeypatch, mini, capsys):
    def fail(*_, **__):
        raise BookError("c01, cell 3 failed")

    monkeypatch.setattr("dmesr_core.runner.run_book", fail)
    assert cli.main(["book", "--root", mini]) == 1
    assert capsys.readouterr().err == "dmesr: c01, cell 3 failed\n"


def test_a_fault_of_ours_is_shown_whole(monkeypatch, mini):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("dmesr_core.runner.run_book", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["book", "--root", mini])


def test_missing_tools_are_named(monkeypatch, mini, capsys):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    for name in ("runner", "notebooks", "render"):
        monkeypatch.delitem(sys.modules, f"dmesr_core.{name}", raising=False)
    assert cli.main(["book", "--root", mini]) == 1
    assert "pip install 'dmesr-core[book]'" in capsys.readouterr().err


def test_help_comes_at_once():
    clock = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dmesr_core.cli", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "torch" not in done.stderr
    assert time.monotonic() - clock < 10


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
    monkeypatch.setattr("dmesr_core.features.extract", lambda *_: features)
    monkeypatch.setattr("dmesr_core.mllm.MLLM.load", lambda name: None)
    monkeypatch.setattr("dmesr_core.text.TextEncoder.load", lambda: None)
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


def test_extract_names_what_is_wrong(tmp_path, capsys):
    assert cli.main(["extract", str(tmp_path)]) == 1
    assert "items.csv" in capsys.readouterr().err


def test_experiments_are_listed(capsys):
    assert cli.main(["experiment", "--list"]) == 0
    said = capsys.readouterr().out
    assert "three_backbones_movielens" in said and "106 runs" in said


def test_an_experiment_writes_its_rows(tmp_path, capsys, monkeypatch):
    from dmesr_core import grids, trainings
    from dmesr_core.rows import read_rows
    from dmesr_core.variants import VARIANTS

    block = grids.Block((grids.Data("bazaar"),), {n: VARIANTS[n] for n in ("popularity", "id_only")}, seeds=1)
    monkeypatch.setitem(grids.GRIDS, "few", grids.Grid("few", "for a test", (block,)))
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    command = ["experiment", "few", "--profile", "smoke", "--workers", "1", "--out", str(tmp_path / "few.jsonl")]

    def fail(*_, **__):
        raise ValueError("no luck")

    with monkeypatch.context() as broken:
        broken.setattr(trainings, "fit", fail)
        assert cli.main(command) == 1
    said = capsys.readouterr()
    assert "few: 1 of 2 rows written" in said.out
    assert "failed: bazaar, leave-one-out: id_only on sasrec, seed 0: ValueError: no luck" in said.err
    assert cli.main(command) == 0
    assert "few: 2 of 2 rows written" in capsys.readouterr().out
    first = (tmp_path / "few.jsonl").read_text()
    assert cli.main([*command, "--stored"]) == 0
    assert (tmp_path / "few.jsonl").read_text() == first
    old = (tmp_path / "few.jsonl").read_text().replace('"code": "', '"code": "old')
    for options, made_anew in ((["--add"], set()), (["--only", "popularity"], {"popularity"})):
        (tmp_path / "few.jsonl").write_text(old)
        assert cli.main([*command, *options]) == 0
        rows = read_rows(tmp_path / "few.jsonl")
        assert len(rows) == 2
        assert {row.get("variant") for row in rows if row.made_by_this_code} == made_anew
    assert cli.main(command) == 0
    assert [row.get("variant") for row in read_rows(tmp_path / "few.jsonl")] == ["id_only", "popularity"]


def test_an_unknown_experiment_is_named(capsys):
    assert cli.main(["experiment", "all"]) == 1
    assert "unknown grid 'all': choose one of" in capsys.readouterr().err
    assert cli.main(["experiment", "three_backbones", "--out", "x"]) == 1
    assert "run one part with --out" in capsys.readouterr().err
