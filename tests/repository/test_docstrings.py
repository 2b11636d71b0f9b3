"""What `help` says about the public names: it explains every parameter, and its examples run."""

from __future__ import annotations

import doctest
import functools
import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import dmesr_core
from dmesr_core.book.contents import pages

ROOT = Path(__file__).resolve().parents[2]
# Methods that a user needs, beside the public names themselves.
METHODS = (
    "DMESR.build", "IDRecommender.build", "Recommender.save", "Recommender.load", "Recommender.recommend",
    "Recommender.add_items",
)  # fmt: skip
ERRORS = ("DataError", "SettingsError")  # a sentence is enough
NAMES = (*dmesr_core.EXPORTS, *METHODS)
EXPLAINED = [name for name in NAMES if name not in ERRORS]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def find(name: str):
    return functools.reduce(getattr, name.split("."), dmesr_core)


def docstring(name: str) -> str:
    return inspect.getdoc(find(name)) or ""


def sections(text: str) -> dict[str, str]:
    """The indented block under each `Args:`, `Raises:`, ... of a docstring."""
    found = re.findall(r"^(\w+):\n((?:(?: {4}.*)?(?:\n|$))+)", text, flags=re.MULTILINE)
    return dict(found)


def run_examples(name: str, text: str) -> tuple[int, str]:
    """Run the examples of a docstring in an empty namespace: how many there are, and what went wrong."""
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, name, None, None)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=said.append)
    return len(test.examples), "".join(said)


def documented() -> dict[str, str]:
    """Name -> members, of each `auto...` directive in appendix C."""
    page = (ROOT / "book" / "appendix_c_api.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\.\. auto\w+:: ([\w.]+)(?:\(.*\))?\n(?:   :members: (.*)\n)?", page, flags=re.MULTILINE))


def test_the_appendix_documents_every_public_name():
    shown = documented()
    assert {name for name in shown if "." not in name} == set(dmesr_core.EXPORTS)
    for name in METHODS:
        owner, method = name.split(".")
        assert method in shown[owner].split(", ")


def test_the_appendix_stands_between_its_neighbours():
    names = [Path(name).name for name in pages(ROOT)]
    appendices = [name for name in names if name.startswith("appendix_")]
    assert appendices == sorted(appendices) and "appendix_c_api" in appendices
    front = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    assert re.findall(r"\(\[([A-Z])\]\(appendix_(\w)", front) == [(n[9].upper(), n[9]) for n in appendices]


@pytest.mark.parametrize("name", EXPLAINED)
def test_examples_run(name):
    shown = sections(docstring(name)).get("Example", "")
    count, wrong = run_examples(name, docstring(name))
    assert ">>> " in shown and count
    assert not wrong, wrong


def parameters(name: str) -> list[str]:
    """What a user passes to a function or class, by name."""
    given = inspect.signature(find(name)).parameters.values()
    return [p.name for p in given if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_begins_with_one_sentence(name):
    first = docstring(name).split("\n\n")[0]
    assert first.endswith((".", ":")) and len(first) > 20


@pytest.mark.parametrize("name", EXPLAINED)
def test_each_parameter_is_explained(name):
    """In the section `Args`, or by its name in the text; and `Args` explains nothing else."""
    text = docstring(name)
    listed = re.findall(r"^ {4}(\w+): ", sections(text).get("Args", ""), flags=re.MULTILINE)
    assert set(listed) <= set(parameters(name))
    assert [p for p in parameters(name) if p not in listed and f"`{p}`" not in text] == []


@pytest.mark.parametrize("name", [name for name in dmesr_core.EXPORTS if is_dataclass(find(name))])
def test_fields_are_explained_in_one_place(name):
    """In the docstring, which `help` shows, and not beside the fields."""
    body = inspect.getsource(find(name)).split('"""')[2]
    assert not re.search(r"^    \w+: .*#", body.split("def ")[0], flags=re.MULTILINE)


def test_an_example_that_is_wrong_is_found():
    assert run_examples("x", ">>> 1 + 1\n2")[1] == ""
    assert "Expected" in run_examples("x", ">>> 1 + 1\n3")[1]
    assert "NameError" in run_examples("x", ">>> DMESR")[1]  # an example imports what it uses
