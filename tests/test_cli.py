"""The command line."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.mini_book import FINISH, book, notebook
from safetensors.numpy import load_file

from dmesr_core import __version__, cli
from dmesr_core.errors import BookError
from dmesr_core.experiments import run as run_module


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

    monkeypatch.setattr("dmesr_core.book.runner.run_book", fail)
    assert cli.main(["book", "--root", mini]) == 1
    assert capsys.readouterr().err == "dmesr: c01, cell 3 failed\n"


def test_a_fault_of_ours_is_shown_whole(monkeypatch, mini):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("dmesr_core.book.runner.run_book", fail)
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
    monkeypatch.setattr("dmesr_core.features.extract.extract_features", lambda *_: features)
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
    assert capsys.readouterr().err == f"dmesr: {folder / 'a_file'}: File exists\n"


def test_experiments_are_listed(capsys):
    assert cli.main(["experiment", "--list"]) == 0
    said = capsys.readouterr().out
    assert "three_backbones_movielens" in said and "106 runs" in said


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Run an experiment of two rows in profile `smoke`, with further options; its rows go to few.jsonl."""
    from dmesr_core.experiments import grid, grids
    from dmesr_core.experiments.variants import VARIANTS

    block = grid.Block((grid.Data("bazaar"),), {n: VARIANTS[n] for n in ("popularity", "id_only")}, seeds=1)
    monkeypatch.setitem(grids.GRIDS, "few", grid.Grid("few", "for a test", (block,)))
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "few.jsonl"
    line = ["experiment", "few", "--profile", "smoke", "--workers", "1", "--out", str(file)]
    return file, lambda *options: cli.main([*line, *options])


def fail(*_, **__):
    raise ValueError("no luck")


def test_an_experiment_writes_its_rows(few, capsys, monkeypatch):
    from dmesr_core.experiments.records import read_records

    file, run = few
    with monkeypatch.context() as broken:
        broken.setattr(run_module, "fit", fail)
        assert run() == 1
    said = capsys.readouterr()
    assert f"few: 1 added, 0 replaced, 0 kept, 0 dropped; {file} has records of 1 of the 2 trainings" in said.out
    assert "failed: bazaar, leave-one-out: id_only on sasrec, seed 0: ValueError: no luck" in said.err
    assert run() == 0
    assert (
        f"few: 1 added, 0 replaced, 1 kept, 0 dropped; {file} has records of 2 of the 2 trainings"
        in capsys.readouterr().out
    )
    first = file.read_text()
    assert run("--stored") == 0
    assert file.read_text() == first
    old = first.replace('"code": "', '"code": "old').replace('"key": "', '"key": "of another torch ')
    for options, made_anew in (
        (["--add"], set()),
        (["--only", "popularity"], {"popularity"}),
        (["--only", "sasrec", "id_only"], {"id_only"}),
        ([], {"popularity", "id_only"}),
    ):
        file.write_text(old)
        assert run(*options) == 0
        rows = read_records(file)
        assert sorted(row.get("variant") for row in rows) == ["id_only", "popularity"]
        assert {row.get("variant") for row in rows if row.made_by_this_code} == made_anew
        assert f"0 added, {len(made_anew)} replaced, {2 - len(made_anew)} kept, 0 dr" in capsys.readouterr().out


def test_a_run_that_comes_to_nothing_drops_nothing(few, capsys, monkeypatch, tmp_path):
    from dmesr_core.experiments.records import read_records

    file, run = few
    assert run() == 0
    first = file.read_text()
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(run_module, "fit", fail)
    for options, status in ((["--stored"], 0), (["--stored", "--replace"], 0), (["--only", "id_only", "--replace"], 1)):
        assert run(*options) == status
        assert file.read_text() == first
        assert "few: 0 added, 0 replaced, 2 kept, 0 dropped" in capsys.readouterr().out
    assert run("--replace") == 1  # one row is made anew, the training of the other fails
    assert {row.get("variant") for row in read_records(file)} == {"popularity", "id_only"}


