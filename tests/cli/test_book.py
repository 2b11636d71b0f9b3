"""`dmesr book`: chapters run with their parameters, and mistakes are said in one line."""

from __future__ import annotations

import pytest
from helpers.mini_book import FINISH, book, notebook

from dmesr_core import cli
from dmesr_core.errors import BookError


@pytest.fixture
def mini(tmp_path):
    """The folder of a book of one chapter."""
    return str(book(tmp_path, c01=notebook("rate = 1", FINISH, parameters=f"{notebook().cells[1].source}\nrate = 0.1")))


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
