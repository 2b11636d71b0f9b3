"""The frame of a chapter (see CONTRIBUTING.md), checked on the notebooks as they are committed."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from dmesr_core.book.contents import chapters, pages
from dmesr_core.book.notebooks import parameters

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
MAX_LINES = 25  # of a code cell: longer code belongs in the package, with a test
NUMBERED = [path for path in NOTEBOOKS if path.name[0].isdigit()]
TEXTS = sorted((ROOT / "book").glob("*.md"))
COLAB = """# Only in Colab: install the package. Colab's own torch and numpy stay as they are.
import sys

if "google.colab" in sys.modules:
    %pip install -q 'dmesr-core[plots] @ git+https://github.com/dmesr/dmesr-book'"""
FIRST, LAST = ["What you will build", "What you need", "The idea in a picture"], ["Summary", "Exercises"]
EXERCISE = re.compile(r"^(?::{3,}|`{3,})\{exercise(?:-start)?\}.*\n:label: (\S+)", re.MULTILINE)
SOLUTION = re.compile(r"^(?::{3,}|`{3,})\{solution(?:-start)?\} (\S+)\n:class: dropdown", re.MULTILINE)

each_chapter = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_numbered = pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def markdown(nb):
    """Text of all Markdown cells."""
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def code(nb):
    """All code cells."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def without_fences(text):
    """Markdown without its fenced blocks of code (directives between colons stay)."""
    return re.sub(r"^(`{3,}).*?^\1`*\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def prose(text):
    """The text that people read: without code, formulas, roles, options of directives and targets of links."""
    text = without_fences(text)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{[\w:]+\}`[^`]*`", " ", text)
    text = re.sub(r"(`+).+?\1", " ", text, flags=re.DOTALL)
    text = re.sub(r"^:{3,}.*$|^:\w+:.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"\(95 ?%|95 ?% (?:\w+ )?(?:interval|confidence)|Python 3\.11", " ", text)
    return re.sub(r"\]\([^)]*\)|https?://\S+|arXiv[ :]\S+", " ", text)


MEASURE = r"(?:HR|NDCG|MRR|recall|accurac|precision|road|ceiling|hit rate|better|worse|higher|lower|improve|gain)"
BARE = (
    re.compile(r"(?<![\w.@/])\d*\.\d+(?![\w.]*\w*-)"),  # a fraction, .5 or 0.5 or 12.3
    re.compile(rf"\b{MEASURE}\w*(?:@\d+)?\W+(?:\w+\W+){{0,4}}?\d+ ?%", re.IGNORECASE),  # "the road is 70%"
    re.compile(rf"\d+ ?%\W+(?:\w+\W+){{0,2}}?{MEASURE}", re.IGNORECASE),  # "70% of the road"
)


def bare_numbers(text):
    """Numbers in prose that look measured but are written by hand."""
    return [match[0] for pattern in BARE for match in pattern.finditer(prose(text))]


def test_the_check_for_bare_numbers_sees_them_and_lets_others_pass():
    for text in ("NDCG@10 is 0.31", "it covers 72% of the road", "accuracy rises to 95 %", "1.5 times as good", ".46"):
        assert bare_numbers(text), text
    fine = (
        "At `lr=0.001`, $\\tau = 0.2$, {glue:text}`x:.3f`; [link](a-1.5.html), 95% intervals; 2,000 items; version 3.11"
    )
    assert bare_numbers(fine.replace("version 3.11", "")) == []


def test_the_table_of_contents_lists_every_page():
    assert chapters(ROOT)
    assert {path.stem for path in NOTEBOOKS + TEXTS} == {Path(page).name for page in pages(ROOT)}


@each_chapter
def test_it_is_saved_clean(path):
    nb = read(path)
    nbformat.validate(nb)
    assert nb.metadata.kernelspec.name == "python3"
    assert "widgets" not in nb.metadata
    for cell in code(nb):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert cell.source.strip(), "an empty code cell"
    ids = [cell.id for cell in nb.cells]
    assert len(set(ids)) == len(ids)


@each_chapter
def test_it_begins_with_title_colab_and_parameters(path):
    nb = read(path)
    headings = re.findall(r"^# .+$", without_fences(markdown(nb)), re.MULTILINE)
    assert nb.cells[0].source.startswith("# ")
    assert len(headings) == 1
    first, second = code(nb)[:2]
    assert first.source == COLAB
    assert "remove-cell" in first.metadata.tags
    assert "parameters" in second.metadata.tags
    usual = {"profile": "cpu", "data": "bazaar", "data_dir": "", "mllm": "tiny", "seed": 0}
    found = parameters(nb, path.stem)
    assert {name: found.get(name) for name in usual} == usual


@each_chapter
def test_it_starts_under_its_own_name_and_finishes(path):
    cells = code(read(path))
    assert f'start("{path.stem}", profile=profile, data=data, data_dir=data_dir, mllm=mllm, seed=seed)' in " ".join(
        "\n".join(cell.source for cell in cells).replace("\n", " ").split()
    ).replace("( ", "(").replace(", )", ")")
    assert re.search(r"\.finish\(\);?\s*$", cells[-1].source)


@each_chapter
def test_no_code_cell_is_long(path):
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code(read(path))}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@each_chapter
def test_removed_cells_define_no_functions(path):
    """Nobody sees such a cell on the page: its logic belongs in the package, with a test."""
    hidden = [cell for cell in code(read(path)) if "remove-cell" in cell.metadata.get("tags", [])]
    assert [cell.id for cell in hidden if re.search(r"^\s*def ", cell.source, re.MULTILINE)] == []


@each_numbered
def test_it_keeps_the_frame(path):
    sections = re.findall(r"^## (.+?)\s*$", without_fences(markdown(read(path))), re.MULTILINE)
    assert sections[:3] == FIRST
    assert [name for name in sections if name != "What's next"][-2:] == LAST
    assert len(sections) > 5


@each_numbered
def test_each_exercise_has_a_folded_solution_that_runs(path):
    """Code cells lie between `solution-start` and `solution-end`, or follow the solution directly."""
    nb = read(path)
    exercises = EXERCISE.findall(markdown(nb))
    assert exercises
    assert sorted(SOLUTION.findall(markdown(nb))) == sorted(exercises)
    inside, with_code = None, set()
    for cell in nb.cells:
        if cell.cell_type == "code" and inside:
            with_code.add(inside)
        for label in re.findall(r"\{solution(?:-start)?\} (\S+)|\{solution-end\}|^## ", cell.source, re.MULTILINE):
            inside = label or None
    assert with_code == set(exercises)


@pytest.mark.parametrize("path", NOTEBOOKS + TEXTS, ids=lambda path: path.stem)
def test_measured_numbers_are_glued(path):
    text = markdown(read(path)) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    assert bare_numbers(text) == []


@each_chapter
def test_the_prose_uses_numbers_that_are_glued(path):
    nb = read(path)
    sources = "\n".join(cell.source for cell in code(nb))
    used = set(re.findall(r"\{glue:\w*\}`([^`:]+)", without_fences(markdown(nb))))
    literal = set(re.findall(r"""\.(?:glue|conclude|conclude_stored)\(\s*(f?)["']([^"']+)""", sources))
    patterns = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(name)) if f else re.escape(name) for f, name in literal]
    unknown = [name for name in used if not any(re.fullmatch(pattern, name) for pattern in patterns)]
    assert not unknown or ".glue(name" in sources, unknown


