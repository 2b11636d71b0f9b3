"""Pages of executed chapters: warnings are errors, and nothing is rendered twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from helpers.mini_book import PARAMETERS, book, code, notebook
from nbformat import v4

from dmesr_core.book.render import pages_folder, render
from dmesr_core.book.runner import RunSettings, run_book
from dmesr_core.errors import BookError

ROOT = Path(__file__).resolve().parents[2]
START = 'from dmesr_core.book import chapter\nthis = chapter.start("c", profile=profile)'
GLUED = 'this.glue("ndcg@10", 1 / 3, ".3f")\nthis.glue("interval", (0.25, 0.5), ".2f")'
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
ABOUT = {"mystnb": {"image": {"alt": "A line"}, "figure": {"caption": "It goes up.", "name": "fig-line"}}}


def chapter(prose):
    """A chapter with numbers, a figure and this text."""
    nb = notebook(START, GLUED, v4.new_code_cell(FIGURE, metadata=ABOUT), "this.finish();")
    nb.cells.append(v4.new_markdown_cell(prose))
    nb.cells[-1].id = "prose"
    return nb


@pytest.fixture
def made(tmp_path):
    """A book of one chapter with the real configuration, executed; the function renders it with another text."""
    (tmp_path / "book" / "_static").mkdir(parents=True)
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static", dirs_exist_ok=True)
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)

    def make(prose):
        book(tmp_path, c=chapter(prose))
        settings = RunSettings(tmp_path, profile="smoke")
        run_book(settings, say=lambda line: None)
        return render(settings), settings

    return make


def test_a_page_holds_what_ran(made):
    (first, new), settings = made("It is {glue:text}`ndcg@10`, in {glue:text}`interval`: see {numref}`fig-line`.")
    page = (first.parent / "book" / "c.html").read_text(encoding="utf-8")
    assert new
    assert first == settings.build / "html-smoke" / "index.html"
    assert 'url=book/intro.html"' in first.read_text(encoding="utf-8")
    for part in (">0.333</span>", ">[0.25, 0.50]</span>", 'alt="A line"', "It goes up.", ">Fig. 1</span>"):
        assert part in page
    assert PARAMETERS.splitlines()[0].split()[0] in page
    assert "injected-parameters" not in page
    assert "colab.research.google.com/github/dmesr/dmesr-book/blob/main/book/c.ipynb" in page
    assert "thebe" not in page.lower()

    assert run_book(settings, say=lambda line: None) == 0
    assert render(settings) == (first, False)  # nothing changed
    (settings.root / "book" / "intro.md").write_text("# Intro\n\nAnother text.\n", encoding="utf-8")
    assert render(settings) == (first, True)
    assert "Another text" in (first.parent / "book" / "intro.html").read_text(encoding="utf-8")


def test_a_changed_docstring_is_rendered_again(tmp_path, monkeypatch):
    """The API reference comes from the package's sources: both we and Sphinx must notice that they changed."""
    book(tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    (tmp_path / "_config.yml").write_bytes((ROOT / "_config.yml").read_bytes())
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static")
    (tmp_path / "book" / "references.bib").touch()
    with (tmp_path / "book" / "intro.md").open("a") as page:
        page.write("```{eval-rst}\n.. autofunction:: shop.sell\n```\n")
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text('def sell(item):\n    """Sell `item` once."""\n')
    monkeypatch.setattr("dmesr_core.book.render.PACKAGE", package)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    settings = RunSettings(tmp_path, profile="smoke")
    first, new = render(settings)
    shown = first.parent / "book" / "intro.html"
    assert new and "once." in shown.read_text(encoding="utf-8")
    assert render(settings) == (first, False)
    (package / "__init__.py").write_text('def sell(item):\n    """Sell `item` twice."""\n')
    assert render(settings) == (first, True)
    assert "twice." in shown.read_text(encoding="utf-8")


def test_a_warning_is_an_error_every_time(made, tmp_path):
    with pytest.raises(BookError, match=r"sphinx ended with 1:[\s\S]*nothing-there"):
        made("See {numref}`nothing-there`.")
    settings = RunSettings(tmp_path, profile="smoke")
    with pytest.raises(BookError, match="nothing-there"):
        render(settings)  # not only the first time, when the page was read


def test_an_error_before_the_first_page_is_shown(tmp_path):
    book(tmp_path)  # its table of contents has an empty list of chapters
    (tmp_path / "_config.yml").write_text("title: x\n")
    with pytest.raises(BookError, match="sphinx ended with 2:[\\s\\S]*'chapters' not a non-empty list"):
        render(RunSettings(tmp_path, profile="smoke"))


def test_a_chapter_that_has_not_run_cannot_be_rendered(tmp_path):
    root = book(tmp_path, c=notebook(code("a = 1")))
    (root / "_config.yml").write_text("title: x\n")
    with pytest.raises(BookError, match="c has not been run with smoke: run it first"):
        render(RunSettings(root, profile="smoke"))


def test_the_usual_book_is_in_html_and_others_beside_it(tmp_path):
    assert pages_folder(RunSettings(tmp_path)).name == "html"
    assert pages_folder(RunSettings(tmp_path, profile="gpu", seed=1)).name == "html-gpu-seed-1"
