"""When a chapter must run again, and when not."""

from __future__ import annotations

import ast
import json

import pytest

from dmesr_core import files
from dmesr_core.book import stamps

PACKAGE = {"errors.py": "e1", "train.py": "t1", "book/runner.py": "r1", "bazaar/model.bin": "m1"}
PLOTS = '''"""Plots."""
import numpy as np
from dmesr_core.plots.style import figure
from matplotlib import cm, ticker


@figure
def bars(values):
    """Bars."""
    return _scaled(values) + cm.cividis


@figure
def lines(values):
    """Lines."""
    return np.sum(values)


def _scaled(values):
    return 2 * values
'''


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
    files.write_json(tmp_path / "c.stamp.json", content)
    return tmp_path


def reason(folder, inputs=None, package=PACKAGE):
    inputs = inputs or {"parameter seed": 0, "the notebook": "n1"}
    return stamps.why_stale(folder / "c.stamp.json", inputs, [folder / "c.ipynb"], package)


def changed(old, new):
    """Parts of the module `PLOTS` whose hash changes with this edit."""
    assert old in PLOTS
    before, after = stamps.plot_hashes(PLOTS), stamps.plot_hashes(PLOTS.replace(old, new))
    return {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}


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


def test_a_figure_function_counts_only_if_it_was_called():
    package = {"plots/data.py": "d", "plots/data.py: bars": "b", "plots/data.py: lines": "l", "model.bin": "m"}
    loaded = ["plots/data.py", "plots/data.py: bars"]
    assert stamps.used(loaded, package) == {"plots/data.py": "d", "plots/data.py: bars": "b", "model.bin": "m"}


def test_an_edited_figure_function_changes_its_own_hash_only():
    assert changed("np.sum", "np.mean") == {"lines"}
    assert changed("def bars(values)", "def bars(values, width=1)") == {"bars"}
    assert changed("@figure\ndef bars", "def bars") == {"bars", ""}  # now a helper


def test_a_helper_counts_for_the_whole_module():
    assert changed("2 * values", "3 * values") == {""}


def test_an_import_counts_where_its_name_is_used():
    assert changed("import cm, ticker", "import cm as cm, ticker") == {"bars"}
    assert changed("import numpy as np", "import jax.numpy as np") == {"lines"}
    assert changed("cm, ticker", "cm, dates as ticker") == {""}  # used nowhere: perhaps imported for its effects


def test_comments_docstrings_and_layout_of_plots_do_not_count():
    assert changed('"""Lines."""', '"""Lines over time."""') == set()
    assert changed("    return np.sum(values)", "    # the sum\n    return np.sum(\n        values\n    )") == set()
    assert changed('"""Plots."""', '"""All plots."""') == set()


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
    assert {"errors.py", "data/bazaar/facts.py", "data/__init__.py", "plots/style.py"} <= set(hashes)
    assert not [name for name in hashes if "__pycache__" in name]


def test_every_function_that_returns_a_figure_has_a_hash_of_its_own():
    hashes = stamps.package_hashes()
    for file in (stamps.PACKAGE / "plots").glob("*.py"):
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            returns = getattr(statement, "returns", None)
            if returns and ast.unparse(returns) == "Figure":
                assert f"plots/{file.name}: {statement.name}" in hashes


def test_stored_rows_count_for_the_chapter_that_read_them_only(tmp_path):
    from dmesr_core.experiments import records

    package = {"errors.py": "e", "model.bin": "m", "results/a.jsonl": "r"}
    assert stamps.used(["errors.py"], package) == {"errors.py": "e", "model.bin": "m"}
    records.write_records([], tmp_path / "a.jsonl")
    records.read_records(tmp_path / "a.jsonl")
    stamps.report_kernel(str(tmp_path / "report.json"))
    assert str(tmp_path / "a.jsonl") in json.loads((tmp_path / "report.json").read_text())["read"]


def test_the_kernel_reports_what_it_loaded_and_which_figures_it_drew(tmp_path, monkeypatch):
    from dmesr_core.plots import results, style

    monkeypatch.setattr(style, "called", set())
    results.training_curves({"a": [[0.1]]}, "score")
    stamps.report_kernel(str(tmp_path / "report.json"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"book/stamps.py", "errors.py", "plots/results.py: training_curves"} <= set(report["loaded"])
    assert set(report["loaded"]) <= set(stamps.package_hashes())
    assert report["package"] == str(stamps.PACKAGE)
    assert {"python", "dmesr", "numpy"} <= set(report["versions"])
    assert "CPU" in report["device"] or "NVIDIA" in report["device"]
