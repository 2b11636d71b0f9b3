"""The tables of the status page."""

from __future__ import annotations

import pytest

from dmesr_core import provenance
from dmesr_core.book import status
from dmesr_core.experiments.sweep import RESULTS

RUNS = [
    {"chapter": "01_a", "seconds": 61.9, "cells": 3, "started": "2026-01-02T03:04:05+00:00", "commit": "0" * 40,
     "versions": {"numpy": "1.0", "old": "0.1"}},
    {"chapter": "02_b", "seconds": 5.0, "cells": 4, "started": "2026-01-02T03:05:06+00:00",
     "commit": "1" * 40 + "-dirty", "versions": {"numpy": "1.0"}},
]  # fmt: skip


def test_chapters_have_time_and_commit():
    table = status.chapters_table(RUNS)
    assert table.iloc[0].tolist() == ["01_a", "1:01", 3, "2026-01-02 03:04", "0000000"]
    assert table.iloc[1].tolist() == ["02_b", "0:05", 4, "2026-01-02 03:05", "1111111+"]


def test_versions_are_listed_once_each_beginning_with_those_of_the_page(monkeypatch):
    monkeypatch.setattr(provenance, "versions", lambda packages: {"python": "3.11", "numpy": "2.0"})
    table = status.versions_table(RUNS).set_index("package")["version"]
    assert table.to_dict() == {"python": "3.11", "numpy": "2.0, 1.0", "old": "0.1"}


def test_without_runs_there_is_nothing_to_list():
    assert status.chapters_table([]).empty
    assert "python" in set(status.versions_table([])["package"])


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with the first rows of a file of stored trainings."""
    folder = tmp_path_factory.mktemp("results")
    lines = (RESULTS / "ablations.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    (folder / "few.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_stored_rows_are_counted_with_their_origin(stored, monkeypatch):
    from dmesr_core.experiments import records

    monkeypatch.setattr(records, "code_hash", lambda: "another")
    row = status.stored_rows_table(stored).loc["few"]
    assert row["rows"] == 3
    assert row["present code"] == "0%"
    assert set(row.index) >= {"hours of training", "states of the code", "commits", "device", "torch"}


def test_the_table_of_stored_rows_depends_on_the_code_of_the_models(stored):
    status.read_files.clear()
    status.stored_rows_table(stored)
    assert {"dmesr.py", "fit.py"} <= {file.name for file in status.read_files}