def test_what_another_command_wrote_meanwhile_is_kept(few, capsys, monkeypatch):
    from dataclasses import replace

    from dmesr_core.experiments.records import read_records, write_records

    file, run = few
    assert run() == 0
    popularity, id_only = sorted(read_records(file), key=lambda row: row.parameters)
    fit, theirs = run_module.fit, replace(popularity, grid="theirs")

    def meanwhile(*args, **kwargs):
        write_records([replace(popularity, code="anew"), theirs], file)
        return fit(*args, **kwargs)

    monkeypatch.setattr(run_module, "fit", meanwhile)
    write_records([popularity], file)
    next(file.parent.glob(f"cache/experiments/{id_only.key}-*.json")).unlink()
    assert run("--add") == 0
    assert {(row.grid, row.get("variant"), row.code) for row in read_records(file)} == {
        ("few", "popularity", "anew"), ("few", "id_only", id_only.code), ("theirs", "popularity", popularity.code)
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "few: 1 added, 0 replaced, 2 kept, 0 dropped" in said
    assert "few: not of the grid as it is now: 1; --add --replace would drop these" in said


def test_rows_are_dropped_where_that_is_asked_for(few, capsys):
    from dataclasses import replace

    from dmesr_core.experiments.records import read_records, write_records

    file, run = few
    assert run() == 0
    rows = read_records(file)
    write_records([*(replace(row, code="old") for row in rows), replace(rows[0], grid="another")], file)
    assert run("--add", "--replace") == 0
    assert [(row.grid, row.code) for row in read_records(file)] == [("few", "old")] * 2
    assert run("--only", "popularity", "--replace") == 0
    assert [(row.get("variant"), row.made_by_this_code) for row in read_records(file)] == [("popularity", True)]
    said = capsys.readouterr().out
    assert "0 added, 0 replaced, 2 kept, 1 dropped" in said
    assert "0 added, 1 replaced, 0 kept, 1 dropped" in said


def test_rows_of_the_package_survive_another_torch(tmp_path, capsys, monkeypatch):
    """The file that comes with the package, nothing in the cache, and a torch of which no row has ever heard."""
    import shutil

    import torch

    from dmesr_core.experiments import sweep

    monkeypatch.setattr(run_module, "fit", fail)
    shipped = sweep.results_file("losses")
    monkeypatch.setattr(sweep, "RESULTS", tmp_path)
    monkeypatch.setattr(torch, "__version__", "9.9.0+cu999")
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    shutil.copy(shipped, tmp_path)
    first = (tmp_path / "losses.jsonl").read_bytes()
    assert cli.main(["experiment", "losses", "--stored"]) == 0
    assert "losses: 0 added, 0 replaced, 21 kept, 0 dropped" in capsys.readouterr().out
    assert cli.main(["experiment", "losses", "--add", "--workers", "1"]) == 0  # nothing is left to train
    assert (tmp_path / "losses.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("folder", "folder is a folder: name the file in it"),
        ("nowhere/rows.jsonl", "rows.jsonl: there is no folder .*nowhere: make it"),
        ("broken.jsonl", "broken.jsonl, line 1: this is not a record"),
        pytest.param(
            "/proc/rows.jsonl",
            "/proc/rows.jsonl: nothing can be written there",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which nobody can write"),
        ),
    ],
)
def test_where_rows_cannot_go_is_said_before_the_trainings(few, out, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dmesr_core.experiments.sweep.run_grid", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.jsonl").write_text("{}\n")
    assert few[1]("--out", str(tmp_path / out)) == 1
    said = capsys.readouterr().err
    assert re.search(message, said) and said.count("\n") == 1


def test_mistakes_in_an_experiment_are_said_in_one_line(tmp_path, capsys):
    assert cli.main(["experiment", "losses", "--only", "id_onyl", "--out", str(tmp_path / "x.jsonl")]) == 1
    assert capsys.readouterr().err.startswith("dmesr: grid 'losses' has nothing called 'id_onyl': choose from the ")
    assert cli.main(["experiment", "losses", "--data-dir", "x", "--out", str(tmp_path / "x.jsonl")]) == 1
    assert capsys.readouterr().err.startswith("dmesr: grid 'losses' reads no folder")
    assert not (tmp_path / "x.jsonl").exists()


def test_an_unknown_experiment_is_named(capsys):
    assert cli.main(["experiment", "all"]) == 1
    assert "unknown grid 'all': choose one of" in capsys.readouterr().err
    assert cli.main(["experiment", "three_backbones", "--out", "x"]) == 1
    assert "run one part with --out" in capsys.readouterr().err
