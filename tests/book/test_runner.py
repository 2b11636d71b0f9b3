"""The runner on small books: strict, resuming, and showing where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
from helpers.mini_book import FINISH, book, code, notebook, runs_last

from dmesr_core import files
from dmesr_core.book import runner, stamps
from dmesr_core.book.runner import RunSettings, run_book
from dmesr_core.errors import BookError, DataError, SettingsError


@pytest.fixture(autouse=True)
def outside(monkeypatch, tmp_path):
    """No settings from the environment; the cache of this user is a folder of the test."""
    for name in ("DMESR_PROFILE", "DMESR_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


def run(root, wanted=None, **settings):
    """Run a book in `smoke`; how many chapters ran, and the lines of progress."""
    lines: list[str] = []
    ran = run_book(RunSettings(root, **{"profile": "smoke", **settings}), wanted, lines.append)
    return ran, lines


def test_a_book_runs_once_and_then_only_what_changed(tmp_path, monkeypatch):
    first = notebook("import dmesr_core.setting_types\nprint(profile, seed)", FINISH)
    second = notebook("import os\nprint(os.getcwd())\nprint(os.environ['DMESR_CACHE'])", FINISH)
    root = book(tmp_path / "b{0}ok", first=first, second=second)  # papermill would take {0} for a placeholder

    ran, lines = run(root)
    assert ran == 2
    assert lines[0] == "[1/2] first: running (never run)"
    assert lines[1].startswith("[1/2] first: done in ")
    folder = root / "_build" / "executed" / "smoke"
    kept = {f.name for f in folder.iterdir()}
    assert kept == {f"{n}{end}" for n in ("first", "second") for end in (".ipynb", ".json", ".stamp.json")}

    executed = nbformat.read(folder / "first.ipynb", as_version=4)
    nbformat.validate(executed)
    assert executed.cells[2].metadata.tags == ["injected-parameters", "remove-cell"]
    assert executed.cells[3].outputs[0].text == "smoke 0\n"
    assert len(executed.cells) == 5  # title, parameters, injected, two of its own: nothing of the runner's
    assert "papermill" not in str(executed.metadata) + str([cell.metadata for cell in executed.cells])
    place, cache = nbformat.read(folder / "second.ipynb", as_version=4).cells[3].outputs[0].text.split()
    assert Path(place) == (root / "_build" / "work" / "smoke").resolve()
    assert Path(cache) == files.cache_dir()  # that of the library and of all commands
    assert "DMESR_CACHE" not in os.environ

    record = json.loads((folder / "first.stamp.json").read_text())
    assert "setting_types.py" in record["modules"]
    assert "train.py" not in record["modules"]
    assert {"seconds", "versions", "device", "commit", "started"} <= set(record)
    assert "provenance.py" not in record["modules"]  # loaded by the runner's last cell only

    assert run(root) == (0, ["[1/2] first: up to date", "[2/2] second: up to date"])

    hashes = stamps.package_hashes()
    monkeypatch.setattr(stamps, "package_hashes", lambda: {**hashes, "setting_types.py": "new"})
    changed = runner.stale(root / "book" / "first.ipynb", RunSettings(root, "smoke"))
    assert changed == "dmesr_core/setting_types.py changed"
    assert runner.stale(root / "book" / "second.ipynb", RunSettings(root, "smoke")) == ""


STATUS = "from dmesr_core.book.chapter import run_records\nprint([run['chapter'] for run in run_records()])"


def test_a_chapter_that_reads_the_records_of_others_runs_last_and_only_when_one_of_them_ran(tmp_path):
    chapters = {"first": notebook("a = 1", FINISH), "status": runs_last(notebook(STATUS, FINISH))}
    root = book(tmp_path, **chapters, after=notebook("c = 3", FINISH))
    ran, lines = run(root)
    assert (ran, [line for line in lines if "running" in line][-1]) == (3, "[3/3] status: running (never run)")
    executed = tmp_path / "_build" / "executed" / "smoke"
    assert nbformat.read(executed / "status.ipynb", as_version=4).cells[3].outputs[0].text == "['first', 'after']\n"
    assert run(root)[0] == 0

    book(tmp_path, **chapters, after=notebook("c = 4", FINISH))
    ran, lines = run(root)
    assert (ran, lines[0]) == (2, "[1/3] first: up to date")
    assert lines[-2] == "[3/3] status: running (after.stamp.json changed)"
    assert run(root)[0] == 0


def test_a_chapter_that_reads_the_records_of_others_must_say_so(tmp_path):
    root = book(tmp_path, first=notebook("a = 1", FINISH), status=notebook(STATUS, FINISH))
    with pytest.raises(BookError, match=r'status reads the run records .* add \{"dmesr": \{"runs": "last"\}\}'):
        run(root)


def test_a_changed_figure_function_reruns_only_the_chapters_that_called_it(tmp_path, monkeypatch):
    draw = "from dmesr_core.plots import results\n"
    root = book(
        tmp_path,
        curves=notebook(draw + "results.training_curves({'a': [[0.1, 0.2]]}, 'score');", FINISH),
        differences=notebook(draw + "results.paired_differences({'a': (1, 0, 2)}, 'b', 'score');", FINISH),
    )
    run(root)
    hashes = stamps.package_hashes()

    def stale_after(changed):
        monkeypatch.setattr(stamps, "package_hashes", lambda: {**hashes, changed: "new"})
        paths = [root / "book" / f"{name}.ipynb" for name in ("curves", "differences")]
        return {path.stem: reason for path in paths if (reason := runner.stale(path, RunSettings(root, "smoke")))}

    name = "plots/results.py: training_curves"
    assert stale_after(name) == {"curves": f"dmesr_core/{name} changed"}
    assert set(stale_after("plots/results.py")) == {"curves", "differences"}  # a helper of both
    assert stale_after("plots/results.py: scores_by_group") == {}


def test_a_failure_names_chapter_cell_and_message_and_keeps_what_ran_before(tmp_path):
    root = book(tmp_path, good=notebook(FINISH), bad=notebook("a = 1", "b = a / 0  # here", FINISH))
    with pytest.raises(BookError, match=r"bad, cell 4 \(b = a / 0  # here\) failed: ZeroDivisionError: division by"):
        run(root)
    folder = tmp_path / "_build" / "executed" / "smoke"
    assert (folder / "good.ipynb").is_file()
    assert (folder / "bad.failed.ipynb").is_file()
    assert not (folder / "bad.ipynb").exists()

    book(tmp_path, good=notebook(FINISH), bad=notebook("a = 1", FINISH))
    ran, lines = run(root)
    assert (ran, lines[0]) == (1, "[1/2] good: up to date")
    assert not (folder / "bad.failed.ipynb").exists()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("import sys\nsys.exit(0)", r"c, cell 3 \(import sys\) left early: SystemExit: 0"),
        ("import os\nos._exit(1)", r"c, cell 3 \(import os\): the kernel died"),
        ("import warnings\nwarnings.warn('look out')", "cell 3 .* warned: .*UserWarning: look out"),
    ],
)
def test_what_papermill_lets_pass_or_says_badly(tmp_path, cell, message):
    with pytest.raises(BookError, match=message):
        run(book(tmp_path, c=notebook(cell, FINISH)))


def test_what_the_package_says_about_data_stops_no_chapter(tmp_path):
    said = "import logging\nlogging.getLogger('dmesr_core.data').warning('Warning: %s pictures dropped', 3)"
    assert run(book(tmp_path, c=notebook(said, FINISH)))[0] == 1


def test_a_cell_that_takes_too_long(tmp_path):
    with pytest.raises(BookError, match=r"c, cell 3 \(import time\): took longer than 2 s"):
        run(book(tmp_path, c=notebook("import time\ntime.sleep(60)", FINISH)), cell_timeout=2)


def test_a_chapter_must_finish(tmp_path):
    with pytest.raises(BookError, match=r"c wrote no numbers: its last cell must call finish\(\)"):
        run(book(tmp_path, c=notebook("a = 1")))


def test_a_skipped_cell_is_an_error(tmp_path):
    with pytest.raises(BookError, match=r"c, cell 3 \(a = 1\) did not run"):
        run(book(tmp_path, c=notebook(code("a = 1", "skip-execution"), FINISH)))


def test_everything_is_checked_before_anything_runs(tmp_path):
    root = book(tmp_path, good=notebook(FINISH), bad=notebook(FINISH, parameters=None))
    with pytest.raises(SettingsError, match="bad: one code cell must be tagged"):
        run(root)
    with pytest.raises(SettingsError, match="good has no parameter 'sede': it has profile, data, data_dir, mllm, seed"):
        run(root, more={"sede": 1})
    assert not (tmp_path / "_build").exists()


def test_the_model_is_looked_for_before_anything_runs(tmp_path):
    root = book(tmp_path / "book", c=notebook(FINISH))
    (tmp_path / "model").mkdir()
    with pytest.raises(DataError, match=r"no config\.json"):
        run(root, mllm=str(tmp_path / "model"))
    assert not (root / "_build").exists()


def test_folders_are_found_from_inside_a_chapter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    given = RunSettings(tmp_path, data="folder", data_dir="model", mllm="./model").parameters
    assert given["data_dir"] == given["mllm"] == str(tmp_path / "model")
    (tmp_path / "tiny").mkdir()
    assert RunSettings(tmp_path).parameters["mllm"] == "tiny"


def test_wrong_settings(tmp_path):
    with pytest.raises(SettingsError, match="unknown profile 'big'"):
        RunSettings(tmp_path, profile="big")
    with pytest.raises(SettingsError, match="data 'movielens' needs a data folder that exists; got ''.*--data-dir"):
        RunSettings(tmp_path, data="movielens")
    with pytest.raises(SettingsError, match="unknown data 'beauty': choose one of bazaar, movielens, folder$"):
        RunSettings(tmp_path, data="beauty", data_dir=str(tmp_path))
    with pytest.raises(SettingsError, match="data 'bazaar' is generated and reads no folder"):
        RunSettings(tmp_path, data_dir=str(tmp_path))
    with pytest.raises(SettingsError, match="unknown mllm 'nope'"):
        RunSettings(tmp_path, mllm="nope")
    with pytest.raises(SettingsError, match="seed must be a whole number from 0 .* got -1"):
        RunSettings(tmp_path, seed=-1)
    with pytest.raises(SettingsError, match="unknown profile ''"):
        RunSettings(tmp_path, profile="")
    for name, value in {"seed": -1, "profile": "big", "data_dir": "x", "mllm": "nope"}.items():  # past all checks
        with pytest.raises(SettingsError, match=f"{name} is a setting of its own: --{name.replace('_', '-')}"):
            RunSettings(tmp_path, more={name: value})
    with pytest.raises(SettingsError, match="cell_timeout must be at least 1 second.*got 0"):
        RunSettings(tmp_path, cell_timeout=0)


def test_each_variant_has_its_folder(tmp_path):
    def name(**settings):
        return RunSettings(tmp_path, **settings).variant

    assert name() == "cpu"
    assert name(data="movielens", data_dir=str(tmp_path)) == "cpu-movielens"
    assert name(profile="gpu", mllm="owner/a__model", seed=2) == "gpu-owner-a__model-seed-2"


def test_data_and_model_folders_count(tmp_path):
    root = book(tmp_path / "book", c=notebook(FINISH))
    data = tmp_path / "data"
    data.mkdir()
    settings = RunSettings(root, data="folder", data_dir=str(data), mllm=str(data))
    before = runner.chapter_inputs(root / "book" / "c.ipynb", settings)
    (data / "items.csv").write_text("id")
    after = runner.chapter_inputs(root / "book" / "c.ipynb", settings)
    assert {key for key in after if after[key] != before[key]} == {"the data folder", "the model folder"}