@each_chapter
def test_verdicts_on_trainings_are_not_glued_as_facts(path):
    """A sentence that judges goes through `conclude`, which a smoke run answers with "too short"."""
    sources = "\n".join(cell.source for cell in code(read(path)))
    judged = r"""\.glue\(\s*f?["'](?:[\w{}]*verdict|earns_|without_|with_|\w+_story|sampled_order)"""
    assert path.stem.startswith("appendix") or not re.findall(judged, sources)  # appendices train nothing to compare


@pytest.mark.parametrize("path", NOTEBOOKS + TEXTS, ids=lambda path: path.stem)
def test_pictures_say_what_they_show(path):
    text = markdown(read(path)) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    for alt in re.findall(r"!\[([^\]]*)\]\(", text):
        assert len(alt) > 10
    for figure in re.findall(r"^(?::{3,}|`{3,})\{(?:figure|image)\}.*\n((?::\w+:.*\n)*)", text, re.MULTILINE):
        assert re.search(r":alt: .{10}", figure)
    assert "<img" not in text


@each_chapter
def test_plots_say_what_they_show(path):
    """A cell that ends in a figure has a description of it (the tests of the pages check every picture)."""
    for cell in code(read(path)):
        last = cell.source.strip().splitlines()[-1]
        if re.match(r"(\w*figures|plots|plt)\.\w+\(", last):
            about = cell.metadata.get("mystnb", {})
            assert len(about.get("image", {}).get("alt", "")) > 10, last
            assert about.get("figure", {}).get("caption"), last


@each_chapter
def test_it_runs_anywhere(path):
    """No module that Colab lacks, no widget left in a page, no path of one machine."""
    sources = "\n".join(cell.source for cell in code(read(path)))
    for word in ("myst_nb", "tqdm.auto", "tqdm.notebook", "papermill", "/home/", "/tmp", "C:\\", "../"):
        assert word not in sources
    assert not re.search(r"^\s*[!%](?!pip install -q 'dmesr-core\[plots\] @ git\+https)", sources, re.MULTILINE)


def test_the_pages_say_where_the_book_lives():
    """Colab cell, configuration, package and README name the same repository."""
    where = "https://github.com/dmesr/dmesr-book"
    for name in ("_config.yml", "pyproject.toml", "README.md", "CONTRIBUTING.md", "CITATION.cff"):
        assert where in (ROOT / name).read_text(encoding="utf-8"), name
    assert COLAB.splitlines()[-1].endswith(f"git+{where}'")
