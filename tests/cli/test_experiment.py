"""`dmesr experiment`: records are added, replaced, kept and dropped as asked; the list says how long they took."""

from __future__ import annotations

import json
import re
import sys

import pytest

from dmesr_core import cli
from dmesr_core.experiments import run as run_module


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


def test_the_check_says_what_is_stale_and_strict_refuses_it(few, capsys):
    file, run = few
    assert run("--check") == 0 and not file.exists()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "few: 0 of 2 trainings by the present code (0%); without a record: 2 on bazaar"
    assert said[1].startswith("in all: 0 of 2 ")
    assert run("--check", "--strict") == 1
    assert "as they are now: dmesr experiment few --replace makes those anew" in capsys.readouterr().err
    assert run() == 0 and run("--check", "--strict") == 0
    assert "in all: 2 of 2 trainings by the present code (100%)" in capsys.readouterr().out
    file.write_text(file.read_text().replace('"code": "', '"code": "old'))
    assert run("--check") == 0 and run("--check", "--strict") == 1
    assert "few: 0 of 2 trainings by the present code (0%); by earlier states: 2 on bazaar" in capsys.readouterr().out


def test_the_check_is_of_all_grids_where_none_is_named(capsys):
    assert cli.main(["experiment", "--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("views: ") for line in said) and said[-1].startswith("in all: ")
    assert cli.main(["experiment", "--check", "--out", "one.jsonl"]) == 1
    assert cli.main(["experiment", "few", "--strict"]) == 1
    assert "--strict belongs to --check" in capsys.readouterr().err


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
            "--out: folder /proc: nothing can be written there",
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


def test_the_list_says_how_long_the_stored_trainings_took(tmp_path, capsys):
    from dmesr_core.cli.experiment import hours

    file = tmp_path / "rows.jsonl"
    seconds = [{"report": {"seconds": 1800.0}}, {"report": {}}, {"report": {"seconds": 900.0}}]
    file.write_text("".join(json.dumps(row) + "\n" for row in seconds))
    assert hours([file, tmp_path / "none.jsonl"]) == 0.75
    assert cli.main(["experiment", "--list"]) == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if row.startswith("losses "))
    assert re.search(r"21 runs +[\d.]+ h ", line)
