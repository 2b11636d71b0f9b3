"""When a chapter must run again, and when not."""

from __future__ import annotations

import json
import os

import pytest

from dmesr_core import files
from dmesr_core.book import stamps

PACKAGE = {"errors.py": "e1", "train.py": "t1", "book/runner.py": "r1", "bazaar/model.bin": "m1"}


@pytest.fixture
def stamped(tmp_path):
    """A stamp of a run that used errors.py, and the output that it made."""
    output, read = tmp_path / "c.ipynb", tmp_path / "read.txt"
    output.write_text("made")
    read.write_text("was")
    content = {
        "inputs": {"parameter seed": 0, "the notebook": "n1"},
        "modules": stamps.used(["errors.py", "runner.py"], PACKAGE),
        "outputs": {"c.ipynb": files.file_hash(output)},
        "read": {str(read): files.file_hash(read)},
    }
    stamps.write(tmp_path / "c.stamp.json", content)
    return tmp_path


def reason(folder, inputs=None, package=PACKAGE):
    inputs = inputs or {"parameter seed": 0, "the notebook": "n1"}
    return stamps.why_stale(folder / "c.stamp.json", inputs, [folder / "c.ipynb"], package)


def test_nothing_changed(stamped):
    assert reason(stamped) == ""


def test_never_run(tmp_path):
    assert reason(tmp_path) == "never run"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"inputs": 1, "modules": {}, "outputs": {}}'])
def test_a_broken_stamp_counts_as_none(stamped, content):
    (stamped / "c.stamp.json").write_text(content)
    assert reason(stamped) == "its stamp cannot be read"


def test_each_kind_of_input_counts(stamped):
    assert reason(stamped, {"parameter seed": 1}) == "parameter seed changed"
    assert reason(stamped, {"the notebook": "n2"}) == "the notebook changed"
    assert reason(stamped, {"parameter new": 1}) == "parameter new changed"


def test_a_module_counts_only_if_it_was_loaded(stamped):
    assert reason(stamped, package={**PACKAGE, "errors.py": "e2"}) == "dmesr_core/errors.py changed"
    assert reason(stamped, package={**PACKAGE, "train.py": "t2"}) == ""
    assert reason(stamped, package={**PACKAGE, "book/runner.py": "r2"}) == ""  # it runs chapters, it computes nothing
    assert reason(stamped, package={**PACKAGE, "bazaar/model.bin": "m2"}) == "dmesr_core/bazaar/model.bin changed"
    gone = {name: digest for name, digest in PACKAGE.items() if name != "errors.py"}
    assert reason(stamped, package=gone) == "dmesr_core/errors.py changed"


def test_what_the_chapter_read_counts(stamped):
    (stamped / "read.txt").write_text("is")
    assert reason(stamped) == "read.txt changed"


def test_the_output_must_be_as_it_was_left(stamped):
    (stamped / "c.ipynb").write_text("edited by hand")
    assert reason(stamped) == "c.ipynb is not what the last run wrote"
    (stamped / "c.ipynb").unlink()
    assert reason(stamped) == "c.ipynb is not what the last run wrote"


def test_package_hashes_cover_code_and_no_leftovers():
    hashes = stamps.package_hashes()
    assert {"errors.py", "data/bazaar/facts.py", "data/__init__.py"} <= set(hashes)
    assert not [name for name in hashes if "__pycache__" in name]


def test_stored_rows_count_for_the_chapter_that_read_them_only(tmp_path):
    from dmesr_core.experiments import records

    package = {"errors.py": "e", "model.bin": "m", "results/a.jsonl": "r"}
    assert stamps.used(["errors.py"], package) == {"errors.py": "e", "model.bin": "m"}
    records.write_records([], tmp_path / "a.jsonl")
    records.read_records(tmp_path / "a.jsonl")
    stamps.report_kernel(str(tmp_path / "report.json"))
    assert str(tmp_path / "a.jsonl") in json.loads((tmp_path / "report.json").read_text())["read"]


def test_a_data_folder_changes_with_its_files(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    before = files.folder_hash(tmp_path)
    assert files.folder_hash(tmp_path) == before
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    touched = files.folder_hash(tmp_path)
    (tmp_path / "b.csv").write_text("2")
    assert len({before, touched, files.folder_hash(tmp_path)}) == 3


def test_the_kernel_reports_what_it_loaded(tmp_path):
    stamps.report_kernel(str(tmp_path / "report.json"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"book/stamps.py", "errors.py"} <= set(report["loaded"])
    assert report["package"] == str(stamps.PACKAGE)
    assert {"python", "dmesr_core", "numpy"} <= set(report["versions"])
    assert "CPU" in report["device"] or "NVIDIA" in report["device"]
