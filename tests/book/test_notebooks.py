"""Checks of a chapter's notebook, before and after it runs."""

from __future__ import annotations

import nbformat
import pytest
from helpers.mini_book import PARAMETERS, code, notebook, runs_last
from nbformat import v4

from dmesr_core.book.notebooks import check_executed, check_parameters, first_line, parameters, read_value
from dmesr_core.book.notebooks import runs_last as asks_to_run_last
from dmesr_core.errors import BookError, SettingsError

KNOWN = {"profile": "cpu", "seed": 0, "rate": 0.1, "train": False, "anything": None}


def ran(*outputs, source="x = 1", tags=()):
    """A notebook of one code cell that ran and gave these outputs."""
    nb = notebook(code(source, *tags), parameters=None)
    nb.cells[-1].execution_count, nb.cells[-1].outputs = 1, list(outputs)
    return nb


def test_parameters_are_read_without_running_anything():
    wanted = {"profile": "cpu", "data": "bazaar", "data_dir": "", "mllm": "tiny", "seed": 0}
    assert parameters(notebook(), "c") == wanted


@pytest.mark.parametrize("how_many", [0, 2])
def test_there_is_one_parameters_cell(how_many):
    nb = notebook(*[code(PARAMETERS, "parameters")] * how_many, parameters=None)
    with pytest.raises(SettingsError, match=f"c: one code cell must be tagged `parameters`, found {how_many}"):
        parameters(nb, "c")


@pytest.mark.parametrize("line", ["seed = 1 + 1j * seed", "steps = max(1, 2)", "import os", "a = b = 1", "a, b = 1, 2"])
def test_parameters_are_flat_literals(line):
    with pytest.raises(SettingsError, match="line 2 of the parameters cell is not"):
        parameters(notebook(parameters=f"seed = 0\n{line}"), "c")


def test_an_unknown_parameter_is_an_error_that_lists_the_known_ones():
    with pytest.raises(SettingsError, match="c has no parameter 'sede': it has profile, seed, rate, train, anything"):
        check_parameters({"sede": 1}, KNOWN, "c")


@pytest.mark.parametrize(("name", "value"), [("seed", "1e-3"), ("seed", True), ("rate", "0.1"), ("train", 1)])
def test_a_parameter_of_another_type_is_an_error(name, value):
    with pytest.raises(SettingsError, match=f"c: parameter '{name}' must be"):
        check_parameters({name: value}, KNOWN, "c")


def test_a_whole_number_fits_where_a_fraction_is_wanted():
    check_parameters({"rate": 1, "anything": "x"}, KNOWN, "c")


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 1e-3), ("3", 3), ("true", True), ("True", True), ("None", None), ("a/b c", "a/b c")]
)
def test_values_from_the_command_line(text, value):
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


def test_a_good_run_passes():
    check_executed(ran(v4.new_output("stream", name="stderr", text="50%|####     |\n")), "c")


def test_an_early_exit_is_an_error():
    output = v4.new_output("error", ename="SystemExit", evalue="0", traceback=[])
    with pytest.raises(BookError, match=r"c, cell 2 \(x = 1\) left early: SystemExit: 0"):
        check_executed(ran(output), "c")


def test_an_error_names_cell_and_message_without_colours():
    trace = ["\x1b[0;31m----\x1b[0m", "\x1b[31mZeroDivisionError\x1b[0m: division by zero"]
    output = v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=trace)
    with pytest.raises(BookError, match=r"cell 2 \(x = 1\) failed: ZeroDivisionError: division by zero") as caught:
        check_executed(ran(output), "c")
    assert "\x1b" not in str(caught.value)
    check_executed(ran(output, tags=["raises-exception"]), "c")  # an error that the chapter wants to show


def test_a_warning_is_an_error():
    output = v4.new_output("stream", name="stderr", text="/x.py:3: FutureWarning: will go\n  y = 2\n")
    with pytest.raises(BookError, match="warned: /x.py:3: FutureWarning: will go"):
        check_executed(ran(output), "c")


@pytest.mark.parametrize(
    "text",
    [
        "3 of 12 pictures dropped: Warning: hot.png\n",
        "WARNING:dmesr_core.data.folder:items.csv: 2 texts cut\n",
        "items.csv, row 3: the title 'UserWarning: look out' is cut\n",
        "dmesr_core.features: DeprecationWarning is the title of item 7\n",
    ],
)
def test_what_is_said_about_data_is_no_warning(text):
    check_executed(ran(v4.new_output("stream", name="stderr", text=text)), "c")


@pytest.mark.parametrize(
    "line", ["/tmp/a b/x.py:3: UserWarning: a", "<string>:1: RuntimeWarning: b", "/tmp/ipykernel_1/2.py:1: Warning: c"]
)
def test_every_warning_of_python_is_seen(line):
    with pytest.raises(BookError, match=r"warned: " + line):
        check_executed(ran(v4.new_output("stream", name="stderr", text=f"50%|###   |\n{line}\n  f()\n")), "c")


def test_a_widget_is_an_error():
    output = v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})
    with pytest.raises(BookError, match="shows a widget"):
        check_executed(ran(output), "c")


def test_a_cell_that_did_not_run_is_an_error():
    nb = ran()
    nb.cells.append(code("y = 2", "skip-execution"))
    with pytest.raises(BookError, match=r"c, cell 3 \(y = 2\) did not run"):
        check_executed(nb, "c")


def test_empty_cells_may_stay_unrun_and_injected_ones_are_not_counted():
    nb = ran()
    nb.cells.insert(1, code("seed = 1", "injected-parameters"))
    nb.cells[1].execution_count, nb.cells[2].execution_count = 1, 2
    nb.cells += [code("  \n"), code("z = 3")]
    with pytest.raises(BookError, match=r"cell 4 \(z = 3\)"):
        check_executed(nb, "c")


def test_first_line():
    assert first_line("\n\n  a = 1\nb = 2") == "a = 1"
    assert first_line("") == "empty"
    assert len(first_line("x" * 100)) == 60


def test_a_notebook_may_ask_to_run_last(tmp_path):
    nbformat.write(notebook(), tmp_path / "a.ipynb")
    nbformat.write(runs_last(notebook()), tmp_path / "b.ipynb")
    assert [asks_to_run_last(tmp_path / f"{name}.ipynb") for name in "ab"] == [False, True]
